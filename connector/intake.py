"""From raw bytes at a door to a response: receive, poll, and tell new from revised and stale."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from connector import faultpoints
from connector.domain import Note, Response, Survey, response_id
from connector.errors import ConnectorError, Paused, TryLater, Unreadable
from connector.ports import Pollable, Source, SourceSettings
from connector.store import alarms, answers, arrivals, forgetting, people
from connector.store.database import StoreDown
from connector.text import clean_email, hashed, one_line, storable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.domain import Pulled
    from connector.store.arrivals import Arrival, Stored
    from connector.workspace import Workspace

POLL_LEASE = timedelta(minutes=5)
_PROBE_AFTER = timedelta(minutes=5)
_STUCK_AFTER = timedelta(hours=1)

Change = Literal["new", "revised", "duplicate", "stale", "ignored", "held", "quarantined", "erased"]


class Understood(NamedTuple):
    """What one record turned out to be. `response` is set for new and revised ones only."""

    change: Change
    reason: str = ""
    response: str | None = None
    content: Response | None = None
    survey: Survey | None = None
    customer: str | None = None
    stranger: bool = False  # nothing was known about the customer before
    revision: int = 0
    answered_at: datetime | None = None


def receive(
    workspace: Workspace, source: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> int:
    """A webhook: 202 once it is durable, 401 or 404 with nothing stored, 503 when it cannot be.

    Garbage with a valid signature is kept as one record, so that it can be seen and replayed.
    """
    adapter = workspace.sources.get(source)
    if adapter is None:
        return 404
    note = Note(door="webhook", body=body, headers={k.lower(): v for k, v in headers.items()})
    if not adapter.verify(note, now):
        return 401
    try:
        records = tuple(adapter.split(note))
    except (Unreadable, RecursionError):
        records = (body,)

    def keep() -> None:
        workspace.store.write(lambda c: arrivals.store_records(c, source, "webhook", records, now))

    try:
        if not faultpoints.only_in_memory(keep):
            keep()
    except StoreDown:
        return 503
    faultpoints.reach("intake.stored")
    return 202


class Polled(NamedTuple):
    """`error` is set where the source could not be read to its end; it is tried again by itself."""

    new: int = 0
    repeated: int = 0
    pages: int = 0
    error: str = ""


def poll(
    workspace: Workspace,
    source: str,
    adapter: Source,
    now: datetime,
    stopping: Callable[[], bool] = lambda: False,
) -> Polled:
    """Read everything new from a source; cursor and records move in one transaction per page.

    `stopping` is asked after each page: the next poll goes on from there.
    """
    if not isinstance(adapter, Pollable):
        return Polled(error=f"{source} has no API to poll; its answers come by webhook or file")
    store = workspace.store
    if not store.write(lambda c: arrivals.lease_source(c, source, now, POLL_LEASE)):
        return Polled(error=f"{source} is being read by another process")
    with store.read() as connection:
        cursor = arrivals.source_row(connection, source).cursor
    new = repeated = pages = 0
    began = monotonic()
    try:
        for page in adapter.pull(cursor, now):
            at = now + timedelta(seconds=monotonic() - began)  # years of answers take a while
            take = functools.partial(_take_page, source=source, page=page, now=at)
            stored = store.write(take)
            new, repeated, pages = new + stored.new, repeated + stored.repeated, pages + 1
            if page.more and stopping():
                store.write(lambda c: arrivals.update_source(c, source, lease_until=None))
                return Polled(new, repeated, pages)
    except ConnectorError as error:
        fail = functools.partial(_poll_failed, source=source, error=error, now=now)
        store.write(fail)
        return Polled(new, repeated, pages, str(error))
    store.write(lambda c: _poll_ended(c, source, now))
    return Polled(new, repeated, pages)


def _take_page(connection: Connection, source: str, page: Pulled, now: datetime) -> Stored:
    stored = arrivals.store_records(connection, source, "poll", page.records, now)
    arrivals.update_source(connection, source, cursor=page.cursor, lease_until=now + POLL_LEASE)
    return stored


def _poll_ended(connection: Connection, source: str, now: datetime) -> None:
    values = {"polled_at": now, "lease_until": None, "paused_until": None, "pause_reason": None}
    arrivals.update_source(connection, source, **values)
    alarms.clear_alarm(connection, "source-paused", source, now)


def _poll_failed(connection: Connection, source: str, error: ConnectorError, now: datetime) -> None:
    wait = _PROBE_AFTER
    if isinstance(error, TryLater) and error.retry_after_seconds is not None:
        wait = timedelta(seconds=error.retry_after_seconds)
    until = error.until if isinstance(error, Paused) and error.until else now + wait
    arrivals.update_source(
        connection, source, paused_until=until, pause_reason=str(error), lease_until=None
    )
    row = arrivals.source_row(connection, source)
    if not isinstance(error, TryLater) or now - (row.polled_at or row.added_at) > _STUCK_AFTER:
        alarms.raise_alarm(connection, "source-paused", source, str(error), now)


def understand(
    connection: Connection, workspace: Workspace, arrival: Arrival, now: datetime
) -> Understood:
    """Read one record and keep what it says: a new response, a revision, or neither."""
    settings: SourceSettings = workspace.settings.sources[arrival.source]
    try:
        note = Note(door=arrival.door, body=arrival.body)
        parsed = workspace.sources[arrival.source].parse(note)
    except Unreadable as error:
        return Understood("quarantined", str(error))
    if parsed is None:
        return Understood("ignored")
    content = _storable(parsed)
    name = settings.survey_for(content.survey_ref)
    if name is None:
        reason = (
            f"survey '{one_line(content.survey_ref, 60)}' is unknown; add it to surveys: of "
            f"source '{arrival.source}', then: connector responses replay"
        )
        alarms.raise_alarm(connection, "unknown-survey", arrival.source, reason, now)
        return Understood("held", reason)
    survey = workspace.settings.surveys[name]
    wrong = off_scale(survey, content.score)
    if wrong:
        return Understood("quarantined", wrong)
    if forgetting.is_forgotten(
        connection, arrival.source, content.record, content.respondent, content.answered_at
    ):
        return Understood("erased")
    return _keep(connection, arrival, content, survey, now)


def off_scale(survey: Survey, score: int | None) -> str:
    """What is wrong with this score on this survey's scale; empty where nothing is."""
    if score is None or survey.low <= score <= survey.high:
        return ""
    return f"score {score} is outside {survey.low}..{survey.high} of survey '{survey.id}'"


def _keep(
    connection: Connection, arrival: Arrival, content: Response, survey: Survey, now: datetime
) -> Understood:
    identity = response_id(arrival.source, content.record)
    known = answers.find_response(connection, identity)
    fingerprint = content_hash(content)
    if known is not None:
        if known.erased_at is not None:
            return Understood("erased")
        if known.content_hash == fingerprint:
            if _is_older(known.revised_at, content.revised_at):
                answers.revise_response(connection, identity, {"revised_at": content.revised_at})
            return Understood("duplicate", response=identity)
        if _is_stale(connection, arrival, content, known):
            return Understood("stale", response=identity)
    customer, stranger = people.identify(connection, content.respondent, now)
    if known is not None and customer is None:
        customer = known.customer_id  # a revision without the address is still the same person's
    answered_at = content.answered_at or (known.answered_at if known is not None else None)
    revision = 1 if known is None else known.revision + 1
    row = {
        "survey": survey.id,
        "customer_id": customer,
        "score": content.score,
        "segment": survey.segment(content.score),
        "revision": revision,
        "content": content.model_dump(mode="json"),
        "content_hash": fingerprint,
        "answered_at": answered_at,
        "revised_at": content.revised_at,
    }
    if known is None:
        first = {"id": identity, "source": arrival.source, "record": content.record}
        answers.add_response(
            connection, {**first, **row, "received_at": arrival.received_at, "history": True}
        )
    else:
        answers.revise_response(connection, identity, row)
    answers.add_revision(connection, identity, revision, content, arrival.id, now)
    change: Change = "new" if known is None else "revised"
    return Understood(
        change, "", identity, content, survey, customer, stranger, revision, answered_at
    )


def content_hash(content: Response) -> str:
    """Equal for two records that say the same, whichever door they came through."""
    said = content.model_dump(mode="json", exclude={"revised_at", "answered_at", "link"})
    return hashed(json.dumps(said, sort_keys=True, ensure_ascii=False))


def _is_stale(connection: Connection, arrival: Arrival, content: Response, known: Any) -> bool:
    """Did we know a newer revision? Where the times do not tell, what arrived later is newer:
    two processes decide, and records are replayed, in another order than they came in."""
    offered, held = content.revised_at, known.revised_at
    if offered is not None and held is not None and offered != held:
        return _is_older(offered, held)
    return answers.newest_arrival(connection, known.id) > arrival.id


def _is_older(offered: datetime | None, held: datetime | None) -> bool:
    return offered is not None and held is not None and offered < held


def _storable(content: Response) -> Response:
    """Without what a database refuses, and with a clean address or none."""
    cleaned = Response.model_validate(_scrub(content.model_dump()))
    person = cleaned.respondent
    email = clean_email(person.email)
    return cleaned.model_copy(update={"respondent": person.model_copy(update={"email": email})})


def _scrub(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON cannot hold it
    if isinstance(value, dict):
        return {_scrub(k): _scrub(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_scrub(v) for v in value]
    return value
