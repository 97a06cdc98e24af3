"""Tables for people: as wide as the terminal, cut with `…`; nothing but the last column folds."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime

import click

from connector.text import one_line

_WIDTH_OF_FILES = 160  # where the output goes into a file or to another program
_LEAST_LAST = 20  # columns that the last one has, however narrow the terminal
_LEAST = 8
_NAMES = ("source", "sink", "rule", "person", "outcome")  # still understood when they are cut
_GAP = "  "


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], fold: bool = True
) -> None:
    """Cells on one line, without the control characters of a customer's text.

    Where the terminal is too narrow, names give way first; ids and times are cut last, because
    they are copied. With `fold=False` the last column is cut as well.
    """
    cells = [[cell(value) for value in row] for row in rows]
    *others, last = zip(columns, *cells, strict=True)
    widths = [max(map(width, column)) for column in others]
    total = shutil.get_terminal_size((_WIDTH_OF_FILES, 24)).columns
    left = total - len(_GAP) * len(widths) - min(max(map(width, last)), _LEAST_LAST)
    names = [number for number, column in enumerate(columns[:-1]) if column in _NAMES]
    for some in (names, range(len(widths))):
        while sum(widths) > left and any(widths[n] > _LEAST for n in some):
            widths[max(some, key=widths.__getitem__)] -= 1
    room = max(total - sum(widths) - len(_GAP) * len(widths), _LEAST)
    click.secho(_line(columns, widths, columns[-1]), bold=True)
    for row in cells:
        if not fold:
            click.echo(_line(row, widths, _fitted(row[-1], room)))
            continue
        first, *more = list(folded(row[-1], room)) or [""]
        click.echo(_line(row, widths, first))
        for part in more:
            click.echo(" " * (total - room) + part)


def cell(value: object) -> str:
    """One line of text; a dash where there is nothing."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return one_line(str(value), 120)


def width(text: str) -> int:
    """How many columns a terminal needs for it: two for a Chinese character, none for an accent."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _line(row: Sequence[str], widths: Sequence[int], last: str) -> str:
    shown = [_fitted(text, room) for text, room in zip(row, widths, strict=False)]
    return _GAP.join([*shown, last]).rstrip()


def _fitted(text: str, room: int) -> str:
    if width(text) > room:
        while width(text) > room - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (room - width(text))


def folded(text: str, room: int) -> Iterator[str]:
    """Broken between words; a word that is too long is broken as well."""
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if width(joined) <= room:
            line = joined
            continue
        if line:
            yield line
        line = word
        while width(line) > room:
            part = line[:room]
            while width(part) > room:
                part = part[:-1]
            yield part
            line = line[len(part) :]
    if line:
        yield line
