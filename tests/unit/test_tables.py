"""Tables for people, whatever the width of their terminal."""

from __future__ import annotations

import pytest

from connector.cli.common import counted
from connector.cli.tables import print_table, width

COLUMNS = ("response", "person", "comment")
ROWS = [
    ("r39dd33370", "a person with a rather long name indeed", "It is slow. " * 6),
    ("r1029c71e9", None, "短い コメント です"),
]


def printed(capsys, monkeypatch, columns: int, **options: bool) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(COLUMNS, ROWS, **options)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
@pytest.mark.parametrize("fold", [True, False])
def test_no_line_is_wider_than_the_terminal_and_no_id_is_cut(capsys, monkeypatch, columns, fold):
    lines = printed(capsys, monkeypatch, columns, fold=fold)
    assert max(map(width, lines)) <= columns
    assert [line.split()[0] for line in lines if line.startswith("r")] == [
        "response",
        "r39dd33370",
        "r1029c71e9",
    ]


def test_names_are_cut_and_the_last_column_is_folded_below_itself(capsys, monkeypatch):
    lines = printed(capsys, monkeypatch, 60)
    assert "…" in lines[1]
    start = lines[0].index("comment")
    assert [line[:start].strip() for line in lines[2:-1]] == [""] * (len(lines) - 3)
    told = " ".join(line[start:].strip() for line in lines[1:-1])
    assert told == ("It is slow. " * 6).strip()


def test_a_table_that_does_not_fold_has_a_line_for_each_row(capsys, monkeypatch):
    lines = printed(capsys, monkeypatch, 60, fold=False)
    assert len(lines) == 3
    assert lines[1].endswith("…")


def test_what_a_customer_wrote_cannot_steer_the_terminal(capsys):
    print_table(("comment",), [("a\x1b[2Jb\r\nc",)])
    assert capsys.readouterr().out.splitlines()[1] == "a [2Jb c"


def test_one_is_singular():
    assert [counted(n, "row") for n in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
