"""Where answers come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Protocol, runtime_checkable

import requests
from pydantic import AwareDatetime, Field

from connector.domain import Finding, Note, Pulled, Response, Value
from connector.ports.fields import Duration


class SourceSettings(Value):
    """What every source takes in `connector.yaml`; adapters add their own fields.

    Give `survey` (all answers belong to it) or `surveys` (vendor's survey id -> ours).
    """

    type: str
    name: str = ""
    survey: str | None = None
    surveys: dict[str, str] = {}
    act_since: AwareDatetime | None = Field(
        None, description="act on answers given after this time"
    )
    act_within: Duration = timedelta(days=7)
    surge: int = Field(200, ge=1, description="cases in ten minutes above which they are held")
    poll_every: Duration = Field(timedelta(minutes=1), ge=timedelta(seconds=1))
    expect_every: Duration | None = None
    base_url: str | None = None

    def survey_for(self, ref: str) -> str | None:
        """Our survey id for the vendor's, or None: nothing is guessed."""
        return self.surveys.get(ref, self.survey)


class Source(Protocol):
    """Where answers come from. Built as `Adapter(settings, session)`."""

    Settings: ClassVar[type[SourceSettings]]
    type: ClassVar[str]

    def __init__(self, settings: Any, session: requests.Session) -> None: ...

    def verify(self, note: Note, now: datetime) -> bool:
        """Is this webhook authentic? Constant-time, over the raw bytes. Never raises."""
        ...

    def split(self, note: Note) -> Sequence[bytes]:
        """The vendor records in one webhook body, each as bytes that `parse` reads.

        Raises `Unreadable`; then the whole body is kept as one record and quarantined.
        """
        ...

    def parse(self, note: Note) -> Response | None:
        """One record -> one response; None where it is none (a test ping, an unsubscribe).

        Raises `Unreadable` with a sentence that names the field and what is allowed.
        """
        ...


@runtime_checkable
class Pollable(Protocol):
    def pull(self, cursor: str | None, now: datetime) -> Iterator[Pulled]:
        """Pages from the vendor's API. Each page's cursor is stored in the same transaction as its
        records, so a stop between pages loses and repeats nothing but what overlaps by design.

        Raises `TryLater`, `Paused`, `Refused`.
        """
        ...

    def check(self, now: datetime) -> Sequence[Finding]:
        """Reach the vendor read-only and say what is wrong and how to mend it."""
        ...


class FileRow(Value):
    """One row of a file: a record for `parse`, or what is wrong with it. `line` is from 1."""

    line: int
    record: bytes | None = None
    problem: str = ""


@runtime_checkable
class Importable(Protocol):
    def rows(self, data: bytes) -> Iterator[FileRow]:
        """The answers in a file, row by row; a bad row never stops the others.

        Raises `Refused` with a sentence when the file as a whole cannot be read.
        """
        ...


SourceTypes = Mapping[str, type[Source]]
