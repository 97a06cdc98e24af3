"""Which column holds what. A mapped column has to exist; a score column is never guessed at when
two could be it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from connector.domain import Value
from connector.errors import Refused
from connector.text import did_you_mean, fold, one_line

_LIKE_A_SCORE = re.compile(
    r"\b(?:score|nps|rating|puntuacion|puntaje|punteggio|pontuacao|valoracion|bewertung)\b"
    r"|\b0\s*(?:-|\u2013|to|a|al|bis)\s*10\b"
    r"|recommend|recomi?end|raccomand|consigli|recommand|empfehl|aanbevel|polec"
)


class Columns(Value):
    """Header names. What is left out is not read, except the score when one column must be it."""

    score: str | None = None
    comment: str | None = None
    email: str | None = None
    phone: str | None = None
    name: str | None = None
    external_id: str | None = None
    id: str | None = Field(None, description="the answer's id; without it the content is the id")
    answered_at: str | None = None
    revised_at: str | None = None
    language: str | None = None
    survey: str | None = Field(None, description="a key of `surveys`")
    link: str | None = None
    tags: str | None = None
    properties: tuple[str, ...] | Literal["all"] = ()


FIELDS = tuple(name for name in Columns.model_fields if name != "properties")


@dataclass(frozen=True)
class Placed:
    """Field -> header, and the headers that are kept as properties."""

    fields: dict[str, str]
    properties: tuple[str, ...]


def place(
    headers: Sequence[str],
    columns: Columns,
    usual: Mapping[str, Sequence[str]],
    usual_properties: Sequence[str] = (),
) -> Placed:
    """Find every mapped column; the usual names are a preset's, taken where they exist.

    Raises:
        Refused: naming every column that is missing, or the score columns to choose from.
    """
    known = {fold(header): header for header in headers}
    fields: dict[str, str] = {}
    missing: list[str] = []
    for field in FIELDS:
        if field in columns.model_fields_set:
            header = getattr(columns, field)
            if header is not None:
                fields[field] = header
                missing += [header] if header not in headers else []
        else:
            here = [known[fold(name)] for name in usual.get(field, ()) if fold(name) in known]
            if here:
                fields[field] = here[0]
    if columns.properties != "all":
        missing += [header for header in columns.properties if header not in headers]
    if missing:
        raise Refused(_missing(missing, headers))
    if "score" not in fields and "score" not in columns.model_fields_set:
        fields["score"] = _score(headers, fields)
    if columns.properties == "all":
        return Placed(fields, tuple(h for h in headers if h not in fields.values()))
    if "properties" in columns.model_fields_set:
        return Placed(fields, columns.properties)
    return Placed(fields, tuple(h for h in usual_properties if h in headers))


def _score(headers: Sequence[str], fields: Mapping[str, str]) -> str:
    taken = set(fields.values())
    likely = [h for h in headers if h not in taken and _LIKE_A_SCORE.search(fold(h))]
    if len(likely) == 1:
        return likely[0]
    if likely:
        raise Refused(
            f"{len(likely)} columns look like the score: {_named(likely)}; say which one with "
            "columns: {score: …}"
        )
    raise Refused(
        "no column looks like the score; say which one with columns: {score: …}; "
        + _columns(headers)
    )


def _missing(missing: Sequence[str], headers: Sequence[str]) -> str:
    hints = [did_you_mean(name, [h for h in headers if "@" not in h]) for name in missing]
    named = ", ".join(
        f"'{one_line(name, 80)}'" + (f" ({hint})" if hint else "")
        for name, hint in zip(missing, hints, strict=True)
    )
    return f"the file has no column {named}; {_columns(headers)}"


def _columns(headers: Sequence[str]) -> str:
    """What the file's columns are; nothing of them where its first row is a person's answer."""
    if any("@" in header for header in headers):
        return "its first row holds an address: put a row with the names of the columns above it"
    return f"the columns are {_named(headers)}"


def _named(headers: Sequence[str]) -> str:
    return ", ".join(f"'{one_line(header, 80)}'" for header in headers)
