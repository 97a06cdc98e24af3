"""How often an account may be called, and where Zendesk says so in its answers.

https://developer.zendesk.com/api-reference/introduction/rate-limits/
"""

from __future__ import annotations

from collections.abc import Mapping

from connector.limits import Allowance, Heard, Limit, limit_of, number

_MINUTE = 60.0


def heard(headers: Mapping[str, str]) -> Heard:
    """Calls a minute of the whole account; lists of tickets say the same under another name."""
    return Heard(
        limit_of(number(headers, "X-Rate-Limit", "ratelimit-limit"), _MINUTE),
        number(headers, "X-Rate-Limit-Remaining", "ratelimit-remaining"),
    )


# Suite Team, the smallest plan of today. A note reads the ticket, its notes and audits, writes and
# may have to do so again.
CALLS = Allowance(Limit(200, _MINUTE), per_action=1, per_note=4, read=heard)
