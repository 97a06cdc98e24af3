"""What has been done to a ticket, and when a person first worked on it: from its audits.

https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from connector.sinks.zendesk import reading
from connector.sinks.zendesk.desk import Desk
from connector.sinks.zendesk.records import Audit, Event

PER_PAGE = 100
SAID = frozenset({"Comment", "VoiceComment", "FacebookComment", "Tweet", "SMS"})
ASSIGNED = ("assignee_id", "group_id")


def audits(desk: Desk, number: int) -> Iterator[Audit]:
    """Every change of a ticket, page by page; none of a ticket that was deleted meanwhile."""
    after = ""
    while True:
        params: dict[str, str | int] = {"page[size]": PER_PAGE}
        page = desk.plain(
            f"tickets/{number}/audits.json",
            params | ({"page[after]": after} if after else {}),
            _page,
        )
        if page is None:
            return
        found, after = page
        yield from found
        if not after:
            return


def _page(answer: dict[str, Any]) -> tuple[list[Audit], str]:
    meta = answer.get("meta") or {}
    after = str(meta.get("after_cursor") or "") if meta.get("has_more") else ""
    return reading.each(answer["audits"], reading.audit), after


def is_ours(audit: Audit, us: int) -> bool:
    """Ours are those of our user that came in through the API: the user may be a person's."""
    return audit.author_id == us and audit.channel in ("api", "")


def is_automatic(audit: Audit) -> bool:
    return audit.author_id in (None, -1) or audit.channel in ("rule", "system")


def work(found: Iterable[Audit], us: int, requester: int | None) -> list[Audit]:
    """The changes that somebody made who is neither us, nor a rule, nor the requester, and that are
    more than giving the ticket to somebody else."""
    return [
        audit
        for audit in found
        if not is_ours(audit, us)
        and not is_automatic(audit)
        and (audit.author_id != requester or audit.author_id == us)
        and _is_work(audit)
    ]


def first(done: Iterable[Audit], staff: Iterable[int]) -> datetime | None:
    """When the first of these changes was made by one of the staff."""
    known = set(staff)
    return min((audit.at for audit in done if audit.author_id in known), default=None)


def _is_work(audit: Audit) -> bool:
    """Another program counts only when it says something: what it sets, no person need have seen.

    A new ticket that is given to somebody opens by itself; that is no work on it.
    """
    own = [event for event in audit.events if not event.by_rule]
    if any(event.type in SAID for event in own):
        return True
    if audit.channel == "api":
        return False
    changes = [event for event in own if event.type == "Change"]
    given = any(event.field in ASSIGNED for event in changes)
    return any(_is_touch(event, audit.author_id, given) for event in changes)


def _is_touch(event: Event, author: int | None, given: bool) -> bool:
    if event.field == "assignee_id":
        return event.value == str(author)
    if event.field == "group_id":
        return False
    return not (given and event.field == "status" and event.value == "open")
