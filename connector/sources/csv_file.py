"""Answers from a CSV file: an export of another tool, or what somebody keeps in a sheet.

`connector import SOURCE FILE` reads it. Importing one file twice changes nothing: a row's id is
its mapped id column, else its content and how often that content stood above it in the file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import requests
from pydantic import AfterValidator, Field, field_validator

from connector.domain import Note, Respondent, Response
from connector.errors import Refused, Unreadable
from connector.ports import FileRow, SourceSettings
from connector.sources.csv_columns import Columns, Placed, place
from connector.sources.csv_presets import PRESETS, Preset
from connector.sources.csv_table import RawRow, read_table
from connector.sources.csv_times import Times, usable_format
from connector.sources.reading import as_id, as_object, as_text, read_object, whole_score
from connector.sources.values import read_language, read_link, read_tags
from connector.sources.zones import Zone
from connector.text import did_you_mean, hashed


class CsvSettings(SourceSettings):
    type: Literal["csv"] = "csv"
    preset: str | None = None
    columns: Columns = Columns()
    date_format: Annotated[str, AfterValidator(usable_format)] = Field(
        "auto", description="auto reads ISO dates, unix seconds and, with day_first, 3/4/2026"
    )
    day_first: bool | None = Field(None, description="true where 3/4/2026 is 3 April")
    zone: Zone | None = Field(None, description="of times that carry no offset")
    delimiter: Literal["auto", ",", ";", "tab"] = "auto"
    encoding: str = Field("auto", description="auto, or a name such as utf-8 or cp1252")

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, preset: str | None) -> str | None:
        if preset is not None and preset not in PRESETS:
            hint = did_you_mean(preset, PRESETS)
            raise ValueError(
                f"there are presets for {', '.join(PRESETS)}" + (f"; {hint}" if hint else "")
            )
        return preset

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            if encoding != "auto":
                "a".encode(encoding)
        except (LookupError, UnicodeError):
            raise ValueError("write auto, or an encoding such as utf-8 or cp1252") from None
        return encoding


class CsvFile:
    """A source whose only door is a file."""

    Settings: ClassVar[type[SourceSettings]] = CsvSettings
    type: ClassVar[str] = "csv"

    def __init__(self, settings: CsvSettings, session: requests.Session) -> None:
        self._settings = settings
        self._preset = PRESETS[settings.preset] if settings.preset else Preset({})
        self._times = Times(
            settings.date_format, settings.day_first, settings.zone or self._preset.zone
        )
        self._placed: dict[tuple[str, ...], Placed] = {}

    def verify(self, note: Note, now: datetime) -> bool:
        """A file comes from whoever runs the import; nobody may post one."""
        return False

    def split(self, note: Note) -> Sequence[bytes]:
        try:
            rows = self.rows(note.body)
        except Refused as refused:
            raise Unreadable(str(refused)) from None
        return tuple(row.record for row in rows if row.record is not None)

    def rows(self, data: bytes) -> Iterator[FileRow]:
        """Every row of the file, in order; a bad row does not stop the others.

        Raises:
            Refused: when the file or the settings for it are wrong as a whole.
        """
        settings = self._settings
        table = read_table(data, settings.delimiter, settings.encoding)
        placed = self._place(table.headers)
        seen: Counter[str] = Counter()
        known: dict[str, tuple[int, str]] = {}
        # All before the first: what the settings leave open refuses the file, not the rest of it.
        return iter([self._row(raw, placed, seen, known) for raw in table.rows])

    def _row(
        self,
        raw: RawRow,
        placed: Placed,
        seen: Counter[str],
        known: dict[str, tuple[int, str]],
    ) -> FileRow:
        if raw.cells is None:
            return FileRow(line=raw.line, problem=raw.problem)
        content = hashed(json.dumps(raw.cells, sort_keys=True))
        seen[content] += 1
        record = json.dumps({"row": raw.cells, "copy": seen[content]}).encode()
        try:
            response = self._response(raw.cells, seen[content], placed)
        except Unreadable as unreadable:
            return FileRow(line=raw.line, problem=str(unreadable))
        first, other = known.setdefault(response.record, (raw.line, content))
        if other != content:
            # Taken as ids, such a column would melt many answers into one.
            problem = f"id (column '{placed.fields['id']}'): the id of line {first} again"
            return FileRow(line=raw.line, problem=f"{problem}, with other content")
        return FileRow(line=raw.line, record=record)

    def parse(self, note: Note) -> Response | None:
        record = read_object(note.body)
        cells = {
            name: as_text(cell, name) for name, cell in as_object(record.get("row"), "row").items()
        }
        copy = record.get("copy")
        try:
            return self._response(cells, copy if isinstance(copy, int) else 1, None)
        except Refused as refused:  # the settings changed since the import
            raise Unreadable(str(refused)) from None

    def _response(self, cells: dict[str, str], copy: int, placed: Placed | None) -> Response:
        """`placed` is None where only the row itself is left to say what its headers were."""
        here = placed or self._place(tuple(cells))
        read = _Cells(cells, here.fields, self._times)
        return Response(
            record=read.id() if "id" in read.fields else _content_id(cells, copy),
            survey_ref=read.text("survey").strip(),
            score=whole_score(read.text("score"), read.name("score")),
            comment=read.text("comment"),
            respondent=Respondent(
                email=read.text("email").strip() or None,
                phone=read.text("phone").strip() or None,
                external_id=read.text("external_id").strip() or None,
                name=read.text("name").strip() or None,
            ),
            answered_at=read.time("answered_at"),
            revised_at=read.time("revised_at"),
            language=read_language(read.text("language")),
            properties={
                header: cells[header] for header in here.properties if cells[header].strip()
            },
            tags=read_tags(read.text("tags"), read.name("tags")),
            link=read_link(read.text("link")),
        )

    def _place(self, headers: tuple[str, ...]) -> Placed:
        if headers not in self._placed:
            usual = self._preset
            self._placed[headers] = place(
                headers, self._settings.columns, usual.columns, usual.properties
            )
        return self._placed[headers]


class _Cells:
    """The cells of one row by field."""

    def __init__(self, cells: dict[str, str], fields: dict[str, str], times: Times) -> None:
        self.fields = fields
        self._cells = cells
        self._times = times

    def name(self, field: str) -> str:
        return f"{field} (column '{self.fields[field]}')" if field in self.fields else field

    def text(self, field: str) -> str:
        return as_text(self._cells[self.fields[field]], field) if field in self.fields else ""

    def time(self, field: str) -> datetime | None:
        return self._times.read(self.text(field), self.name(field))

    def id(self) -> str:
        return as_id(self.text("id"), self.name("id"))


def _content_id(cells: dict[str, Any], copy: int) -> str:
    """The same for the same content, whatever the order of the columns."""
    found = "row-" + hashed(json.dumps(cells, sort_keys=True))[:32]
    return found if copy == 1 else f"{found}-{copy}"
