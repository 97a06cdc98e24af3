"""Importing CSV files: real exports, broken rows, and questions that are never guessed at."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector.domain import Note, Response, Survey
from connector.errors import Refused, Unreadable
from connector.sources.csv_file import CsvFile, CsvSettings
from connector.sources.csv_presets import PRESETS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "csv"
CARPENTRIES = "carpentries_longterm_survey_2017.csv"
SUDZILLA_US = "sudzilla_event_survey_us_timestamps.csv"
SUDZILLA_ISO = "sudzilla_event_survey_iso_timestamps.csv"
SUDZILLA = {
    "preset": "google_sheet",
    "zone": "Europe/London",
    "columns": {"score": "On a scale of 0-10, how would you rate Sudzilla?", "comment": "...why?"},
}


def csv_file(**settings: Any) -> CsvFile:
    return CsvFile(CsvSettings.model_validate({"type": "csv", **settings}), requests.Session())


def read(data: str | bytes, **settings: Any) -> tuple[list[Response], list[tuple[int, str]]]:
    """The responses, and the line and reason of every refused row."""
    source = csv_file(**settings)
    rows = list(source.rows(data.encode() if isinstance(data, str) else data))
    responses = []
    for row in rows:
        if row.record is not None:
            response = source.parse(Note(door="file", body=row.record))
            assert response is not None
            responses.append(response)
    return responses, [(row.line, row.problem) for row in rows if row.problem]


def refusal(data: str | bytes, **settings: Any) -> str:
    with pytest.raises(Refused) as raised:
        read(data, **settings)
    return str(raised.value)


def segments(responses: list[Response]) -> Counter[str | None]:
    return Counter(Survey(id="nps").segment(response.score) for response in responses)


@pytest.mark.parametrize("name", sorted(p.name[:-7] for p in FIXTURES.glob("*.in.csv")))
def test_a_file_becomes_the_responses_beside_it(name: str) -> None:
    settings = json.loads((FIXTURES / f"{name}.settings.json").read_text("utf-8"))
    responses, problems = read((FIXTURES / f"{name}.in.csv").read_bytes(), **settings)
    expected = json.loads((FIXTURES / f"{name}.out.json").read_text("utf-8"))
    assert [r.model_dump(mode="json") for r in responses] == expected
    assert problems == []


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_file(preset: str) -> None:
    assert list(FIXTURES.glob(f"{preset}_*.in.csv"))


# -- real files ---------------------------------------------------------------------------------


def test_the_real_files_are_those_that_their_readme_describes() -> None:
    readme = (FIXTURES / "README.md").read_text("utf-8")
    for name in (CARPENTRIES, SUDZILLA_US, SUDZILLA_ISO):
        assert hashlib.sha256((FIXTURES / name).read_bytes()).hexdigest() in readme


def test_every_answer_of_the_carpentries_survey_is_read_and_counted_right() -> None:
    responses, problems = read(
        (FIXTURES / CARPENTRIES).read_bytes(), columns={"score": "Likely-To-Recommend"}
    )
    assert (len(responses), problems) == (476, [])
    assert segments(responses) == {"promoter": 215, "passive": 118, "detractor": 69, None: 74}
    assert [r.score for r in responses].count(0) == 4


def test_the_carpentries_row_that_stands_twice_stays_two_answers() -> None:
    data = (FIXTURES / CARPENTRIES).read_bytes()
    responses, _ = read(data, columns={"score": "Likely-To-Recommend"})
    rows = data.decode().split("\r\n")[1:]
    assert (len(set(rows)), len({r.record for r in responses})) == (475, 476)


def test_both_renderings_of_the_sudzilla_survey_tell_the_same_moments_and_scores() -> None:
    us, _ = read((FIXTURES / SUDZILLA_US).read_bytes(), **SUDZILLA, day_first=False)
    iso, _ = read((FIXTURES / SUDZILLA_ISO).read_bytes(), **SUDZILLA)
    assert segments(us) == segments(iso) == {"promoter": 8, "passive": 9, "detractor": 22}
    assert [r.comment for r in us] == [r.comment for r in iso]
    exact = [r.answered_at for r in iso if r.answered_at]
    assert len(exact) == 39
    assert [r.answered_at for r in us] == [moment.replace(microsecond=0) for moment in exact]
    assert us[0].answered_at == datetime(2019, 11, 1, 8, 51, 12, tzinfo=UTC)


def test_several_columns_that_could_be_the_score_are_named_and_not_chosen_from() -> None:
    sentence = refusal((FIXTURES / SUDZILLA_ISO).read_bytes(), preset="google_sheet", zone="UTC")
    assert sentence.startswith("3 columns look like the score: 'On a scale of 0-10, how would")
    assert "columns: {score: …}" in sentence


def test_a_slashed_date_is_refused_until_its_order_is_declared() -> None:
    assert "set day_first" in refusal((FIXTURES / SUDZILLA_US).read_bytes(), **SUDZILLA)


def test_a_time_without_a_zone_is_refused_until_one_is_declared() -> None:
    settings = {name: value for name, value in SUDZILLA.items() if name != "zone"}
    assert "zone: Europe/Madrid" in refusal((FIXTURES / SUDZILLA_ISO).read_bytes(), **settings)


# -- importing twice ----------------------------------------------------------------------------


def test_importing_a_file_twice_gives_the_same_records_and_the_same_bytes() -> None:
    source = csv_file(columns={"score": "Likely-To-Recommend"})
    data = (FIXTURES / CARPENTRIES).read_bytes()
    again = csv_file(columns={"score": "Likely-To-Recommend"})
    assert list(source.rows(data)) == list(again.rows(data))


def test_the_order_of_columns_the_encoding_and_the_line_ends_do_not_change_an_id() -> None:
    one, _ = read("score,why\r\n9,schön\r\n")
    two, _ = read("why;score\nschön;9\n".encode("cp1252"))
    assert one[0].record == two[0].record


def test_a_mapped_id_is_the_record_and_an_empty_one_refuses_its_row() -> None:
    responses, problems = read("id,score\nA-1,9\n,8\n", columns={"id": "id"})
    assert [r.record for r in responses] == ["A-1"]
    assert problems == [
        (3, "id (column 'id'): expected an id, a text of 1 to 500 characters or a number")
    ]


def test_a_column_that_is_no_id_cannot_melt_answers_into_one() -> None:
    responses, problems = read("team,score\nred,9\nred,2\nblue,1\n", columns={"id": "team"})
    assert [r.score for r in responses] == [9, 1]
    assert problems == [(3, "id (column 'team'): the id of line 2 again, with other content")]


# -- rows that are wrong ------------------------------------------------------------------------


def test_a_bad_row_is_refused_with_its_line_and_reason_and_the_others_go_through() -> None:
    data = (
        "score,why,at\n"
        "9,fine,2026-11-01T10:00:00Z\n"
        '8,"two\nlines, ""quoted""",2026-11-01T10:00:00Z\n'
        "7.5,half,2026-11-01T10:00:00Z\n"
        "6,no such day,2026-02-30T10:00:00Z\n"
        "5,too few cells\n"
        "4,too,2026-11-01T10:00:00Z,many\n"
        "\n"
        "0,last,2026-11-01T10:00:00Z"
    )
    responses, problems = read(data, columns={"comment": "why", "answered_at": "at"})
    assert [(r.score, r.comment) for r in responses] == [
        (9, "fine"),
        (8, 'two\nlines, "quoted"'),
        (0, "last"),
    ]
    assert [line for line, _ in problems] == [5, 6, 7, 8]
    reasons = [reason for _, reason in problems]
    assert reasons[0] == "score (column 'score'): expected a whole number such as 9, or nothing"
    assert "there is no such date" in reasons[1]
    assert "2 cells, the header 3" in reasons[2]
    assert "4 cells, the header 3" in reasons[3]


def test_a_quotation_mark_that_is_never_closed_says_how_many_lines_it_swallowed() -> None:
    responses, problems = read('score,why\n9,ok\n8,"open\n7,x\n6,y\n', columns={"comment": "why"})
    assert [r.score for r in responses] == [9]
    assert problems == [
        (
            3,
            "quotation marks do not match: one inside a quoted cell has to be doubled; "
            "lines 3 to 5 are lost with it",
        )
    ]


def test_null_bytes_leave_the_text_and_a_very_long_comment_stays_whole() -> None:
    comment = "🙂é" * 50_000
    responses, problems = read(f"score,why\n9,a\x00b\n8,{comment}\n", columns={"comment": "why"})
    assert [r.comment for r in responses] == ["ab", comment]
    assert problems == []


def test_a_cell_of_more_than_a_million_characters_is_refused() -> None:
    responses, problems = read(f"score,why\n9,{'x' * 1_000_001}\n8,y\n")
    assert [r.score for r in responses] == [8]
    assert problems == [(2, "a cell is longer than 1000000 characters")]


def test_a_row_of_empty_cells_is_no_answer() -> None:
    assert read("score,why\n,\n9,\n ,\t\n") == read("score,why\n9,\n")


def test_no_refusal_repeats_what_stands_in_a_cell() -> None:
    data = "score,at\njane@example.com is furious,2026-01-01T00:00:00Z\n9,jane was here\n"
    _, problems = read(data, columns={"answered_at": "at"})
    assert len(problems) == 2
    assert "jane" not in str(problems)


# -- scores, dates ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "score"),
    [("0", 0), ("10", 10), ("9.0", 9), ('"9,0"', 9), (" 7 ", 7), ("NS/NC", None), ("n/a", None)],
)
def test_a_score_in_any_usual_writing_is_read(cell: str, score: int | None) -> None:
    responses, problems = read(f"score,why\n{cell},x\n")
    assert ([r.score for r in responses], problems) == ([score], [])


@pytest.mark.parametrize(
    ("cell", "settings", "expected"),
    [
        ("2026-11-01T10:00:00+02:00", {}, datetime(2026, 11, 1, 8, tzinfo=UTC)),
        ("2026-11-01 10:00:00 -0800", {}, datetime(2026, 11, 1, 18, tzinfo=UTC)),
        ("1793527200", {}, datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01 8:51:12", {"zone": "UTC"}, datetime(2026, 11, 1, 8, 51, 12, tzinfo=UTC)),
        ("2026/11/1", {"zone": "UTC"}, datetime(2026, 11, 1, tzinfo=UTC)),
        (
            "1/11/2026 8.05",
            {"zone": "UTC", "day_first": True},
            datetime(2026, 11, 1, 8, 5, tzinfo=UTC),
        ),
        (
            "9/8/26 12:05 AM",
            {"zone": "UTC", "day_first": False},
            datetime(2026, 9, 8, 0, 5, tzinfo=UTC),
        ),
        (
            "9/8/26 12:05 p. m.",
            {"zone": "UTC", "day_first": True},
            datetime(2026, 8, 9, 12, 5, tzinfo=UTC),
        ),
        (
            "31.12.2026",
            {"zone": "Europe/Madrid", "day_first": True},
            datetime(2026, 12, 30, 23, tzinfo=UTC),
        ),
        (
            "Nov 01 2026",
            {"zone": "UTC", "date_format": "%b %d %Y"},
            datetime(2026, 11, 1, tzinfo=UTC),
        ),
        (
            "01-11-2026 +0100",
            {"date_format": "%d-%m-%Y %z"},
            datetime(2026, 10, 31, 23, tzinfo=UTC),
        ),
        ("", {}, None),
    ],
)
def test_a_time_is_read_as_the_settings_declare_it(
    cell: str, settings: dict[str, Any], expected: datetime | None
) -> None:
    responses, problems = read(f"score,at\n9,{cell}\n", columns={"answered_at": "at"}, **settings)
    assert ([r.answered_at for r in responses], problems) == ([expected], [])


@pytest.mark.parametrize(
    ("cell", "settings"),
    [
        ("31/12/2026", {"day_first": False}),
        ("31/02/2026", {"day_first": True}),
        ("1/1/2026 13:00 PM", {"day_first": True}),
        ("1/1/2026 25:00", {"day_first": True}),
        ("yesterday", {}),
        ("2026-11-01", {"date_format": "%d/%m/%Y"}),
    ],
)
def test_a_time_that_cannot_be_refuses_its_row_only(cell: str, settings: dict[str, Any]) -> None:
    data = f"score,at\n9,{cell}\n8,\n"
    responses, problems = read(data, columns={"answered_at": "at"}, zone="UTC", **settings)
    assert ([r.score for r in responses], [line for line, _ in problems]) == ([8], [2])


# -- headers, dialects, containers --------------------------------------------------------------


def test_a_column_that_does_not_exist_is_named_with_what_was_probably_meant() -> None:
    sentence = refusal("Score,Why\n9,x\n", columns={"score": "Scor", "comment": "Comment"})
    assert "no column 'Scor' (did you mean 'Score'?), 'Comment'" in sentence
    assert "the columns are 'Score', 'Why'" in sentence


def test_without_any_column_like_a_score_the_file_is_refused() -> None:
    assert "no column looks like the score" in refusal("a,b\n1,2\n")


def test_a_file_of_comments_says_so_and_needs_no_score() -> None:
    responses, _ = read("why\nfast\n", columns={"score": None, "comment": "why"})
    assert (responses[0].score, responses[0].comment) == (None, "fast")


def test_repeated_and_empty_headers_get_names_of_their_own() -> None:
    responses, _ = read("score,Why,Why,\n9,a,b,c\n", columns={"properties": "all"})
    assert responses[0].properties == {"Why": "a", "Why (2)": "b", "Column 4": "c"}
    chosen, _ = read("score,Why,Why\n9,a,b\n", columns={"comment": "Why (2)"})
    assert chosen[0].comment == "b"


@pytest.mark.parametrize(
    "data",
    [
        "score,why\n9,é\n".encode(),
        b"\xef\xbb\xbf" + "score,why\r\n9,é\r\n".encode(),
        "score;why\n9;é".encode("cp1252"),
        "score\twhy\r9\té\r".encode("utf-16"),
        '"score";"why, exactly"\n9;é\n'.replace(", exactly", "").encode(),
    ],
)
def test_encodings_delimiters_and_line_ends_are_recognised(data: bytes) -> None:
    responses, problems = read(data, columns={"comment": "why"})
    assert ([(r.score, r.comment) for r in responses], problems) == ([(9, "é")], [])


def test_utf8_with_one_broken_byte_is_refused_rather_than_garbled() -> None:
    data = "score,why\n9,ééé\n".encode() + b"8,\xff\n"
    assert refusal(data).startswith("line 3: holds a byte that is not UTF-8")
    responses, _ = read(data, encoding="cp1252", columns={"comment": "why"})
    assert len(responses) == 2


def test_utf16_without_its_mark_is_recognised_and_named() -> None:
    data = "score,why\n9,x\n".encode("utf-16-le")
    assert "set encoding: utf-16-le" in refusal(data)
    assert len(read(data, encoding="utf-16-le")[0]) == 1


def test_an_unclear_delimiter_is_asked_for() -> None:
    assert "set delimiter" in refusal("score;a,b\n9;1,2\n")
    assert len(read("score;a,b\n9;1,2\n", delimiter=";")[0]) == 1


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    assert refusal(data) == "the file is empty"


def test_a_file_with_a_header_alone_has_no_rows() -> None:
    assert read("score,why\n") == ([], [])


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def test_a_zip_is_read_when_it_holds_one_csv() -> None:
    responses, _ = read(zipped(**{"survey.csv": "score\n9\n", "__MACOSX/._survey.csv": "junk"}))
    assert [r.score for r in responses] == [9]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (zipped(**{"a.csv": "score\n9\n", "b.csv": "score\n8\n"}), "holds 2 CSV files"),
        (zipped(**{"a.txt": "score\n9\n"}), "holds 0 CSV files"),
        (zipped(**{"xl/workbook.xml": "<workbook/>"}), "save the sheet as CSV"),
        (zipped(**{"a.csv": "score\n9\n"})[:40], "cannot be unpacked"),
    ],
    ids=["two", "none", "sheet", "cut"],  # their bytes hold the time of day
)
def test_a_zip_that_is_something_else_is_refused_with_the_next_step(
    data: bytes, sentence: str
) -> None:
    assert sentence in refusal(data)


# -- the port -----------------------------------------------------------------------------------


def test_nobody_may_post_a_file_to_this_source() -> None:
    note = Note(door="webhook", body=b"score\n9\n")
    assert not csv_file().verify(note, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_row_that_no_longer_fits_the_settings_is_unreadable_and_can_be_replayed() -> None:
    record = next(csv_file().rows(b"score,why\n9,x\n")).record
    assert record is not None
    with pytest.raises(Unreadable, match="no column 'points'"):
        csv_file(columns={"score": "points"}).parse(Note(door="file", body=record))
    with pytest.raises(Unreadable):
        csv_file().parse(Note(door="file", body=b'{"row": {"score": {"a": 1}}}'))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"preset": "delightd"}, "did you mean 'delighted'?"),
        ({"zone": "Mars/Base"}, "write a time zone such as"),
        ({"date_format": "DD/MM/YYYY"}, "write auto, or a pattern such as %d/%m/%Y"),
        ({"date_format": "%H:%M"}, "write auto, or a pattern such as %d/%m/%Y"),
        ({"encoding": "utf8mb4"}, "write auto, or an encoding such as"),
        ({"delimiter": "|"}, "delimiter"),
        ({"columns": {"scroe": "x"}}, "scroe"),
    ],
)
def test_a_mistake_in_the_settings_is_found_when_they_are_read(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        CsvSettings.model_validate({"type": "csv", **settings})
    assert sentence in str(raised.value)


@given(st.binary(max_size=400) | st.text(alphabet='score,;"\n\r9é\x00', max_size=80))
def test_any_bytes_give_rows_or_a_refusal_and_nothing_else(data: bytes | str) -> None:
    with contextlib.suppress(Refused):
        read(data)
