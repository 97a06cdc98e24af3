"""CSV for spreadsheets: what a customer wrote must not become a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO

_BEGINS_FORMULA = tuple("=+-@＝＋－＠")  # noqa: RUF001 - spreadsheets take the wide ones as well


def write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A header and the rows. Texts that a spreadsheet would calculate get an apostrophe in front
    (https://owasp.org/www-community/attacks/CSV_Injection)."""
    writer = csv.writer(file)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_safe(value) for value in row])


def _safe(value: object) -> object:
    if not isinstance(value, str):
        return value
    plain = "".join(c if c.isprintable() else " " for c in value)
    return f"'{plain}" if plain.lstrip().startswith(_BEGINS_FORMULA) else plain
