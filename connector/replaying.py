"""The past under other rules: read as it was kept, in its order, from a database that refuses to be
written to. Nothing is made, looked up or sent.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic_core import from_json

from connector.domain import PastEffect
from connector.errors import ConnectorError
from connector.ports import Params
from connector.rules.backtest import Backtest, Compared
from connector.rules.effects import effect_parts, quiet_by_age
from connector.rules.made import Asked, Effect, Known, asked_key
from connector.rules.memory import Remembered
from connector.rules.model import Action, Ruleset
from connector.rules.past import Fate, Past, light_facts
from connector.rules.tally import Tally
from connector.store import replaying
from connector.store.readonly import ReadOnlyStore
from connector.store.replaying import Span, Window

if TYPE_CHECKING:
    from sqlalchemy import Connection

Progress = Callable[[int, int], None]  # decisions done since the last word, and all of them
_STEP = 1_000  # decisions between two words of progress
_NEVER = Fate(None, None)
_WORTH_TWO = 20_000  # decisions from which a second process saves more than it costs


@dataclass(frozen=True)
class Question:
    """Two rulesets and the time for which they are compared.

    `within`: how young an answer must be for a message to the customer. `accounts`: sink -> what
    its vendor limits. `closes_after`: how long a case is open that was never really made; None: as
    long as real ones were. `limit`: how many differences are kept, the newest; None: all.
    `processes`: 1 or 2; None: as many as are worth it.
    """

    active: Ruleset
    candidate: Ruleset
    window: Window
    within: timedelta
    accounts: Mapping[str, str]
    survey: str | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    closes_after: timedelta | None = None
    limit: int | None = 20
    processes: int | None = None


class Replayed(NamedTuple):
    """`span` is None where nothing was decided in that time. `closes_after`: what was taken for
    cases that were never made; None: open to the end."""

    tally: Tally
    span: Span | None
    closes_after: timedelta | None


def replay(url: str, question: Question, progress: Progress = lambda *_: None) -> Replayed:
    """Both rulesets over all that was decided in the window.

    Raises:
        StoreDown: when the database cannot be read.
    """
    store = ReadOnlyStore(url)
    try:
        with store.read() as connection:
            span = replaying.span_of(connection, question.window)
            after = question.closes_after
            if after is None:
                after = _usual_life(connection)
    finally:
        store.close()  # before a process is forked: its connections are its own
    question = replace(question, closes_after=after)
    tally = _empty(question)
    if span is not None:
        two = question.processes == 2 or span.decisions >= _WORTH_TWO
        if two and question.processes != 1 and sys.platform == "linux":
            _in_two(url, question, span, tally, progress)
        else:
            tally.merge(
                _replay(url, question, span, None, lambda done: progress(done, span.decisions))
            )
    return Replayed(tally, span, after)


def _empty(question: Question) -> Tally:
    return Tally(limit=question.limit, zone=question.zone)


def _usual_life(connection: Connection) -> timedelta | None:
    """The median time from a case to its closing."""
    lives = [row.closed_at - row.created_at for row in replaying.closed_cases(connection)]
    return median(lives) if lives else None


def _in_two(url: str, question: Question, span: Span, tally: Tally, progress: Progress) -> None:
    """Every second customer in a process of its own: nothing goes from one customer to another."""
    context = multiprocessing.get_context("fork")  # the compiled rulesets are there without a copy
    pipes: list[Pipe] = []
    working: list[Any] = []
    # What exists now is never garbage in a child; looking at it would only copy its pages.
    gc.collect()
    gc.freeze()
    try:
        for half in (0, 1):
            here, there = context.Pipe(duplex=False)
            child = context.Process(target=_work, args=(there, url, question, span, half))
            child.start()
            there.close()
            pipes.append(here)
            working.append(child)
        while pipes:
            for pipe in wait(pipes):
                if not isinstance(pipe, Pipe):
                    continue
                said = _heard(pipe)
                if isinstance(said, int):
                    progress(said, span.decisions)
                    continue
                pipes.remove(pipe)
                tally.merge(said)
    finally:
        gc.unfreeze()
        for child in working:
            child.terminate()
            child.join()


def _heard(pipe: Pipe) -> int | Tally:
    try:
        said: int | Tally | Exception = pipe.recv()
    except EOFError:
        raise ConnectorError("a process of the replay ended before its time; try again") from None
    if isinstance(said, Exception):
        raise said
    return said


def _work(pipe: Pipe, url: str, question: Question, span: Span, half: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is asked, and ends us
    gc.disable()  # a replay makes no cycles
    try:
        pipe.send(_replay(url, question, span, half, pipe.send))
    except ConnectorError as error:
        pipe.send(ConnectorError(str(error)))
    finally:
        pipe.close()


def _replay(
    url: str,
    question: Question,
    span: Span,
    half: int | None,
    progress: Callable[[int], None],
) -> Tally:
    tally, survey, done = _empty(question), question.survey, 0
    last: dict[str, Compared] = {}  # answers that may still be revised
    store = ReadOnlyStore(url)
    try:
        with store.read() as connection:
            for compared in comparisons(connection, question, span, half):
                past = compared.past
                if survey is None or past.facts.survey == survey:
                    tally.decisions += 1
                    if past.is_last:
                        last.pop(past.response, None)
                        tally.add(compared)
                    else:
                        last[past.response] = compared
                done += 1
                if done % _STEP == 0:
                    progress(_STEP)
    finally:
        store.close()
    for compared in last.values():  # revised after the window
        tally.add(compared)
    progress(done % _STEP)
    return tally


def comparisons(
    connection: Connection, question: Question, span: Span, half: int | None = None
) -> Iterator[Compared]:
    """Every decision of the span (or of one half of its customers) under both rulesets."""
    known = _known(connection, question, span, half)
    backtest = Backtest(question.active, question.candidate, known)
    return map(backtest.compare, _past(connection, question, span, half))


def _past(
    connection: Connection, question: Question, span: Span, half: int | None
) -> Iterator[Past]:
    within, as_news = question.within, question.window.as_news
    rows = replaying.past_decisions(connection, question.window, span, half)
    again = replaying.decided_again(connection, span)
    for number, response, customer, revision, revisions, history, moment, late, text in rows:
        facts = light_facts(from_json(text, cache_strings="keys"))
        at = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        fresh = history and as_news  # as if it had come at once
        quiet = "" if fresh else quiet_by_age(facts.answered_at, at, within)
        acts = not history or as_news
        more = number < again.get(response, 0)
        yield Past(
            *(number, response, customer, revision, revisions, acts, at, facts, quiet),
            *(late is not None, more),
        )


def _known(connection: Connection, question: Question, span: Span, half: int | None) -> Known:
    fates: dict[tuple[str, str], Fate] = {}
    standing: dict[str, list[tuple[str | None, Effect]]] = {}
    begins, accounts = span.begins, question.accounts
    for row in replaying.real_effects(connection, begins, half):
        response, customer, rule, sink, account, kind, opens_case, to_customer, state, *times = row
        parts = effect_parts(to_customer, sink, rule)
        key = asked_key(opens_case, accounts.get(sink, account), kind, parts)
        made_at, sent_at, ended_at = map(_aware, times)
        if made_at is not None and made_at < begins:
            if state not in ("superseded", "withheld"):
                action = _action(kind, sink, opens_case, to_customer)
                effect = Effect(
                    Asked(key, rule, action, ""),
                    "",
                    sent_at,
                    ended_at,
                    stood=True,
                    made_at=None if state == "parked" else made_at,
                )
                standing.setdefault(response, []).append((customer, effect))
        elif state == "superseded":
            fates[response, key] = _NEVER
        elif state != "withheld" or ended_at is not None:
            fates[response, key] = Fate(sent_at, ended_at, state == "parked")
    earlier = _earlier(connection, question, begins, half)
    return Known(accounts, fates, standing, question.closes_after, earlier)


def _earlier(
    connection: Connection, question: Question, begins: datetime, half: int | None
) -> dict[str, list[Remembered]]:
    """What either ruleset would have to know from before."""
    recalls = (question.active.recall, question.candidate.recall)
    kinds = sorted(set[str]().union(*(recall.kinds for recall in recalls)))
    contacts = any(recall.contacts for recall in recalls)
    if not (kinds or contacts):
        return {}
    since = begins - max(recall.within for recall in recalls)
    found: dict[str, list[Remembered]] = {}
    newest: dict[str, Remembered] = {}
    rows = replaying.effects_before(connection, begins, kinds, since, contacts, half)
    for response, customer, kind, sink, rule, case, to_customer, at in rows:
        effect = PastEffect(kind=kind, sink=sink, rule_id=rule, at=at, case=case)
        one = Remembered(response, effect, case or to_customer)
        if kind in kinds and at > since:
            found.setdefault(customer, []).append(one)
        elif customer not in newest or newest[customer].effect.at < at:
            newest[customer] = one
    for customer, one in newest.items():
        found.setdefault(customer, []).append(one)
    return found


def _aware(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


def _action(kind: str, sink: str, opens_case: bool, to_customer: bool) -> Action:
    """What is known of an action that was made before."""
    return Action(
        kind=kind,
        sink=sink,
        params=Params(),
        templates={},
        mail=None,
        settle=timedelta(0),
        respond_within=None,
        opens_case=opens_case,
        to_customer=to_customer,
    )
