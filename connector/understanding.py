"""What records say: raw bytes -> responses, and whether each is new, revised, stale or neither."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from connector.domain import Note, Response, Survey, response_id
from connector.errors import Unreadable
from connector.facts import Subject
from connector.store import alarms, answers, forgetting, identities
from connector.text import clean_email, hashed, one_line, storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from connector.news import Moment
    from connector.ports import SourceSettings
    from connector.store.arrivals import Arrival
    from connector.workspace import Workspace

Change = Literal["new", "revised", "duplicate", "stale", "ignored", "held", "quarantined", "erased"]
_FAST_CLOCK = timedelta(days=1)  # or one that tells local time as UTC
_UNSAID = ("revised_at", "answered_at", "link")  # may differ between two doors


class Outcome(NamedTuple):
    """What one record turned out to be. `response` is set where it belongs to one."""

    arrival: Arrival
    change: Change
    reason: str = ""
    response: str | None = None


class Words(NamedTuple):
    """What one record says, before anyone looked whether that is news."""

    arrival: Arrival
    content: Response
    survey: Survey
    response: str
    keys: tuple[identities.Key, ...]

    @property
    def marks(self) -> set[object]:
        """Two records that share one of these are not understood at the same time."""
        return {self.response, *self.keys}


class Place(NamedTuple):
    """Where an answer stands among those of its customer; without a time it was given when it came
    in."""

    customer: str | None
    given: datetime


class Kept(NamedTuple):
    """A response that is new or was revised: what it says now, and whose it is. `was`: where it
    stood before its revision."""

    words: Words
    revision: int
    stranger: bool  # nothing was known about the customer before
    answered_at: datetime | None
    history: bool
    place: Place
    was: Place | None

    @property
    def customer(self) -> str | None:
        return self.place.customer

    @property
    def subject(self) -> Subject:
        """What facts are gathered about."""
        words = self.words
        return Subject(
            response=words.response,
            revision=self.revision,
            source=words.arrival.source,
            survey=words.survey,
            content=words.content,
            customer=self.customer,
            stranger=self.stranger,
            answered_at=self.answered_at,
            decided=self.revision > 1,
        )


class Entangled(Exception):
    """Records that speak of one customer under different keys: one has to come after the other."""


class LookAgain(Exception):
    """What was looked up has changed meanwhile."""


def read(
    connection: Connection, workspace: Workspace, arrival: Arrival, now: datetime
) -> Words | Outcome:
    """The words of one record, or what becomes of it where they cannot be had."""
    settings: SourceSettings | None = workspace.settings.sources.get(arrival.source)
    if settings is None:  # it was taken out of the configuration before this was decided
        reason = (
            f"source '{arrival.source}' is no longer in connector.yaml; its answers are kept: "
            "add it again, then: connector responses replay"
        )
        alarms.raise_alarm(connection, "source-missing", arrival.source, reason, now)
        return Outcome(arrival, "held", reason)
    try:
        note = Note(door=arrival.door, body=arrival.body)
        parsed = workspace.sources[arrival.source].parse(note)
    except Unreadable as error:
        return Outcome(arrival, "quarantined", str(error))
    if parsed is None:
        return Outcome(arrival, "ignored")
    content = _dated(_storable(parsed), arrival.received_at)
    name = settings.survey_for(content.survey_ref)
    if name is None:
        reason = (
            f"survey '{one_line(content.survey_ref, 60)}' is unknown; add it to surveys: of "
            f"source '{arrival.source}', then: connector responses replay"
        )
        alarms.raise_alarm(connection, "unknown-survey", arrival.source, reason, now)
        return Outcome(arrival, "held", reason)
    survey = workspace.settings.surveys[name]
    wrong = off_scale(survey, content.score)
    if wrong:
        return Outcome(arrival, "quarantined", wrong)
    identity = response_id(arrival.source, content.record)
    return Words(arrival, content, survey, identity, tuple(identities.keys_of(content.respondent)))


def off_scale(survey: Survey, score: int | None) -> str:
    """What is wrong with this score on this survey's scale; empty where nothing is."""
    if score is None or survey.low <= score <= survey.high:
        return ""
    return f"score {score} is outside {survey.low}..{survey.high} of survey '{survey.id}'"


def keep(
    connection: Connection,
    workspace: Workspace,
    group: Sequence[Words],
    moment: Moment,
) -> tuple[list[Outcome], list[Kept]]:
    """Keep what the records say, as new responses or as revisions; tell which were neither.

    No two of the group may share a mark.

    Raises:
        Entangled: two of them belong to one customer all the same; undo it, take one by one.
        LookAgain: somebody was erased meanwhile; undo it, take it again.
    """
    outcomes, wanted = _sift(connection, group)
    if not wanted:
        return outcomes, []
    persons = [words.content.respondent for words, _ in wanted]
    everyone = identities.identify_all(connection, persons, moment.now)
    strangers = [words for (words, _), who in zip(wanted, everyone, strict=True) if who.new]
    if _just_forgotten(connection, strangers):
        raise LookAgain
    kept: list[Kept] = []
    new_rows: list[dict[str, Any]] = []
    revised_rows: list[dict[str, Any]] = []
    revisions: list[dict[str, Any]] = []
    taken: set[str] = set()
    for (words, before), who in zip(wanted, everyone, strict=True):
        one = _newest(workspace, words, before, who, moment)
        places = (one.place, one.was or one.place)
        theirs = {each.customer for each in places if each.customer is not None}
        if taken & theirs:
            raise Entangled
        taken |= theirs
        kept.append(one)
        said = words.content.model_dump(mode="json")
        row = {
            "survey": words.survey.id,
            "customer_id": one.customer,
            "score": words.content.score,
            "segment": words.survey.segment(words.content.score),
            "revision": one.revision,
            "content": said,
            "content_hash": content_hash(said),
            "answered_at": one.answered_at,
            "revised_at": words.content.revised_at,
        }
        arrival = words.arrival
        if before is None:
            row |= {"id": words.response, "source": arrival.source, "record": words.content.record}
            row |= {"received_at": arrival.received_at, "history": one.history}
            new_rows.append(row)
        else:
            row |= {"response": words.response, "history": before.history and one.history}
            revised_rows.append(row)
        revision = {"response_id": words.response, "number": one.revision, "content": said}
        revisions.append({**revision, "inbox_id": arrival.id, "received_at": moment.now})
    answers.add_responses(connection, new_rows)
    answers.revise_responses(connection, revised_rows)
    answers.add_revisions(connection, revisions)
    return outcomes, kept


def _sift(
    connection: Connection, group: Sequence[Words]
) -> tuple[list[Outcome], list[tuple[Words, Any]]]:
    """What nothing comes of, and the rest with the response as it was before, if there was one."""
    forgotten = _forgotten(connection, group)
    left = [words for words, gone in zip(group, forgotten, strict=True) if not gone]
    outcomes = [
        Outcome(words.arrival, "erased")
        for words, gone in zip(group, forgotten, strict=True)
        if gone
    ]
    known = answers.find_responses(connection, [words.response for words in left]) if left else {}
    wanted: list[tuple[Words, Any]] = []
    for words in left:
        before = known.get(words.response)
        change = None if before is None else _no_news(connection, words, before)
        if change is None:
            wanted.append((words, before))
        else:
            response = None if change == "erased" else words.response
            outcomes.append(Outcome(words.arrival, change, response=response))
    return outcomes, wanted


def _forgotten(connection: Connection, group: Sequence[Words]) -> Sequence[bool]:
    asked = [
        forgetting.Asked(w.arrival.source, w.content.record, w.keys, w.content.answered_at)
        for w in group
    ]
    return forgetting.are_forgotten(connection, asked)


def _just_forgotten(connection: Connection, strangers: Sequence[Words]) -> bool:
    """Who is known is there until the transaction ends, or it fails; who is not known may have been
    erased since it began, where others write meanwhile."""
    if not strangers or connection.dialect.name == "sqlite":
        return False
    return any(_forgotten(connection, strangers))


def _no_news(connection: Connection, words: Words, before: Any) -> Change | None:
    content = words.content
    if before.erased_at is not None:
        return "erased"
    if before.content_hash == content_hash(content.model_dump(mode="json")):
        if _is_older(before.revised_at, content.revised_at):
            row = {"response": words.response, "revised_at": content.revised_at}
            answers.revise_responses(connection, [row])
        return "duplicate"
    return "stale" if _is_stale(connection, words, before) else None


def _newest(
    workspace: Workspace,
    words: Words,
    before: Any,
    who: identities.Identity,
    moment: Moment,
) -> Kept:
    arrival, answered_at = words.arrival, words.content.answered_at
    customer, revision, received_at, was = who.customer, 1, arrival.received_at, None
    if before is not None:
        answered_at = answered_at or before.answered_at
        customer = customer or before.customer_id  # without the address it is still theirs
        revision, received_at = before.revision + 1, before.received_at
        was = Place(before.customer_id, before.answered_at or received_at)
    settings: SourceSettings = workspace.settings.sources[arrival.source]
    # A file is history.
    young = arrival.door != "file" and moment.acts_on(answered_at, arrival.source, settings)
    place = Place(customer, answered_at or received_at)
    history = not (arrival.act or young)
    return Kept(words, revision, who.new, answered_at, history, place, was)


def content_hash(said: Mapping[str, Any]) -> str:
    """Equal for two records that say the same, whichever door they came through."""
    told = {name: value for name, value in said.items() if name not in _UNSAID}
    return hashed(json.dumps(told, sort_keys=True, ensure_ascii=False))


def _is_stale(connection: Connection, words: Words, before: Any) -> bool:
    """Did we know a newer revision? Where the times do not tell, what arrived later is newer:
    two processes decide, and records are replayed, in another order than they came in."""
    offered, held = words.content.revised_at, before.revised_at
    if offered is not None and held is not None and offered != held:
        return _is_older(offered, held)
    return answers.newest_arrival(connection, words.response) > words.arrival.id


def _is_older(offered: datetime | None, held: datetime | None) -> bool:
    return offered is not None and held is not None and offered < held


def _storable(content: Response) -> Response:
    """Without what a database refuses, and with a clean address or none."""
    said = content.model_dump()
    scrubbed = _scrub(said)
    if scrubbed != said:
        content = Response.model_validate(scrubbed)
    person = content.respondent
    email = clean_email(person.email)
    if email == person.email:
        return content
    return content.model_copy(update={"respondent": person.model_copy(update={"email": email})})


def _dated(content: Response, received_at: datetime) -> Response:
    """What says that it was given more than a day after it came in was given when it came in."""
    if content.answered_at is None or content.answered_at <= received_at + _FAST_CLOCK:
        return content
    return content.model_copy(update={"answered_at": received_at})


def _scrub(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON cannot hold it
    if isinstance(value, dict):
        return {_scrub(k): _scrub(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_scrub(v) for v in value)
    return value
