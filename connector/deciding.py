"""The stage that decides: undecided records -> response, facts, verdict, actions, in one commit.

Records are taken some at a time, so that looking up and writing down is shared by them; where that
fails, one by one, so that one bad record does not stop the others.
"""

from __future__ import annotations

import contextlib
import logging
import traceback
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.exc import IntegrityError

from connector import faultpoints
from connector.errors import Invalid
from connector.facts import Around, gather
from connector.judging import Question, judge
from connector.news import Moment
from connector.ordering import place_orders
from connector.placing import Placed
from connector.redeciding import Late, decide_again, late_ones
from connector.rules.effects import quiet_by_age
from connector.store import alarms, answers, arrivals, recovering
from connector.store.arrivals import Settled
from connector.store.database import Collided, StoreDown, is_down
from connector.text import storable
from connector.understanding import Change, LookAgain, Outcome, Words, keep, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from connector.rules.model import Ruleset
    from connector.store.arrivals import Arrival
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

_TURN_SECONDS = 0.02  # then a commit: receivers and deliveries wait for the writer meanwhile
_TOGETHER = 20  # records whose statements are shared
_DECIDED = ("new", "revised")


@dataclass
class Decided:
    """What one round did: records by what they turned out to be, and the sinks with new work."""

    changes: dict[str, int] = field(default_factory=dict)
    responses: list[str] = field(default_factory=list)
    sinks: set[str] = field(default_factory=set)

    def add(self, other: Decided) -> None:
        for change, count in other.changes.items():
            self.changes[change] = self.changes.get(change, 0) + count
        self.responses += other.responses
        self.sinks |= other.sinks

    @property
    def records(self) -> int:
        return sum(self.changes.values())


def decide_batch(workspace: Workspace, now: datetime, limit: int = 500) -> Decided:
    """Decide the oldest undecided records, for one short turn. Everything about one record commits
    together.

    Raises:
        StoreDown: when the database is down; nothing was lost.
        Invalid: when the active ruleset cannot be loaded.
    """
    decided = _decide_some(workspace, now, limit)
    faultpoints.reach("decided")
    for response in decided.responses:
        log.info("decided", extra={"response": response})
    for change in ("quarantined", "held"):
        if decided.changes.get(change):
            count = decided.changes[change]
            log.warning("%s records %s; see: connector responses unread", count, change)
    return decided


def _decide_some(workspace: Workspace, now: datetime, limit: int) -> Decided:
    """Many records in one commit; one by one where another decider waits for customers of ours
    while we wait for theirs."""
    store, done = workspace.store, Decided()
    with contextlib.suppress(Collided):
        return store.write(
            lambda c: decide_in(c, workspace, now, limit, seconds=_TURN_SECONDS), again=False
        )
    while done.records < min(limit, _TOGETHER):
        try:
            found = store.write(lambda c: decide_in(c, workspace, now, 1))
        except StoreDown:
            if done.records == 0:
                raise
            break  # these are decided; the next round says what is wrong
        if found.records == 0:
            break
        done.add(found)
    return done


def decide_in(
    connection: Connection,
    workspace: Workspace,
    now: datetime,
    limit: int,
    source: str | None = None,
    seconds: float = float("inf"),
) -> Decided:
    """The same within a transaction that the caller commits or undoes; of one source or of all.

    After `seconds` nothing more is begun; what is left is decided in the next turn.
    """
    done = Decided()
    ruleset = workspace.ruleset(connection)
    if ruleset is None:
        return done
    moment = Moment(now, workspace.added_times(connection), recovering.current(connection))
    turn = _Turn(connection, workspace, ruleset, moment, short=seconds < float("inf"))
    ends_at = monotonic() + seconds
    while done.records < limit:
        most = min(_TOGETHER, limit - done.records)
        found = arrivals.undecided(connection, most, source)
        done.add(turn.decide(found))
        if len(found) < most or monotonic() >= ends_at or turn.is_over:
            break
    for name in sorted(turn.heard):  # in one order: two processes must not wait for each other
        arrivals.update_source(connection, name, last_answer_at=now)
    return done


class _Group(NamedTuple):
    """What became of some records, and the sinks that have work because of them."""

    outcomes: list[Outcome]
    sinks: set[str]


class _Turn:
    """One transaction's worth of deciding: what all its records share."""

    def __init__(
        self,
        connection: Connection,
        workspace: Workspace,
        ruleset: Ruleset,
        moment: Moment,
        short: bool,
    ) -> None:
        self.connection, self.workspace, self.now = connection, workspace, moment.now
        self._moment = moment
        self._around = _around(workspace, ruleset, moment)
        self.heard: set[str] = set()  # sources that gave an answer
        self._short = short
        self.is_over = False  # other deciders wait for a pool that this one has taken turns of

    def decide(self, found: Sequence[Arrival]) -> Decided:
        outcomes: list[Outcome] = []
        readable: list[Words] = []
        for arrival in found:
            words = self._read(arrival)
            if isinstance(words, Words):
                readable.append(words)
            else:
                outcomes.append(words)
        done = Decided()
        for group in _apart(readable):
            decided = self._together(group)
            outcomes += decided.outcomes
            done.sinks |= decided.sinks
            if self.is_over:
                break  # what is left comes in the next turn
        for outcome in outcomes:
            done.changes[outcome.change] = done.changes.get(outcome.change, 0) + 1
            if outcome.change in _DECIDED and outcome.response is not None:
                done.responses.append(outcome.response)
                self.heard.add(outcome.arrival.source)
        arrivals.settle_arrivals(self.connection, [_settled(outcome) for outcome in outcomes])
        return done

    def _read(self, arrival: Arrival) -> Words | Outcome:
        try:
            return read(self.connection, self.workspace, arrival, self.now)
        except Exception as error:
            if isinstance(error, Invalid) or is_down(error):
                raise
            return self._give_up(arrival, error)

    def _together(self, group: Sequence[Words]) -> _Group:
        """All at once; one by one where that fails. One record must not stop the others, and
        trouble with the database is not its fault."""
        if len(group) > 1:
            try:
                with self.connection.begin_nested():
                    return self._decide(group)
            except Exception as error:
                if isinstance(error, Invalid) or is_down(error):
                    raise
        done = _Group([], set())
        for words in group:
            alone = self._alone(words)
            done.outcomes.extend(alone.outcomes)
            done.sinks.update(alone.sinks)
        return done

    def _alone(self, words: Words, again: bool = True) -> _Group:
        try:
            with self.connection.begin_nested():
                return self._decide([words])
        except Exception as error:
            if isinstance(error, Invalid) or is_down(error):
                raise
            if not (again and isinstance(error, IntegrityError | LookAgain)):
                return _Group([self._give_up(words.arrival, error)], set())
        # Another process kept the same answer, or erased the person, at the same moment; now
        # that is there to be seen.
        return self._alone(words, again=False)

    def _decide(self, group: Sequence[Words]) -> _Group:
        connection, now = self.connection, self.now
        outcomes, kept = keep(connection, self.workspace, group, self._moment)
        if not kept:
            return _Group(outcomes, set())
        workspace, around = self.workspace, self._around
        places = [place for one in kept for place in (one.was,) if place is not None]
        before = {place.customer for place in places if place.customer is not None}
        gathered = gather(connection, [one.subject for one in kept], around, before)
        within = workspace.settings.act_on_customers_within
        asked = [
            Question(facts, quiet_by_age(one.answered_at, now, within), one.history)
            for one, (facts, _) in zip(kept, gathered, strict=True)
        ]
        judged, took_turns = judge(connection, workspace, around.ruleset, asked)
        placed: list[Placed] = []
        rows: list[dict[str, Any]] = []
        late: list[Late] = []
        for one, question, (facts, verdict), (_, overtaken) in zip(
            kept, asked, judged, gathered, strict=True
        ):
            told, again = facts.model_dump(mode="json"), self._moment.comes_again(one.answered_at)
            done = Placed(facts, told, verdict, one.customer, question.quiet, again)
            rows.append(done.decision_row(around.ruleset.hash, one.history, now))
            if not one.history:
                placed.append(done)
            late += late_ones(one, overtaken)
            change: Change = "new" if one.revision == 1 else "revised"
            outcomes.append(Outcome(one.words.arrival, change, response=facts.response_id))
        numbers = answers.add_decisions(connection, rows)
        sinks = place_orders(connection, workspace, placed, numbers, around.ruleset.timetable, now)
        if late:
            again_for, took_more = decide_again(connection, workspace, self._moment, around, late)
            sinks, took_turns = sinks | again_for, took_turns or took_more
        self.is_over = self.is_over or (took_turns and self._short)
        return _Group(outcomes, sinks)

    def _give_up(self, arrival: Arrival, error: Exception) -> Outcome:
        """A mistake of ours: keep the record, say so, go on with the next."""
        kind = type(error).__name__
        where = "".join(traceback.format_tb(error.__traceback__))  # its text may hold an answer
        log.error("record %s could not be decided: %s\n%s", arrival.id, kind, where)
        reason = f"internal error ({kind}); please report it, then: connector responses replay"
        message = f"a record of '{arrival.source}' could not be decided: {kind}"
        alarms.raise_alarm(self.connection, "undecided", arrival.source, message, self.now)
        return Outcome(arrival, "quarantined", reason)


def _around(workspace: Workspace, ruleset: Ruleset, moment: Moment) -> Around:
    settings = workspace.settings
    young = moment.young(settings.sources.values())
    spoken = settings.spoken | ruleset.languages if settings.detect_language else frozenset()
    return Around(moment.now, young, settings.surveys, ruleset, spoken)


def _apart(readable: Sequence[Words]) -> Iterator[list[Words]]:
    """Neighbours that have nothing to do with each other."""
    group: list[Words] = []
    taken: set[object] = set()
    for words in readable:
        if taken & words.marks:
            yield group
            group, taken = [], set()
        group.append(words)
        taken |= words.marks
    if group:
        yield group


def _settled(outcome: Outcome) -> Settled:
    state = "decided" if outcome.change in _DECIDED else outcome.change
    return Settled(outcome.arrival.id, state, storable(outcome.reason) or None, outcome.response)
