"""Text -> plain values with their places.

The values are those of the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema):
`NO` stays text, `010` is 10, `12:30:00` and dates stay text. Keys are always text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

from connector.documents.faults import explain, quoted
from connector.domain import Problem, Scalar, Severity
from connector.errors import Invalid
from connector.text import one_line

_NULL = {"", "~", "null", "Null", "NULL"}
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?[0-9]+")
_MOST_DIGITS = 30  # longer ones are account numbers: text
_OCTAL = re.compile(r"0o[0-7]{1,30}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,30}")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_HASH_AFTER_VALUE = re.compile(r"\s+(#\S.*)")
_HASH_AFTER_KEY = re.compile(r"\s*:\s+(#\S.*)")
_FRAME = (DocumentStartEvent, DocumentEndEvent, StreamStartEvent, StreamEndEvent)
_DEEPEST = 40
_LARGEST_TEXT = 2_000_000  # characters
_LARGEST_TREE = 200_000  # values, with every alias counted as often as it is used

Place = tuple[int, int]


@dataclass(frozen=True)
class _Node:
    """A value, where it stands, and its parts; `key` is where each part's key stands."""

    value: Any
    place: Place
    size: int = 1
    block: bool = False
    parts: Mapping[str | int, tuple[Place, _Node]] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A file's values as plain Python (`dict`, `list`, text, numbers, flags, None).

    `warnings` are traps that did not stop the reading.
    """

    file: str
    data: Any
    warnings: tuple[Problem, ...] = ()
    _root: _Node = field(default_factory=lambda: _Node(None, (1, 1)), repr=False)

    def place(self, *loc: str | int) -> Place:
        """Line and column, from 1, of the value at `loc`; of its key where the value is a group,
        a list or empty; of the nearest parent where there is nothing at `loc`."""
        node, place = self._root, self._root.place
        for step in loc:
            if step not in node.parts:
                break
            key, node = node.parts[step]
            place = key if node.parts or node.value in (None, {}, []) else node.place
        return place

    def key_place(self, *loc: str | int) -> Place:
        """Line and column, from 1, of the key (or the list item) at `loc`, else as `place`."""
        *parents, last = loc
        node = self._node(*parents)
        return node.parts[last][0] if node and last in node.parts else self.place(*loc)

    def line_inside(self, line: int, *loc: str | int) -> int:
        """The line in the file of line `line` (from 1) of the text at `loc`."""
        node = self._node(*loc)
        if node is None:
            return self.place(*loc)[0]
        return node.place[0] + (line if node.block else line - 1)

    def problem(
        self, message: str, *loc: str | int, hint: str = "", warning: bool = False
    ) -> Problem:
        """A problem with the value at `loc`."""
        line, column = self.place(*loc)
        severity: Severity = "warning" if warning else "error"
        return Problem(
            file=self.file, line=line, column=column, severity=severity, message=message, hint=hint
        )

    def _node(self, *loc: str | int) -> _Node | None:
        node = self._root
        for step in loc:
            if step not in node.parts:
                return None
            node = node.parts[step][1]
        return node


def read(text: str, file: str) -> Document:
    """One YAML document; `data` is None for an empty file.

    Raises:
        Invalid: every fault that can be found, each with its line, in words.
    """
    reader = _Reader(text, file)
    root = reader.read()
    warnings = tuple(p for p in reader.problems if p.severity == "warning")
    if len(warnings) < len(reader.problems):
        raise Invalid(reader.problems)
    return Document(file=file, data=root.value, warnings=warnings, _root=root)


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.lines = text.splitlines()
        self.problems: list[Problem] = []
        self.anchors: dict[str, _Node] = {}
        self.values = 0

    def read(self) -> _Node:
        if len(self.text) > _LARGEST_TEXT:
            self.stop((1, 1), "the file is too large", "at most 2 MB")
        root: _Node | None = None
        try:
            events = YAML(typ="safe", pure=True).parse(self.text)
            for event in events:
                if isinstance(event, DocumentStartEvent) and root is not None:
                    self.stop(_start(event), "a second document begins here", "remove '---'")
                if not isinstance(event, _FRAME):
                    root = self.node(event, events, 0)
        except MarkedYAMLError as error:
            self.stop(*explain(error, self.lines))
        except ReaderError as error:
            before = self.text[: error.position]
            place = (before.count("\n") + 1, error.position - before.rfind("\n"))
            self.stop(place, "a control character is not allowed here", "remove it")
        except (YAMLError, ValueError, OverflowError):
            self.stop((1, 1), "this is not a readable YAML file", "look for stray characters")
        return root or _Node(None, (1, 1))

    def node(self, event: Event, events: Iterator[Event], depth: int) -> _Node:
        if depth > _DEEPEST:
            self.stop(_start(event), "values are nested too deeply", f"at most {_DEEPEST} levels")
        if isinstance(event, AliasEvent):
            return self.counted(self.alias(event))
        if not isinstance(event, MappingStartEvent | SequenceStartEvent | ScalarEvent):
            self.stop(_start(event), "this is not readable as YAML")
        if event.ctag is not None:
            self.note(_start(event), "a value that starts with '!' has to be in quotes")
        if isinstance(event, MappingStartEvent):
            node = self.mapping(event, events, depth)
        elif isinstance(event, SequenceStartEvent):
            node = self.sequence(event, events, depth)
        else:
            node = self.scalar(event)
        if event.anchor:
            self.anchors[event.anchor] = node
        return self.counted(node)

    def counted(self, node: _Node) -> _Node:
        self.values += node.size
        if self.values > _LARGEST_TREE:
            self.stop(node.place, "the file holds too many values", "use fewer '*' references")
        return node

    def alias(self, event: AliasEvent) -> _Node:
        if event.anchor in self.anchors:
            return self.anchors[event.anchor]
        (line, column), text = _start(event), f"*{event.anchor}"
        hint = quoted(text, self.lines[line - 1][: column - 1])
        self.note((line, column), "a value that starts with '*' has to be in quotes", hint)
        return _Node(text, (line, column))

    def mapping(self, start: Event, events: Iterator[Event], depth: int) -> _Node:
        parts: dict[str | int, tuple[Place, _Node]] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            if isinstance(event, MappingStartEvent):
                braces = "a value that starts with '{{' has to be in quotes"
                self.stop(_start(start), braces, 'write "{{ … }}"')
            if not isinstance(event, ScalarEvent):
                self.stop(_start(event), "a key must be plain text")
            key, place = str(event.value), _start(event)
            child = self.node(next(events), events, depth + 1)
            if child.value is None:
                self.look_for_hash(event, _HASH_AFTER_KEY)
            if key in parts:
                first = parts[key][0][0]
                message = f"'{one_line(key, 40)}' stands twice here, first in line {first}"
                self.note(place, message, "keep one of them")
            else:
                parts[key] = (place, child)
        size = 1 + sum(child.size for _, child in parts.values())
        value = {key: child.value for key, (_, child) in parts.items()}
        return _Node(value, _start(start), size, parts=parts)

    def sequence(self, start: Event, events: Iterator[Event], depth: int) -> _Node:
        children: list[_Node] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            children.append(self.node(event, events, depth + 1))
        size = 1 + sum(child.size for child in children)
        parts: dict[str | int, tuple[Place, _Node]] = {
            index: (child.place, child) for index, child in enumerate(children)
        }
        return _Node([child.value for child in children], _start(start), size, parts=parts)

    def scalar(self, event: ScalarEvent) -> _Node:
        text = str(event.value)
        if not event.implicit[0]:
            return _Node(text, _start(event), block=event.style in ("|", ">"))
        value = _plain(text)
        if value is not None:
            self.look_for_hash(event, _HASH_AFTER_VALUE)
        return _Node(value, _start(event))

    def look_for_hash(self, event: Event, pattern: re.Pattern[str]) -> None:
        """`channel: #alerts` is an empty value with a comment: nobody means that."""
        end = event.end_mark
        found = pattern.match(self.lines[end.line], end.column) if self.lines[end.line :] else None
        if found:
            text = one_line(found[1], 40)
            hint = "put the whole value in quotes; write '# ' with a space for a comment"
            self.note(
                (end.line + 1, found.start(1) + 1),
                f"'{text}' is read as a comment",
                hint,
                "error" if pattern is _HASH_AFTER_KEY else "warning",
            )

    def note(
        self, place: Place, message: str, hint: str = "", severity: Severity = "error"
    ) -> None:
        line, column = place
        self.problems.append(
            Problem(
                file=self.file,
                line=line,
                column=column,
                severity=severity,
                message=message,
                hint=hint,
            )
        )

    def stop(self, place: Place, message: str, hint: str = "") -> NoReturn:
        self.note(place, message, hint)
        raise Invalid(self.problems)


def _start(event: Event) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _plain(text: str) -> Scalar:
    """What an unquoted scalar means in the core schema."""
    if text in _NULL:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if _WHOLE.fullmatch(text):
        return int(text) if len(text) <= _MOST_DIGITS else text
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
