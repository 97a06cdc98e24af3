"""CSV for spreadsheets: nothing that a customer wrote is calculated."""

from __future__ import annotations

import csv
import io

import pytest

from connector.cli.spreadsheet import write_csv


@pytest.mark.parametrize(
    ("written", "cell"),
    [
        ('=HYPERLINK("http://x.example")', '\'=HYPERLINK("http://x.example")'),
        ("+1", "'+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", "' =1"),
        ("\r\n=1", "'  =1"),
        ("＝1", "'＝1"),  # noqa: RUF001 - a wide sign
        ("a=1; \x1b[2J", "a=1;  [2J"),
        ("Größe, ok", "Größe, ok"),
        ("", ""),
        (-3, "-3"),
    ],
)
def test_a_cell_is_text(written: object, cell: str) -> None:
    file = io.StringIO()
    write_csv(file, ["words"], [[written]])
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""))) == [["words"], [cell]]
