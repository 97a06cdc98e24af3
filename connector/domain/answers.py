"""What comes in: surveys, people, their answers, and raw notes of them."""

from __future__ import annotations

import hashlib
from datetime import datetime

from pydantic import AwareDatetime, Field, model_validator

from connector.domain.values import Door, Scalar, Segment, Value


class Survey(Value):
    """What was asked. `promoter_from`/`passive_from` are the lowest scores of these segments."""

    id: str
    name: str = ""
    low: int = 0
    high: int = 10
    promoter_from: int | None = 9
    passive_from: int | None = 7
    language: str | None = None
    zone: str = "UTC"
    brand: str = ""
    retention_days: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Survey:
        if self.low >= self.high:
            raise ValueError("the lowest score must be below the highest")
        if (self.promoter_from is None) != (self.passive_from is None):
            raise ValueError("give both thresholds, or none for a rating without segments")
        if self.promoter_from is not None and self.passive_from is not None:
            inside = self.low < self.passive_from <= self.promoter_from <= self.high
            if not inside:
                raise ValueError("thresholds must rise within the scale: low < passive <= promoter")
        return self

    def segment(self, score: int | None) -> Segment | None:
        """The only place where a score becomes a segment. None without score or thresholds."""
        if score is None or self.promoter_from is None or self.passive_from is None:
            return None
        if score >= self.promoter_from:
            return "promoter"
        return "passive" if score >= self.passive_from else "detractor"


class Respondent(Value):
    """Who answered, as far as the source says; all empty is normal (an anonymous answer)."""

    email: str | None = None
    phone: str | None = None
    external_id: str | None = None
    name: str | None = None


class Response(Value):
    """One revision of one person's answer, as its source tells it.

    `record` is the vendor's id of the answer, the same for every revision and through every door.
    `survey_ref` is the vendor's id of the survey ("" where the source has only one). `score` is on
    the survey's own scale and unchecked here: the survey knows its range. `revised_at` is None
    where the source does not tell it; then the content decides whether it is a new revision.
    """

    record: str = Field(min_length=1, max_length=500)
    survey_ref: str = ""
    score: int | None = None
    comment: str = ""
    respondent: Respondent = Respondent()
    answered_at: AwareDatetime | None = None
    revised_at: AwareDatetime | None = None
    language: str | None = None
    complete: bool = True
    properties: dict[str, Scalar] = {}
    tags: tuple[str, ...] = ()
    link: str | None = None


class Note(Value):
    """A delivery note: the raw bytes of one vendor record, before anyone understood them."""

    door: Door
    body: bytes
    headers: dict[str, str] = {}  # lower-case names; only what `verify` or `parse` needs


class Pulled(Value):
    """One page of a poll: raw records, and the cursor that is right once they are stored."""

    records: tuple[bytes, ...]
    cursor: str
    more: bool = False


class SourceState(Value):
    """What a pull may lean on besides its cursor."""

    now: datetime
    cursor: str | None = None


def response_id(source: str, record: str) -> str:
    """The id of a response: the same for ever, also in a store restored from a backup."""
    digest = hashlib.sha256(f"{source}\x00{record}".encode()).hexdigest()
    return f"r{digest[:20]}"
