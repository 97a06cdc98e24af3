"""Replies of an API that somebody saved in a file: one reply, or many after each other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from connector.errors import Refused
from connector.ports import FileRow
from connector.sources.reading import as_record

_BETWEEN = re.compile(r"[\s,]*")


def saved_rows(data: bytes, list_name: str | None = None) -> Iterator[FileRow]:
    """Every answer of the file; `line` is its number in it.

    Args:
        list_name: where a reply is an object, the name under which it holds its list.

    Raises:
        Refused: at once, when the file is not JSON; pages one after the other and one value on
            each line (JSON Lines) are.
    """
    found = [row for value in _values(data) for row in _rows(value, list_name)]
    return (FileRow(line=n, record=as_record(row)) for n, row in enumerate(found, start=1))


def _rows(value: Any, list_name: str | None) -> list[Any]:
    if list_name is not None and isinstance(value, dict):
        value = value.get(list_name, value)
    return value if isinstance(value, list) else [value]


def _values(data: bytes) -> Iterator[Any]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("the file is not text in UTF-8") from None
    decoder, place = json.JSONDecoder(), _after(text, 0)
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except RecursionError:
            raise Refused("the file is nested too deep") from None
        except ValueError:
            line = text.count("\n", 0, place) + 1
            raise Refused(f"the file is not JSON from line {line} on") from None
        yield value
        place = _after(text, place)


def _after(text: str, place: int) -> int:
    between = _BETWEEN.match(text, place)
    return between.end() if between else place
