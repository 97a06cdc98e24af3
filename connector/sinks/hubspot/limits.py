"""How often an account may be called, and where HubSpot says so in its answers.

https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
"""

from __future__ import annotations

from collections.abc import Mapping

from connector.limits import Allowance, Heard, Limit, Quota, limit_of, number

_PREFIX = "X-HubSpot-RateLimit-"


def heard(headers: Mapping[str, str]) -> Heard:
    """Calls of this app in an interval, and of the account in a day. Searches say nothing."""
    interval = number(headers, f"{_PREFIX}Interval-Milliseconds")
    day = number(headers, f"{_PREFIX}Daily")
    left = number(headers, f"{_PREFIX}Daily-Remaining")
    return Heard(
        limit_of(number(headers, f"{_PREFIX}Max"), (interval or 0) / 1000),
        number(headers, f"{_PREFIX}Remaining"),
        None if not day or left is None else Quota(day, max(0, day - left)),
    )


# A private app of a free account. One call finds the contacts of 100 tasks, one makes the tasks.
CALLS = Allowance(Limit(100, 10.0), per_batch=2, per_action=0, per_note=1, read=heard)
