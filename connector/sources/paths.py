"""Paths into a JSON record, for mappings that are written in YAML.

Three ways to write one:

- dotted: `form_response.token`, with list indexes: `answers.0.number`
- with a selector: `answers[field.ref=nps].number` takes the one list item whose `field.ref` is
  `nps`; quotes keep a `]` in the value: `answers[title="How likely [0-10]?"].number`
- JSON Pointer, for names with dots in them: `/data/a.b/0` (RFC 6901)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

from connector.errors import Unreadable

_LONGEST = 300
_INDEX = re.compile(r"0|[1-9][0-9]{0,6}")
_STEP = re.compile(
    r"""(?P<name>[^.\[\]\s"=]+(?:[ ][^.\[\]\s"=]+)*)
        (?:\[(?P<where>[^\[\]="]+)=(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\]"]+))\])?""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Select:
    """Takes the only item of a list whose value at `path` is written `value`."""

    path: Path
    value: str

    def fits(self, item: Any) -> bool:
        try:
            return isinstance(item, dict) and written(self.path.find(item)) == self.value
        except Unreadable:  # an item of another shape is just not the one
            return False


@dataclass(frozen=True)
class Path:
    """A compiled path. `text` is what its author wrote."""

    text: str
    steps: tuple[str | Select, ...]

    def find(self, record: Any) -> Any:
        """The value, or None where the path leads to nothing.

        An empty list or text counts as nothing on the way: some senders write `[]` for `{}`.

        Raises:
            Unreadable: where the record has another shape than the path says, or where a selector
                fits several items: nothing is guessed.
        """
        here = record
        for step in self.steps:
            if here is None or here in ("", []):
                return None
            if isinstance(step, Select):
                here = self._selected(here, step)
            elif isinstance(here, dict):
                here = here.get(step)
            elif isinstance(here, list) and _INDEX.fullmatch(step):
                here = here[int(step)] if int(step) < len(here) else None
            else:
                raise Unreadable(f"{self.text}: there is no object that could hold '{step}'")
        return here

    def _selected(self, items: Any, select: Select) -> Any:
        if not isinstance(items, list):
            raise Unreadable(f"{self.text}: there is no list to select from")
        fitting = [item for item in items if select.fits(item)]
        if len(fitting) > 1:
            raise Unreadable(
                f"{self.text}: fits {len(fitting)} items; map one of them by its own id"
            )
        return fitting[0] if fitting else None


def written(value: Any) -> str | None:
    """A scalar as it would stand in YAML (`True` -> `true`); None for everything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


@lru_cache(maxsize=1024)
def compiled(text: str) -> Path:
    """The path that `text` writes.

    Raises:
        ValueError: with a sentence that says how to write it.
    """
    if not text.strip() or len(text) > _LONGEST:
        raise ValueError("write a path such as answers.0.number")
    if text.startswith("/"):
        return Path(text, tuple(_unescaped(part) for part in text[1:].split("/")))
    steps: list[str | Select] = []
    at = 0
    while True:
        step = _STEP.match(text, at)
        if step is None:
            raise _unclear(text, at)
        steps.append(step["name"])
        if step["where"]:
            steps.append(Select(compiled(step["where"]), step["quoted"] or step["plain"] or ""))
        at = step.end()
        if at == len(text):
            return Path(text, tuple(steps))
        if text[at] != ".":
            raise _unclear(text, at)
        at += 1


def _unclear(text: str, at: int) -> ValueError:
    where = f"at character {at + 1}" if at < len(text) else "at the end"
    return ValueError(
        f"the path '{text}' is not clear {where}; write answers.0.number, "
        "answers[field.ref=nps].number or a JSON Pointer such as /answers/0/number"
    )


def _unescaped(part: str) -> str:
    if re.search("~(?![01])", part):
        raise ValueError("in a JSON Pointer write ~0 for ~ and ~1 for /")
    return part.replace("~1", "/").replace("~0", "~")


def first_found(paths: Iterable[Path], record: Any) -> tuple[Path, Any] | None:
    """The first path that leads to something (0 and false are something), and its value."""
    for path in paths:
        value = path.find(record)
        if value is not None:
            return path, value
    return None


def _checked(text: str) -> str:
    compiled(text)
    return text


PathText = Annotated[str, AfterValidator(_checked)]
"""A settings field that holds a path; checked when the settings are read."""
