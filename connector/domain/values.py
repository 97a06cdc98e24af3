"""What everything else is made of: frozen values, and what is wrong with a file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Scalar = str | int | float | bool | None
Segment = Literal["promoter", "passive", "detractor"]
Door = Literal["webhook", "poll", "file"]
Severity = Literal["error", "warning", "note"]
LanguageFrom = Literal["source", "customer", "detected", "survey"]


class Value(BaseModel):
    """A frozen value. Inputs stay out of error texts: they may hold a customer's words."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Problem(Value):
    """One thing that is wrong in a file, said so that its author can mend it."""

    file: str
    line: int = 0
    column: int = 0
    severity: Severity = "error"
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        note = "" if self.severity == "error" else f"{self.severity}: "
        return f"{place}: {note}{self.message}" + (f" ({self.hint})" if self.hint else "")


class Finding(Value):
    """One line of `connector doctor`."""

    ok: bool
    subject: str
    message: str
    cure: str = ""
