"""Any tool that can POST JSON: the shape of its answers is written in `connector.yaml`.

The paths are those of `connector.sources.paths`; a preset is a set of settings for one vendor.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import requests
from pydantic import BeforeValidator, Field, field_validator, model_validator

from connector.domain import Note, Respondent, Response, Scalar, Value
from connector.errors import Unreadable
from connector.ports import SourceSettings
from connector.sources.paths import Path, PathText, compiled, first_found, written
from connector.sources.reading import (
    as_id,
    as_object,
    as_scalars,
    as_text,
    read_json,
    read_object,
    read_time,
    whole_score,
)
from connector.sources.signatures import SignatureSetting
from connector.sources.values import read_flag, read_language, read_link, read_tags
from connector.sources.webhook_presets import PRESETS
from connector.sources.zones import Zone
from connector.text import did_you_mean, hashed


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Paths = Annotated[tuple[PathText, ...], BeforeValidator(_listed)]


class Mapping(Value):
    """Where things stand in one record. With several paths the first that leads to something."""

    id: Paths = Field((), description="the answer's id; without it the content is the id")
    score: Paths = ()
    comment: Paths = ()
    email: Paths = ()
    phone: Paths = ()
    name: Paths = ()
    external_id: Paths = ()
    answered_at: Paths = ()
    revised_at: Paths = ()
    survey: Paths = Field((), description="the sender's id of the survey, a key of `surveys`")
    language: Paths = ()
    link: Paths = ()
    complete: Paths = ()
    tags: Paths = Field((), description="a list, or one text with commas")
    properties: dict[str, PathText] | PathText = Field(
        {}, description="name -> path, or the path of an object"
    )


class WebhookSettings(SourceSettings):
    type: Literal["webhook"] = "webhook"
    preset: str | None = None
    signature: SignatureSetting = Field(
        description="'none' takes messages from anybody: only behind a wall of your own"
    )
    records: PathText | None = Field(None, description="where the list of answers stands")
    only: dict[PathText, Scalar | tuple[Scalar, ...]] = Field(
        {}, description="path -> value or list of values; other messages are no answers"
    )
    paths: Mapping
    zone: Zone = Field("UTC", description="of times that carry no offset")

    @field_validator("preset")
    @classmethod
    def _known(cls, preset: str | None) -> str | None:
        if preset is not None and preset not in PRESETS:
            hint = did_you_mean(preset, PRESETS)
            raise ValueError(
                f"there are presets for {', '.join(PRESETS)}" + (f"; {hint}" if hint else "")
            )
        return preset

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("preset") not in PRESETS:
            return given
        merged = {**PRESETS[given["preset"]].settings, **given}
        for part in ("paths", "signature"):
            ours, theirs = PRESETS[given["preset"]].settings[part], given.get(part, {})
            if isinstance(theirs, dict):
                merged[part] = {**ours, **theirs}
        return merged

    @model_validator(mode="after")
    def _useful(self) -> WebhookSettings:
        for field, example in PRESETS[self.preset].needs.items() if self.preset else ():
            if not getattr(self.paths, field):
                raise ValueError(f"the preset {self.preset} needs paths: {{{field}: {example}}}")
        if not self.paths.score and not self.paths.comment:
            raise ValueError("paths: map at least the score or the comment")
        return self


class Webhook:
    """A source whose webhook needs no code."""

    Settings: ClassVar[type[SourceSettings]] = WebhookSettings
    type: ClassVar[str] = "webhook"

    def __init__(self, settings: WebhookSettings, session: requests.Session) -> None:
        self._settings = settings
        self._check = settings.signature.check()
        self._paths: dict[str, tuple[Path, ...]] = {
            field: tuple(compiled(text) for text in getattr(settings.paths, field))
            for field in Mapping.model_fields
            if field != "properties"
        }

    def verify(self, note: Note, now: datetime) -> bool:
        return self._check.accepts(note, now)

    def split(self, note: Note) -> Sequence[bytes]:
        """A body that is a list, or has one at `records`, holds one answer in each item."""
        found = read_json(note.body)
        path = self._settings.records
        if path is not None:
            found = compiled(path).find(found)
            if not isinstance(found, list):
                raise Unreadable(f"records ({path}): expected a list of answers")
        if not isinstance(found, list):
            return (note.body,)
        return tuple(_canonical(as_object(item, "each answer")) for item in found)

    def parse(self, note: Note) -> Response | None:
        record = read_object(note.body)
        if not self._wanted(record):
            return None
        zone = self._settings.zone
        return Response(
            record=self._id(record),
            survey_ref=self._text(record, "survey").strip(),
            score=whole_score(*self._named(record, "score")),
            comment=self._text(record, "comment"),
            respondent=Respondent(
                email=self._text(record, "email").strip() or None,
                phone=self._text(record, "phone").strip() or None,
                external_id=self._text(record, "external_id").strip() or None,
                name=self._text(record, "name").strip() or None,
            ),
            answered_at=self._time(record, "answered_at", zone),
            revised_at=self._time(record, "revised_at", zone),
            language=read_language(self._text(record, "language")),
            complete=read_flag(*self._named(record, "complete")) is not False,
            properties=self._properties(record),
            tags=read_tags(*self._named(record, "tags")),
            link=read_link(self._text(record, "link")),
        )

    def _wanted(self, record: dict[str, Any]) -> bool:
        for path, allowed in self._settings.only.items():
            values = allowed if isinstance(allowed, tuple) else (allowed,)
            if written(compiled(path).find(record)) not in [written(value) for value in values]:
                return False
        return True

    def _named(self, record: dict[str, Any], field: str) -> tuple[Any, str]:
        """The value of a mapped field, and its name for a sentence about it."""
        found = first_found(self._paths[field], record)
        return (None, field) if found is None else (found[1], f"{field} ({found[0].text})")

    def _text(self, record: dict[str, Any], field: str) -> str:
        return as_text(*self._named(record, field))

    def _time(self, record: dict[str, Any], field: str, zone: str) -> datetime | None:
        value, name = self._named(record, field)
        return read_time(value, zone, name)

    def _id(self, record: dict[str, Any]) -> str:
        if self._paths["id"]:
            return as_id(*self._named(record, "id"))
        return "sha256-" + hashed(_canonical(record).decode())

    def _properties(self, record: dict[str, Any]) -> dict[str, Scalar]:
        wanted = self._settings.paths.properties
        if isinstance(wanted, str):
            return as_scalars(as_object(compiled(wanted).find(record), f"properties ({wanted})"))
        found = {name: compiled(path).find(record) for name, path in wanted.items()}
        return as_scalars({name: value for name, value in found.items() if value is not None})


def _canonical(record: dict[str, Any]) -> bytes:
    """The same bytes for the same content, however its sender spaced and sorted it."""
    try:
        return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Unreadable("the record holds a number without end or is nested too deep") from None
