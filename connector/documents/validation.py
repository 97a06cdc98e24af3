"""Pydantic's findings, at their places, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.documents.faults import names_a_secret
from connector.documents.reading import Document
from connector.domain import Problem
from connector.text import did_you_mean, one_line

T = TypeVar("T", bound=BaseModel)
Path = tuple[str | int, ...]

_NOUNS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "dict": "a group of 'key: value' lines",
    "mapping": "a group of 'key: value' lines",
    "model": "a group of 'key: value' lines",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "datetime": "a date and time such as 2026-03-01T09:00:00Z",
    "timezone": "a date and time with its zone, such as 2026-03-01T09:00:00Z",
    "url": "an address such as https://example.com/",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_LENGTHS = {
    "string_too_short": ("at least", "min_length", "characters long"),
    "string_too_long": ("at most", "max_length", "characters long"),
    "too_short": ("at least", "min_length", "long"),
    "too_long": ("at most", "max_length", "long"),
}
_ABOUT_SHAPE = {
    "type",
    "attributes_type",
    "parsing",
    "parsing_size",
    "from_float",
    "from_date_parsing",
    "object_invalid",
    "aware",
    "scheme",
}
_MOST_LISTED = 25


@dataclass(frozen=True)
class _Fault:
    """`path` leads through the data; `branches` tells that pydantic tried one form of several."""

    path: Path
    kind: str
    message: str
    context: Mapping[str, Any]
    branches: bool


def validate(
    document: Document,
    model: type[T],
    data: Any | EllipsisType = ...,
    at: Sequence[str | int] = (),
) -> tuple[T | None, list[Problem]]:
    """The model, or every problem at its own place: one a place, in the order of the file.

    `at` is where in the document the model's data stands; `data` replaces what stands there (for
    example with values from the environment filled in; these never show in a problem).
    """
    where = tuple(at)
    if data is ...:
        data = document.data
        for step in where:
            data = data[step]
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    faults = [_fault(detail, data) for detail in found]
    problems = [
        _problem(document, model, where, path, faults)
        for path in dict.fromkeys(fault.path for fault in faults)
        if not _hidden_branch(path, faults)
    ]
    return None, sorted(problems, key=lambda problem: (problem.line, problem.column))


def _fault(detail: ErrorDetails, data: Any) -> _Fault:
    here, path, branches = data, [], False
    for number, step in enumerate(detail["loc"]):
        if _has(here, step):
            here = here[step]
        elif detail["type"] == "missing" and number == len(detail["loc"]) - 1:
            here = None
        else:
            branches = branches or step != "[key]"
            continue
        path.append(step)
    return _Fault(tuple(path), detail["type"], detail["msg"], detail.get("ctx", {}), branches)


def _hidden_branch(path: Path, faults: Sequence[_Fault]) -> bool:
    """Where one form of several got further, the others are not what was meant."""
    here = [fault for fault in faults if fault.path == path]
    deeper = any(len(f.path) > len(path) and f.path[: len(path)] == path for f in faults)
    return deeper and all(fault.branches for fault in here)


def _problem(
    document: Document, model: type[BaseModel], at: Path, path: Path, faults: Sequence[_Fault]
) -> Problem:
    here = [fault for fault in faults if fault.path == path]
    fault, place = here[0], document.place(*at, *path)
    name = _name(path)
    shown = _shown(document, at + path)
    if fault.kind == "extra_forbidden":
        allowed = sorted(_keys(model, path[:-1]))
        message = f"unknown key '{one_line(str(path[-1]), 40)}'"
        hint = did_you_mean(str(path[-1]), allowed) or _listed(allowed)
        place = document.key_place(*at, *path)
    elif fault.kind == "missing":
        message, hint = f"'{path[-1]}' is missing", ""
    elif fault.kind in ("literal_error", "enum", "union_tag_invalid"):
        allowed = [word for each in here for word in _allowed(each)]
        message = f"{name}{shown or 'this value'} is not allowed"
        hint = "; ".join(filter(None, (did_you_mean(shown.strip("'"), allowed), _listed(allowed))))
    else:
        message, hint = f"{name}{_shape(here, shown)}", ""
        if fault.kind == "string_type" and isinstance(_value(document, at + path), int | float):
            hint = "put it in quotes"
        elif fault.kind in ("list_type", "tuple_type"):
            hint = "start each line of it with '- '"
    line, column = place
    return Problem(file=document.file, line=line, column=column, message=message, hint=hint)


def _shape(faults: Sequence[_Fault], shown: str) -> str:
    wanted = list(dict.fromkeys(noun for fault in faults if (noun := _noun(fault))))
    if wanted:
        return f"must be {' or '.join(wanted)}" + (f", not {shown}" if shown else "")
    plain = faults[0].message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return plain.replace("Input should", "must").replace("String should", "must")


def _noun(fault: _Fault) -> str:
    if fault.kind in _LENGTHS:
        words, key, unit = _LENGTHS[fault.kind]
        length = fault.context[key]
        return "filled in" if (words, length) == ("at least", 1) else f"{words} {length} {unit}"
    if fault.kind in _LIMITS:
        words, key = _LIMITS[fault.kind]
        return f"{words} {fault.context[key]}"
    what, _, detail = fault.kind.partition("_")
    return _NOUNS.get(what, "") if detail in _ABOUT_SHAPE else ""


def _allowed(fault: _Fault) -> list[str]:
    text = str(fault.context.get("expected") or fault.context.get("expected_tags") or "")
    return re.findall(r"'([^']*)'", text) or [text]


def _listed(words: Sequence[str]) -> str:
    more = ", …" if len(words) > _MOST_LISTED else ""
    return f"allowed: {', '.join(words[:_MOST_LISTED])}{more}" if words else ""


def _name(path: Path) -> str:
    """The last key, with the number of the list item below it; empty at the top."""
    keys = [index for index, step in enumerate(path) if isinstance(step, str)]
    if not keys:
        return ""
    items = [f"item {step + 1}" for step in path[keys[-1] + 1 :] if isinstance(step, int)]
    return ": ".join([str(path[keys[-1]]), *items, ""])


def _has(here: Any, step: str | int) -> bool:
    if isinstance(here, list):
        return isinstance(step, int) and step < len(here)
    return isinstance(here, Mapping) and step in here


def _value(document: Document, path: Path) -> Any:
    here = document.data
    for step in path:
        if not _has(here, step):
            return None
        here = here[step]
    return here


def _shown(document: Document, path: Path) -> str:
    """The value as it stands in the file, where it is short and neither a secret nor an address."""
    value = _value(document, path)
    if any(isinstance(step, str) and names_a_secret(step) for step in path):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str) and value and len(value) <= 40 and "@" not in value:
        return f"'{one_line(value)}'"
    return ""


def _keys(model: Any, path: Path) -> set[str]:
    """The keys that the model knows at `path`."""
    models = list(_models(model))
    for step in path:
        parts: list[Any] = []
        for each in models:
            if not _is_model(each):
                parts.extend(get_args(each)[-1:])
            elif step in (fields := _fields(each)):
                parts.append(fields[str(step)])
        models = [found for part in parts for found in _models(part)]
    return {key for each in models if _is_model(each) for key in _fields(each)}


def _models(annotation: Any) -> Iterator[Any]:
    """The models, and the lists and maps that may hold some, which an annotation stands for."""
    if _is_model(annotation) or get_origin(annotation) in (list, tuple, dict, Sequence, Mapping):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _models(part)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
