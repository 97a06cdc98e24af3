"""The bytes of a CSV file -> a header and rows that know their lines.

RFC 4180 in the dialects that people really have: comma, semicolon or tab; UTF-8 with or without
BOM, UTF-16 with BOM, Windows-1252; any line end; quoted line breaks; one CSV inside a zip.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

from connector.errors import Refused
from connector.text import one_line

DELIMITERS = {",": ",", ";": ";", "tab": "\t"}
LARGEST_BYTES = 500_000_000  # of an unpacked file: a small zip can unpack to anything
LONGEST_CELL = 1_000_000  # characters


@dataclass(frozen=True)
class RawRow:
    """One row as it stands in the file. `cells` is None where `problem` says why."""

    line: int
    cells: dict[str, str] | None
    problem: str = ""


@dataclass(frozen=True)
class Table:
    headers: tuple[str, ...]
    rows: tuple[RawRow, ...]


def read_table(data: bytes, delimiter: str = "auto", encoding: str = "auto") -> Table:
    """Header names are trimmed; a repeated one becomes `Name (2)`, an empty one `Column 3`.

    Rows without any content are left out.

    Raises:
        Refused: when the file as a whole cannot be read; the text says what to do.
    """
    text = _decoded(_unzipped(data), encoding)
    if not text.strip():
        raise Refused("the file is empty")
    mark = DELIMITERS[delimiter] if delimiter != "auto" else _delimiter(text)
    # The limit is the interpreter's, for all readers; one that is too low breaks off inside a row.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    lines = _lines(text, mark)
    line, names = next(lines)
    if isinstance(names, str):
        raise Refused(f"line {line}: {names}")
    headers = _headers(names)
    rows = (_row(line, cells, headers) for line, cells in lines if _has_content(cells))
    return Table(headers, tuple(rows))


def _row(line: int, cells: list[str] | str, headers: tuple[str, ...]) -> RawRow:
    if isinstance(cells, str):
        return RawRow(line, None, cells)
    if any(cells[len(headers) :]) or len(cells) < len(headers):
        counts = f"the row has {len(cells)} cells, the header {len(headers)}"
        return RawRow(line, None, f"{counts}; a cell with a line break or delimiter needs quotes")
    if any(len(cell) > LONGEST_CELL for cell in cells):
        return RawRow(line, None, f"a cell is longer than {LONGEST_CELL} characters")
    return RawRow(line, dict(zip(headers, cells, strict=False)))


def _has_content(cells: list[str] | str) -> bool:
    return isinstance(cells, str) or any(cell.strip() for cell in cells)


def _lines(text: str, mark: str) -> Iterator[tuple[int, list[str] | str]]:
    """The line on which each row starts, and its cells or what is wrong with it."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    while True:
        first = reader.line_num + 1
        try:
            yield first, next(reader)
        except StopIteration:
            return
        except csv.Error:
            upto = f"; lines {first} to {reader.line_num} are lost with it"
            yield (
                first,
                "quotation marks do not match: one inside a quoted cell has to be doubled"
                + (upto if reader.line_num > first else ""),
            )


def _headers(names: list[str]) -> tuple[str, ...]:
    headers: list[str] = []
    for number, raw in enumerate(names, start=1):
        name = wanted = one_line(raw, 300) or f"Column {number}"
        copy = 1
        while name in headers:
            copy += 1
            name = f"{wanted} ({copy})"
        headers.append(name)
    return tuple(headers)


def _delimiter(text: str) -> str:
    """The one that cuts the header into most cells."""
    counts: dict[str, int] = {}
    for mark in DELIMITERS.values():
        _, cells = next(_lines(text, mark))
        counts[mark] = len(cells) if isinstance(cells, list) else 0
    most = max(counts.values())
    best = [mark for mark, count in counts.items() if count == most]
    if most > 1 and len(best) > 1:
        raise Refused("the delimiter is not clear; set delimiter to one of: , ; tab")
    return best[0]


def _decoded(data: bytes, encoding: str) -> str:
    if encoding == "auto":
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        elif data[:400].count(0) > len(data[:400]) // 3:
            order = "be" if data[0] == 0 else "le"
            raise Refused(f"the file looks like UTF-16 without mark; set encoding: utf-16-{order}")
        else:
            encoding = "utf-8-sig" if _is_utf8(data) else "cp1252"
    try:
        return data.decode(encoding)
    except UnicodeError:
        raise Refused(
            f"the file is not readable as {encoding.removesuffix('-sig')}; save it as UTF-8 "
            "or set encoding"
        ) from None


def _is_utf8(data: bytes) -> bool:
    """Whether it is meant to be UTF-8.

    Raises:
        Refused: where it plainly is, but broken: read as Windows-1252 every accent would suffer.
    """
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        repaired = data.decode("utf-8-sig", "replace")
        broken = repaired.count("\ufffd")
        good = len(re.findall(r"[^\x00-\x7f\ufffd]", repaired))
        if good > broken:
            line = data.count(b"\n", 0, error.start) + 1
            raise Refused(f"line {line}: holds a byte that is not UTF-8; set encoding") from None
        return False
    return True


def _unzipped(data: bytes) -> bytes:
    if not data.startswith(b"PK\x03\x04"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if "xl/workbook.xml" in archive.namelist():
                raise Refused("this is an Excel workbook; save the sheet as CSV (UTF-8)")
            files = [
                file
                for file in archive.infolist()
                if file.filename.lower().endswith(".csv") and "__MACOSX" not in file.filename
            ]
            if len(files) != 1:
                raise Refused(
                    f"the zip holds {len(files)} CSV files; unpack it and import them one by one"
                )
            with archive.open(files[0]) as unpacked:
                content = unpacked.read(LARGEST_BYTES + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError):
        raise Refused("the zip cannot be unpacked; unpack it and import the CSV in it") from None
    if len(content) > LARGEST_BYTES:
        raise Refused(f"the CSV in the zip is larger than {LARGEST_BYTES} bytes; split it")
    return content
