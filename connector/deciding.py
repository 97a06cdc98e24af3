"""The stage that decides: undecided records -> response, facts, verdict, actions, in one commit."""

from __future__ import annotations

import contextlib
import logging
import traceback
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from connector import __version__, faultpoints
from connector.domain import Facts, Scalar
from connector.errors import Invalid
from connector.intake import Understood, understand
from connector.ordering import Caution, place_orders
from connector.rules.decide import decide
from connector.store import alarms, answers, arrivals, people, recovering
from connector.store.database import Collided, StoreDown, is_down

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import Settings
    from connector.ports import SourceSettings
    from connector.rules.model import Ruleset
    from connector.store.arrivals import Arrival
    from connector.store.recovering import Recovery
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

FALLBACK_LANGUAGE = "en"


@dataclass
class Decided:
    """What one round did: records by what they turned out to be, and the sinks with new work."""

    changes: dict[str, int] = field(default_factory=dict)
    responses: list[str] = field(default_factory=list)
    sinks: set[str] = field(default_factory=set)
    _added: dict[str, datetime] = field(default_factory=dict)
    _restored: list[Recovery | None] = field(default_factory=list)

    def added_at(self, connection: Connection, source: str) -> datetime:
        """When the source was added; asked once a round."""
        if source not in self._added:
            self._added[source] = arrivals.source_row(connection, source).added_at
        return self._added[source]

    def restored(self, connection: Connection) -> Recovery | None:
        """The recovery after a restored backup, while there is one; asked once a round."""
        if not self._restored:
            self._restored.append(recovering.current(connection))
        return self._restored[0]

    def add(self, other: Decided) -> None:
        for change, count in other.changes.items():
            self.changes[change] = self.changes.get(change, 0) + count
        self.responses += other.responses
        self.sinks |= other.sinks

    @property
    def records(self) -> int:
        return sum(self.changes.values())


def decide_batch(workspace: Workspace, now: datetime, limit: int = 20) -> Decided:
    """Decide the oldest undecided records. Everything about one record commits together; rounds
    are short, because on SQLite deliveries wait for their commits meanwhile.

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
        return store.write(lambda c: decide_in(c, workspace, now, limit), again=False)
    while done.records < limit:
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
) -> Decided:
    """The same within a transaction that the caller commits or undoes; of one source or of all."""
    done = Decided()
    ruleset = workspace.ruleset(connection)
    if ruleset is None:
        return done
    heard: set[str] = set()
    for arrival in arrivals.undecided(connection, limit, source):
        if arrival.source in workspace.settings.sources:
            found = _decide_safely(connection, workspace, ruleset, arrival, now, done)
        else:
            found = _hold_orphan(connection, arrival, now)
        done.changes[found.change] = done.changes.get(found.change, 0) + 1
        if found.change in ("new", "revised"):
            heard.add(arrival.source)
    for name in sorted(heard):  # in one order, so that two processes do not wait for each other
        arrivals.update_source(connection, name, last_answer_at=now)
    return done


def _hold_orphan(connection: Connection, arrival: Arrival, now: datetime) -> Understood:
    """Its source was taken out of the configuration before it was decided."""
    reason = (
        f"source '{arrival.source}' is no longer in connector.yaml; its answers are kept: "
        "add it again, then: connector responses replay"
    )
    arrivals.settle_arrival(connection, arrival.id, "held", reason)
    alarms.raise_alarm(connection, "source-missing", arrival.source, reason, now)
    return Understood("held", reason)


def _decide_safely(
    connection: Connection,
    workspace: Workspace,
    ruleset: Ruleset,
    arrival: Arrival,
    now: datetime,
    done: Decided,
    again: bool = True,
) -> Understood:
    """One record must not stop the others; trouble with the database is not its fault."""
    try:
        with connection.begin_nested():
            return _decide_one(connection, workspace, ruleset, arrival, now, done)
    except Exception as error:
        if isinstance(error, Invalid) or is_down(error):
            raise
        if not (again and isinstance(error, IntegrityError)):
            return _give_up(connection, arrival, error, now)
    # Another process kept the same answer at the same moment; now it is there to be seen.
    return _decide_safely(connection, workspace, ruleset, arrival, now, done, again=False)


def _decide_one(
    connection: Connection,
    workspace: Workspace,
    ruleset: Ruleset,
    arrival: Arrival,
    now: datetime,
    done: Decided,
) -> Understood:
    found = understand(connection, workspace, arrival, now)
    state = {"new": "decided", "revised": "decided"}.get(found.change, found.change)
    arrivals.settle_arrival(connection, arrival.id, state, found.reason, found.response)
    if found.response is None or found.content is None:
        return found
    settings: SourceSettings = workspace.settings.sources[arrival.source]
    if found.customer is not None and not found.stranger:
        people.lock(connection, found.customer)
    added_at = done.added_at(connection, arrival.source)
    restored = done.restored(connection)
    history = not (arrival.act or is_news(found, arrival, settings, added_at, restored, now))
    facts = gather_facts(connection, arrival.source, found)
    verdict = decide(ruleset, facts)
    number = answers.add_decision(
        connection, facts, verdict, ruleset.hash, __version__, history, now
    )
    if not history:
        answers.revise_response(connection, found.response, {"history": False})
    if not history:
        quiet = _too_old_for_customers(found, workspace.settings, now)
        again = restored is not None and restored.covers(found.answered_at)
        caution = Caution(quiet, restored=again)
        done.sinks |= place_orders(
            connection, workspace, facts, verdict, number, found.customer, caution, now
        )
    done.responses.append(found.response)
    return found


def is_news(
    found: Understood,
    arrival: Arrival,
    settings: SourceSettings,
    added_at: datetime,
    restored: Recovery | None,
    now: datetime,
) -> bool:
    """Only answers given after `act_since` and younger than `act_within` make anything happen.

    A file is history; so is an answer without a time. What a restored backup had forgotten and
    comes again is as young as it was.
    """
    if arrival.door == "file" or found.answered_at is None:
        return False
    since = settings.act_since or added_at
    if restored is not None:
        now = restored.judged_at(found.answered_at, now)
    return found.answered_at >= since and now - found.answered_at <= settings.act_within


def _too_old_for_customers(found: Understood, settings: Settings, now: datetime) -> str:
    """Why nothing is sent to the customer any more; empty where it is fresh enough."""
    age = timedelta.max if found.answered_at is None else now - found.answered_at
    if age <= settings.act_on_customers_within:
        return ""
    return "the answer is too old for a message to the customer"


def gather_facts(connection: Connection, source: str, found: Understood) -> Facts:
    """All that rules may see about this revision, as it is at this moment."""
    content, survey = found.content, found.survey
    if content is None or survey is None or found.response is None:
        raise ValueError("only a new or revised response has facts")
    known = None if found.stranger else found.customer
    customer, company = people.attributes(connection, known)
    person = content.respondent
    told: dict[str, Scalar] = {
        "email": person.email,
        "phone": person.phone,
        "external_id": person.external_id,
        "name": person.name,
    }
    customer = {**customer, **{k: v for k, v in told.items() if v}}
    language = content.language or customer.get("language") or survey.language
    return Facts(
        response_id=found.response,
        revision=found.revision,
        source=source,
        survey=survey.id,
        survey_name=survey.name or survey.id,
        brand=survey.brand,
        scale_low=survey.low,
        scale_high=survey.high,
        score=content.score,
        segment=survey.segment(content.score),
        comment=content.comment.strip(),
        language=str(language or FALLBACK_LANGUAGE).lower(),
        answered_at=found.answered_at,
        link=content.link,
        tags=content.tags,
        properties=content.properties,
        customer=customer,
        company=company,
        history=answers.history_of(connection, known, found.response),
    )


def _give_up(
    connection: Connection, arrival: Arrival, error: Exception, now: datetime
) -> Understood:
    """A mistake of ours: keep the record, say so, go on with the next."""
    kind = type(error).__name__
    where = "".join(traceback.format_tb(error.__traceback__))  # its text may hold an answer
    log.error("record %s could not be decided: %s\n%s", arrival.id, kind, where)
    reason = f"internal error ({kind}); please report it, then: connector responses replay"
    arrivals.settle_arrival(connection, arrival.id, "quarantined", reason)
    message = f"a record of '{arrival.source}' could not be decided: {kind}"
    alarms.raise_alarm(connection, "undecided", arrival.source, message, now)
    return Understood("quarantined", reason)
