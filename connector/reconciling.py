"""Comparing what we believe with what a far side holds. Changes nothing on either side.

The far side's list says what is there; that something is not there is believed only after the same
look-up by key that also guards every resend, because lists lag and end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import ValidationError

from connector.domain import Order, Prepared, Receipt
from connector.patience import at_leisure
from connector.ports import Listing, Made, Metered, Sink
from connector.store import limits, reconciling

if TYPE_CHECKING:
    from connector.store import Store

FRESH = timedelta(minutes=5)  # what was made so recently may not be shown yet
CLOCKS = timedelta(minutes=15)  # so far may the far side's clock be behind ours
_ENDED = ("parked", "in_doubt", "held", "superseded", "withheld")

Kind = Literal["missing", "doubled", "unrecorded", "stranger"]


class ListingSink(Sink, Listing, Protocol):
    """A sink that can say what it holds of ours."""


@dataclass(frozen=True)
class Difference:
    """One case on which the two sides do not agree. `why` is a sentence part for a person."""

    kind: Kind
    key: str
    why: str
    action: int | None
    response: str | None
    remote_ids: tuple[str, ...]
    urls: tuple[str, ...]


@dataclass
class Compared:
    """`ours` and `theirs` are cases since that time; `unjudged` are ours of which nothing can be
    said: too fresh, forgotten on purpose, or the look-up failed."""

    ours: int = 0
    theirs: int = 0
    unjudged: int = 0
    differences: list[Difference] = field(default_factory=list)


def compare(
    store: Store,
    id: str,
    sink: ListingSink,
    since: datetime,
    now: datetime,
    progress: Callable[[int], None],
) -> Compared:
    """Every case of this sink made since then. `progress` gets the number of records read.

    Raises:
        TryLater, Paused, Refused: the far side cannot be read.
    """
    theirs: dict[str, list[Made]] = {}
    for number, made in enumerate(sink.made_since(since - CLOCKS, now), 1):
        theirs.setdefault(made.key, []).append(made)
        progress(number)
    with store.read() as connection:
        ours = reconciling.cases_done(connection, id, since, now)
        known = reconciling.cases_with(connection, sorted(theirs))
    done = Compared(ours=len(ours))
    done.theirs = sum(_is_alive(made, since) for listed in theirs.values() for made in listed)
    unseen: list[Any] = []
    for case in ours:
        listed = theirs.get(case.key, [])
        if any(not made.gone for made in listed):
            continue
        if case.erased_at is not None or case.finished_at > now - FRESH:
            done.unjudged += 1
        elif listed:
            done.differences.append(_missing(case, "deleted there"))
        else:
            unseen.append(case)
    _look_up(store, sink, unseen, now, done)
    for key, listed in theirs.items():
        alive = [made for made in listed if not made.gone]
        if found := _told_by(key, alive, known.get(key), since):
            done.differences.append(found)
    _pay(store, sink, now)
    return done


def _pay(store: Store, sink: ListingSink, now: datetime) -> None:
    """Everybody shares the account: what was read here, others wait for."""
    if isinstance(sink, Metered) and (bill := sink.meter.bill(now)):
        account, meter = sink.account, sink.meter
        store.write(lambda connection: limits.pay(connection, account, meter, bill, now))


def _is_alive(made: Made, since: datetime) -> bool:
    return not made.gone and made.made_at >= since


def _told_by(key: str, alive: Sequence[Made], case: Any, since: datetime) -> Difference | None:
    """What is wrong with what is there under one key."""
    ids, urls = tuple(m.remote_id for m in alive), tuple(m.url for m in alive if m.url)
    number, response = (case.id, case.response_id) if case is not None else (None, None)

    def told(kind: Kind, why: str) -> Difference:
        return Difference(kind, key, why, number, response, ids, urls)

    if len(alive) > 1:
        return told("doubled", f"{len(alive)} there for one answer")
    if not alive:
        return None
    if case is None:
        return told("stranger", "its key is not known here") if alive[0].made_at >= since else None
    if case.erased_at is not None:
        return None
    if case.state in _ENDED:
        return told("unrecorded", f"it is there, but {case.state} here")
    if case.state == "done" and case.remote_id and case.remote_id not in ids:
        return told("unrecorded", f"it is there, but recorded as {case.remote_id}")
    return None


def _look_up(
    store: Store, sink: ListingSink, unseen: Sequence[Any], now: datetime, done: Compared
) -> None:
    """Of what the list did not show: is it there after all?"""
    size = max(sink.capabilities.batch, 1)
    for start in range(0, len(unseen), size):
        some = {case.id: case for case in unseen[start : start + size]}
        with store.read() as connection:
            rows = reconciling.requests_of(connection, list(some))
        asked = {row.id: one for row in rows if (one := _prepared(row)) is not None}
        batch = list(asked.values())
        results = at_leisure(lambda batch=batch: sink.find(batch, now)) if batch else ()  # type: ignore[misc]
        done.unjudged += len(some) - len(asked)
        for action, result in zip(asked, results, strict=True):
            if result is None:
                done.differences.append(_missing(some[action], "not there"))
            elif not isinstance(result, Receipt):
                done.unjudged += 1


def _prepared(row: Any) -> Prepared | None:
    try:
        return Prepared(order=Order.model_validate(row.order), body=row.request)
    except ValidationError:
        return None  # its content was forgotten on purpose


def _missing(case: Any, why: str) -> Difference:
    ids = (case.remote_id,) if case.remote_id else ()
    urls = (case.url,) if case.url else ()
    return Difference("missing", case.key, why, case.id, case.response_id, ids, urls)
