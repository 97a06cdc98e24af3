"""The stage that follows cases: what their far sides tell is written down until a person has closed
them. Everything is read again and again, so nothing that is missed, doubled or late does harm."""

from __future__ import annotations

import functools
import logging
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from connector import faultpoints
from connector.casebook import updated
from connector.domain import Verdict, Watched
from connector.errors import ConnectorError, Invalid, Paused, TryLater
from connector.ports import Following, Metered
from connector.store import alarms, cases, following, limits, outbox

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from connector.domain import Followed, Standing
    from connector.ports import Sink
    from connector.rules.timing import Timetable
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=faultpoints.seconds("follow_lease", 300))
_PROBE_AFTER = timedelta(minutes=5)
_STUCK_AFTER = timedelta(hours=1)
_GIVEN_UP_AFTER = timedelta(hours=1)  # what cannot be read
_AGAIN_AFTER = timedelta(minutes=1)
_EARLY = 0.1  # of `follow_every`: the schedule's clock and ours need not agree to the millisecond


class Heard(NamedTuple):
    """`cases` are those of which there was something new; `error` says why it stopped, `more` that
    there is more to look at."""

    cases: int = 0
    error: str = ""
    more: bool = False


def follow(
    workspace: Workspace,
    id: str,
    sink: Sink,
    now: datetime,
    stopping: Callable[[], bool] = lambda: False,
) -> Heard:
    """Look at what webhooks have named; where it is time again, at everything that has changed.

    `stopping` is asked after each page: the next round goes on from there.
    """
    store = workspace.store
    if not isinstance(sink, Following):
        return Heard()
    with store.read() as connection:
        hinted = following.hinted(connection, id, now)
        due = _is_due(workspace, connection, id, now)
        paused_until = outbox.paused_until(connection, sink.account)
    if not (hinted or due) or (paused_until is not None and paused_until > now):
        return Heard()
    if not store.write(lambda c: following.lease(c, id, now, LEASE)):
        return Heard()  # by another process
    changed, began = 0, monotonic()

    def moment() -> datetime:
        return now + timedelta(seconds=monotonic() - began)

    try:
        if hinted:
            changed += _look_at_hints(workspace, id, sink, hinted, moment())
        if due:
            changed += _read_on(workspace, id, sink, moment, stopping)
    except ConnectorError as error:
        log.warning("cases cannot be followed: %s", error, extra={"sink": id})
        fail = functools.partial(
            _failed, id=id, account=sink.account, error=error, now=now, asked=due
        )
        store.write(fail)
        return Heard(changed, str(error))
    finally:
        _pay(workspace, sink, moment())
    ended = functools.partial(_ended, id=id, account=sink.account, now=now, asked=due)
    store.write(ended)
    return Heard(changed, more=len(hinted) == following.MOST_HINTS)


def _is_due(workspace: Workspace, connection: Connection, id: str, now: datetime) -> bool:
    row = following.place_of(connection, id)
    pause: timedelta = workspace.settings.sinks[id].follow_every * (1 - _EARLY)
    return row is None or row.asked_at is None or now - row.asked_at >= pause


def _look_at_hints(
    workspace: Workspace, id: str, sink: Following, hinted: Sequence[Any], now: datetime
) -> int:
    """All at once; one by one where that fails, so that one record that cannot be read does not
    stop the others. A hint is given up after an hour: the rounds find what it was about."""
    try:
        return _look(workspace, id, sink, hinted, now)
    except ConnectorError as error:
        if _concerns_all(error):
            raise
    changed = 0
    for hint in hinted:
        try:
            changed += _look(workspace, id, sink, [hint], now)
        except ConnectorError as error:
            if _concerns_all(error):
                raise
            log.warning("a record cannot be read: %s", error, extra={"sink": id})
            if now - hint.at > _GIVEN_UP_AFTER:
                given_up = functools.partial(following.looked, seen=[hint])
                workspace.store.write(given_up)
    return changed


def _concerns_all(error: ConnectorError) -> bool:
    return isinstance(error, Paused) or (isinstance(error, TryLater) and error.account_wide)


def _look(
    workspace: Workspace, id: str, sink: Following, hinted: Sequence[Any], now: datetime
) -> int:
    """What a webhook says is only a hint: the record itself is read."""
    store = workspace.store
    with store.read() as connection:
        known = cases.known(connection, id, [row.remote_id for row in hinted])
    standings = sink.look([_watched(row) for row in known], now) if known else ()
    _reach("looked", id, standings, known)

    def keep(connection: Connection) -> int:
        following.looked(connection, hinted)
        return take_news(connection, workspace, id, standings, now, _ids(known))

    return store.write(keep)


def _read_on(
    workspace: Workspace,
    id: str,
    sink: Following,
    moment: Callable[[], datetime],
    stopping: Callable[[], bool],
) -> int:
    store, changed = workspace.store, 0
    with store.read() as connection:
        cursor = following.place_of(connection, id).cursor
        watched = cases.watched(connection, id, moment())
    if not watched and cursor is None:
        return 0  # nothing was ever opened there
    asked, heard = _ids(watched), [row for row in watched if row.told_at is not None]
    for page in sink.follow(cursor, [_watched(row) for row in watched], moment()):
        if faultpoints.broken("cursor"):
            move = functools.partial(following.move, sink=id, cursor=page.cursor)
            store.write(move)
        _reach("followed", id, page.standings, heard)
        keep = functools.partial(_keep_page, workspace=workspace, id=id, page=page, asked=asked)
        changed += store.write(functools.partial(keep, now=moment()))
        if stopping():
            return changed
    # Those whose receipt came after the page that would have told of them.
    with store.read() as connection:
        unheard = cases.unheard(connection, id)
    standings = sink.look([_watched(row) for row in unheard], moment()) if unheard else ()
    _reach("looked", id, standings, unheard)
    take = functools.partial(take_news, workspace=workspace, id=id, standings=standings)
    return changed + store.write(lambda c: take(c, now=moment(), asked=_ids(unheard)))


def _ids(rows: Sequence[Any]) -> set[int]:
    return {row.action_id for row in rows}


def _reach(point: str, id: str, standings: Sequence[Standing], known: Sequence[Any]) -> None:
    """Only with news that somebody has begun with a case: of others nothing could be lost."""
    untouched = {row.remote_id for row in known if row.contacted_at is None}
    if any(one.state != "open" and one.remote_id in untouched for one in standings):
        faultpoints.reach(point, id)


def _watched(row: Any) -> Watched:
    return Watched(
        remote_id=row.remote_id,
        contacted=row.contacted_at is not None,
        since=row.opened_at if row.continues else None,
    )


def _keep_page(
    connection: Connection,
    workspace: Workspace,
    id: str,
    page: Followed,
    asked: Collection[int],
    now: datetime,
) -> int:
    following.move(connection, id, cursor=page.cursor, lease_until=now + LEASE)
    return take_news(connection, workspace, id, page.standings, now, asked)


def take_news(
    connection: Connection,
    workspace: Workspace,
    id: str,
    standings: Sequence[Standing],
    now: datetime,
    asked: Collection[int],
) -> int:
    """Write down what is new about the cases of one sink; returns how many have changed.

    `asked`: the cases that were known when the far side was asked. For one that came in between it
    has not looked for the first touch: that one is looked at by its id.
    """
    if not standings:
        return 0
    newest: dict[str, Standing] = {}
    for news in standings:
        known = newest.get(news.remote_id)
        if known is None or known.changed_at <= news.changed_at:
            newest[news.remote_id] = news
    needs = workspace.settings.sinks[id].close_needs
    again = [one for one, news in newest.items() if news.unsure and _is_fresh(news, now)]
    following.hint(connection, id, again, now + _AGAIN_AFTER)
    times = _timetable(connection, workspace)
    changes = []
    for case in cases.with_remote_ids(connection, id, sorted(newest)):
        if case.told_at is None and case.action_id not in asked:
            continue
        news, wanted = newest[case.remote_id], needs
        if case.erased_at is not None:  # what is written about the person is not taken in again
            news, wanted = news.model_copy(update={"cause": "", "action_taken": ""}), ()
        clock = functools.partial(_working_time, case, times)
        change = updated(case, news, wanted, clock)
        if change is not None:
            changes.append(change)
    cases.change(connection, changes, now)
    for change in changes:
        if change.values.get("contacted_at") or change.values.get("state") in ("closed", "gone"):
            alarms.clear_alarm(connection, "untouched", f"case {change.case}", now)
    return len(changes)


def _is_fresh(news: Standing, now: datetime) -> bool:
    return now - news.changed_at <= _GIVEN_UP_AFTER


def _timetable(connection: Connection, workspace: Workspace) -> Timetable | None:
    """None where the active rules cannot be used here: news are written down all the same."""
    try:
        ruleset = workspace.ruleset(connection)
    except Invalid:
        return None
    return ruleset.timetable if ruleset is not None else None


def _working_time(
    case: Any, times: Timetable | None, start: datetime, end: datetime
) -> timedelta | None:
    """In the calendar in which its due time was counted."""
    if end <= start:
        return timedelta(0)
    hours = hours_of(case)
    if not hours:
        return end - start
    if times is None or hours not in times.calendars:
        return None
    working = times.working(hours, case.survey)
    return working.between(start, end) if working else None


def hours_of(case: Any) -> str:
    """The calendar that the rule named when it asked for the case; empty: around the clock."""
    told: Mapping[str, Any] = case.verdict or {}
    try:
        intents = Verdict.model_validate(told).intents if told else ()
    except ValidationError:  # kept by a version too different
        return ""
    same = (one for one in intents if (one.rule_id, one.kind) == (case.rule_id, case.kind))
    return next((one.hours for one in same), "")


def _ended(connection: Connection, id: str, account: str, now: datetime, asked: bool) -> None:
    if outbox.resume_account(connection, account, now):
        alarms.clear_alarm(connection, "sink-paused", account, now)
    if not asked:
        following.move(connection, id, lease_until=None)
        return
    following.move(connection, id, lease_until=None, heard_at=now, asked_at=now, error=None)
    alarms.clear_alarm(connection, "unfollowed", id, now)


def _failed(
    connection: Connection,
    id: str,
    account: str,
    error: ConnectorError,
    now: datetime,
    asked: bool,
) -> None:
    """Everybody who uses the account waits when it is the account's trouble."""
    row = following.place_of(connection, id)
    values: dict[str, Any] = {"lease_until": None, "error": str(error)}
    following.move(connection, id, **values, **({"asked_at": now} if asked else {}))
    if isinstance(error, Paused):
        until = error.until or now + _PROBE_AFTER
        outbox.pause_account(connection, account, until, str(error))
        alarms.raise_alarm(connection, "sink-paused", account, str(error), now)
    elif isinstance(error, TryLater):
        wait = error.retry_after_seconds
        if wait is not None and error.account_wide:
            until = now + timedelta(seconds=wait)
            outbox.pause_account(connection, account, until, str(error))
    since = row.heard_at or row.asked_at or now
    if not isinstance(error, TryLater | Paused) or now - since > _STUCK_AFTER:
        message = f"nobody knows what became of the cases in '{id}' since {since:%d %b %H:%M} UTC"
        alarms.raise_alarm(connection, "unfollowed", id, f"{message}: {error}", now)


def _pay(workspace: Workspace, sink: Sink, now: datetime) -> None:
    """Everybody shares the account: what was read here, others wait for."""
    if isinstance(sink, Metered) and (bill := sink.meter.bill(now)):
        account, meter = sink.account, sink.meter
        workspace.store.write(lambda c: limits.pay(c, account, meter, bill, now))
