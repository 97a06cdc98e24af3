"""What news change in a case: late and doubled news nothing, in whatever order they come. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connector.store.cases import UNFINISHED, Change, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from connector.domain import Need, Standing

    # The working time from one moment to another; None where nobody knows the calendar.
    Clock = Callable[[datetime, datetime], timedelta | None]

CLOCKS = timedelta(minutes=2)  # so far may the far side's clock be behind ours
NEEDS: dict[Need, str] = {"cause": "the cause", "action_taken": "what was done"}


def updated(case: Any, news: Standing, needs: Sequence[Need], clock: Clock) -> Change | None:
    """The case as it is after this news; None where it says nothing new.

    `needs` are what must be told before a closed record counts as a closed case; `clock` gives the
    working time between two moments.
    """
    if case.told_at is not None and news.changed_at < case.told_at:
        return None
    if case.continues and news.changed_at < case.opened_at - CLOCKS:
        return None  # of the case that this record was before
    missing = [NEEDS[need] for need in needs if not getattr(news, need)]
    incomplete = news.state == "closed" and bool(missing)
    state = "contacted" if incomplete else news.state
    contacted_at = case.contacted_at or _touch(case, news)
    if state == "open" and contacted_at is not None:
        state = "contacted"
    if state == "contacted" and contacted_at is None and case.continues:
        state = "open"  # who has begun did so in the case before
    values: dict[str, Any] = {
        "state": state,
        "status": news.status or None,
        "owner": news.owner or None,
        "team": news.team or None,
        "cause": news.cause or case.cause,
        "action_taken": news.action_taken or case.action_taken,
        "missing": " and ".join(missing) if incomplete else None,
        "contacted_at": contacted_at,
        "closed_at": (case.closed_at or news.closed_at or news.changed_at)
        if state == "closed"
        else None,
        "told_at": news.changed_at,
    }
    if case.contacted_at is None and contacted_at is not None:
        passed = clock(case.opened_at, contacted_at)
        values["working_seconds"] = None if passed is None else passed.total_seconds()
    if case.state == "closed" and state in UNFINISHED:
        values |= {"reopened": case.reopened + 1, "reopened_at": news.changed_at}
    if case.state == "closed" and state == "closed" and news.closed_at is not None:
        values["closed_at"] = news.closed_at
    changed = {name: value for name, value in values.items() if value != getattr(case, name)}
    events = list(_events(case, news, values, changed))
    return Change(case.action_id, changed, events) if changed else None


def _touch(case: Any, news: Standing) -> datetime | None:
    """The first one, unless it was in an earlier case of the same record."""
    touched = news.contacted_at
    earlier = touched is not None and case.continues and touched < case.opened_at - CLOCKS
    return None if earlier else touched


def _events(
    case: Any, news: Standing, values: dict[str, Any], changed: dict[str, Any]
) -> Sequence[Event]:
    at, stamp, found = news.changed_at, news.changed_at.isoformat(), []
    if case.contacted_at is None and values["contacted_at"] is not None:
        found.append(Event("contacted", "contacted", values["contacted_at"], news.owner))
    if ("owner" in changed or "team" in changed) and (news.owner or news.team):
        where = f"{news.owner or 'nobody'} ({news.team})" if news.team else news.owner
        found.append(Event("assigned", f"assigned {where} {stamp}"[:120], at, news.owner, where))
    if "status" in changed and case.status is not None:
        what = f"{case.status} -> {news.status}"
        found.append(Event("status", f"status {stamp}", at, news.owner, what))
    if "reopened" in values:
        found.append(Event("reopened", f"reopened {stamp}", at, news.owner))
    if values["missing"] and values["missing"] != case.missing:
        what = f"closed there without {values['missing']}"
        found.append(Event("incomplete", f"incomplete {stamp}", at, news.owner, what))
    if case.state != "closed" and values["state"] == "closed":
        key = f"closed {values['closed_at'].isoformat()}"
        found.append(Event("closed", key, values["closed_at"], news.owner, _outcome(values)))
    if case.state != "gone" and values["state"] == "gone":
        found.append(Event("gone", f"gone {stamp}", at, detail="deleted at the far side"))
    return found


def _outcome(values: dict[str, Any]) -> str:
    told = (values["cause"], values["action_taken"])
    return "; ".join(one for one in told if one)
