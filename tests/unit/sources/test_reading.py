"""Scores, times and JSON as vendors really write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from connector.errors import Unreadable
from connector.sources.reading import (
    as_id,
    as_record,
    as_scalars,
    as_text,
    digest,
    read_json,
    read_nanoseconds,
    read_object,
    read_time,
    split_list,
    to_nanoseconds,
    whole_score,
    write_nanoseconds,
)


@pytest.mark.parametrize(
    ("written", "score"),
    [
        (0, 0),
        ("0", 0),
        (9, 9),
        ("9", 9),
        (" 9 ", 9),
        (9.0, 9),
        ("10.0", 10),
        ("10.", 10),
        ("7,0", 7),
        (-1, -1),
        ("+8", 8),
        (None, None),
        ("", None),
        ("  ", None),
        ("NS/NC", None),
        ("NA", None),
        ("n/a", None),
        ("-", None),
    ],
)
def test_a_score_is_whole_or_nothing(written: object, score: int | None) -> None:
    assert whole_score(written, "score") == score


@pytest.mark.parametrize(
    "written",
    [
        *(7.5, "7.5", "abc", "9/10", "9 9", "٩", "1" * 5000, 10**12),
        *(True, False, [], {}, float("nan"), float("inf")),
    ],
)
def test_what_is_no_whole_score_is_refused_by_the_name_of_its_field(written: object) -> None:
    with pytest.raises(Unreadable, match=r"^answers\.nps: expected a whole number") as raised:
        whole_score(written, "answers.nps")
    assert str(raised.value) == "answers.nps: expected a whole number such as 9, or nothing"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (1767398400, "2026-01-03T00:00:00+00:00"),
        ("1767398400", "2026-01-03T00:00:00+00:00"),
        (1767398400.25, "2026-01-03T00:00:00.250000+00:00"),
        ("1767398400.000001", "2026-01-03T00:00:00.000001+00:00"),
        ("2026-11-20T01:58:09Z", "2026-11-20T01:58:09+00:00"),
        ("2026-11-20t01:58:09z", "2026-11-20T01:58:09+00:00"),
        ("2026-11-20T01:58:09.1Z", "2026-11-20T01:58:09.100000+00:00"),
        ("2026-11-20T01:58:09.055199Z", "2026-11-20T01:58:09.055199+00:00"),
        ("2026-11-20T01:58:09.055199789Z", "2026-11-20T01:58:09.055199+00:00"),
        ("2026-11-20T01:58:09+01:00", "2026-11-20T00:58:09+00:00"),
        ("2016-12-16 09:05:00 -0800", "2016-12-16T17:05:00+00:00"),
        ("2016-12-16 09:05:00-08", "2016-12-16T17:05:00+00:00"),
        ("2026-01-31 17:05:00 UTC", "2026-01-31T17:05:00+00:00"),
        ("2026-01-31 17:05", "2026-01-31T16:05:00+00:00"),
        ("2026-07-31 17:05:00", "2026-07-31T15:05:00+00:00"),
        ("2026-07-31", "2026-07-30T22:00:00+00:00"),
        # Clocks go back at 3:00; 2:30 happens twice and the first one, in summer time, is meant.
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_a_time_is_read_into_utc(written: object, moment: str) -> None:
    found = read_time(written, "Europe/Madrid", "created_at")
    assert found == datetime.fromisoformat(moment)
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize("written", [None, "", "  "])
def test_no_time_is_none(written: object) -> None:
    assert read_time(written, "UTC", "created_at") is None


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "20260131",
        20260131,
        1767398400000,
        "1767398400000",
        True,
        -5,
        float("nan"),
        [],
        "2026-02-30",
        "2026-13-01T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00+99:00",
        "2026-01-01T00:00:00+01:75",
        "0001-01-01T00:00:00+05:00",
        "0000-01-01",
        "1" * 5000,
    ],
)
def test_what_is_no_time_is_refused_by_the_name_of_its_field(written: object) -> None:
    with pytest.raises(Unreadable, match=r"^created_at: "):
        read_time(written, "UTC", "created_at")


def test_an_unknown_zone_is_refused_in_words() -> None:
    with pytest.raises(Unreadable, match="such as Europe/Madrid"):
        read_time("2026-01-01 10:00", "Europe/Atlantis", "created_at")


def test_nanoseconds_survive_reading_and_writing() -> None:
    written = "2026-11-20T01:58:09.055199789Z"
    found = read_nanoseconds(written, "UTC", "t")
    assert found is not None
    assert found % 10**9 == 55_199_789
    assert write_nanoseconds(found) == written
    assert to_nanoseconds(datetime(2026, 11, 20, 1, 58, 9, 55199, tzinfo=UTC)) == found - 789


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"1" * 5000, b'"\x00"'],
)
def test_hostile_bodies_are_unreadable_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_json(body)


def test_a_list_where_an_object_belongs_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="the body: expected an object"):
        read_object(b"[]")


def test_a_list_is_split_into_its_records() -> None:
    assert split_list(b'[{"id": 1}, {"id": 2}]') == (b'{"id": 1}', b'{"id": 2}')
    assert split_list(b'{"id": 1}') == (b'{"id": 1}',)


def test_text_stays_whole_but_for_nul() -> None:
    comment = "😡 مرحبا\n\x00" + "ñ" * 100_000
    assert as_text(comment, "comment") == comment.replace("\x00", "")
    assert as_text(None, "comment") == ""
    assert as_text(7, "comment") == "7"


@pytest.mark.parametrize("value", [True, [], {}])
def test_what_is_no_text_is_unreadable(value: object) -> None:
    with pytest.raises(Unreadable, match=r"^comment: expected text$"):
        as_text(value, "comment")


def test_an_id_may_be_a_number_and_may_not_be_missing() -> None:
    assert as_id(123, "id") == "123"
    for wrong in (None, "", " ", 1.5, "x" * 501):
        with pytest.raises(Unreadable, match=r"^id: expected an id"):
            as_id(wrong, "id")


def test_properties_become_scalars() -> None:
    assert as_scalars({"a": 0, "b": None, "c": ["x", 2], "d": {"e": [1]}, "f\x00": "g\x00"}) == {
        "a": 0,
        "b": None,
        "c": "x, 2",
        "d": '{"e": [1]}',
        "f": "g",
    }


def test_a_record_with_half_a_surrogate_pair_can_be_stored_and_read_again() -> None:
    row = json.loads('{"comment": "\\ud83d broken"}')
    assert read_object(as_record(row)) == row
    assert "ñ".encode() in as_record({"comment": "ñ"})


def test_a_digest_sees_every_part_and_no_order() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1, "b": [2]}) != digest({"a": 1, "b": [3]})
    assert len(digest({})) == 12
