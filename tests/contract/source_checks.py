"""What every source must hold, polled or not: scores, rubbish, signatures, no secret said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from connector.domain import Door, Note, Response
from connector.errors import ConnectorError, Unreadable
from tests.contract.source_bench import SourceBench
from tests.contract.watching import Heard, listening, secrets_of

UNREADABLE = object()
SCORES: list[tuple[Any, Any]] = [
    (10, 10),
    ("10", 10),
    (9.0, 9),
    ("9.0", 9),
    (11, 11),  # the survey knows its scale, the source does not
    ("", None),
    ("n/a", None),
    (7.5, UNREADABLE),
    ("7.5", UNREADABLE),
    ("seven", UNREADABLE),
    (True, UNREADABLE),
    ({}, UNREADABLE),
    ({"value": 3}, UNREADABLE),
]
DOORS: tuple[Door, ...] = ("webhook", "poll", "file")
PERSON, SAID = "dora@example.com", "the cat was billed twice"


def check_a_score_of_zero_is_a_score(bench: SourceBench) -> None:
    source = bench.source()
    for raw, expected in ((0, 0), ("0", 0), (0.0, 0), (None, None)):
        assert source.parse(Note(door="poll", body=bench.harness.scored(raw))).score == expected
    if bench.harness.vendor:
        zero, none = bench.add(bench.ago(hours=2), score=0), bench.add(bench.ago(hours=1), None)
        found, _ = bench.poll()
        assert {zero: 0, none: None} == {one.record: one.score for one in found}


def check_a_score_is_whole_or_none_or_unreadable(bench: SourceBench) -> None:
    source = bench.source()
    for raw, expected in SCORES:
        note = Note(door="poll", body=bench.harness.scored(raw))
        if expected is UNREADABLE:
            with pytest.raises(Unreadable):
                pytest.fail(f"score {raw!r} was read as {source.parse(note).score!r}")
        else:
            assert source.parse(note).score == expected, raw


def rubbish(record: bytes) -> Iterator[bytes]:
    """Bytes that are no record, and a good record with each of its parts replaced by nonsense."""
    yield from (b"", b"{", b"[]", b"null", b"{}", b'{"event_type": 1}', b"\xff", b"\x00", b"7")
    yield from (b'"text"', b"[1, null, {}]", b"[" * 100_000, b'{"a":' * 5_000, b"NaN", b"Infinity")
    yield from (record[: len(record) // 2], record + b"}", b"\xef\xbb\xbf" + record)
    yield from (b'{"row": 1}', b'{"response": 1}', b'{"event": "survey_response", "data": 7}')
    nonsense: list[Any] = [None, True, 7.5, -1, 10**400, "", "\x00\ud800", [], [[]], {}, {"a": {}}]
    for place in places(json.loads(record)):
        for value in nonsense:
            yield json.dumps(replaced(json.loads(record), place, value)).encode()


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for key in keys:
        one = value[key]
        yield (*at, key)
        yield from places(one, (*at, key))


def replaced(value: Any, place: tuple[Any, ...], by: Any) -> Any:
    inside = value
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = by
    return value


def check_rubbish_is_unreadable_and_never_a_crash(bench: SourceBench) -> None:
    source = bench.source()
    for body in rubbish(bench.harness.scored(3)):
        for door in DOORS:
            note = Note(door=door, body=body)
            try:
                records = source.split(note)
            except Unreadable:
                records = [body]
            for record in [*records, body]:
                with suppress(Unreadable):
                    read = source.parse(Note(door=door, body=record))
                    assert read is None or isinstance(read, Response)


GARBAGE = ("", " ", "x", "sha256=", "v1,", "v1,x v1,y v1", ",,,", "é", "\x00", "\udc80", "9" * 9999)


def check_only_the_signed_bytes_are_accepted(bench: SourceBench) -> None:
    for case in bench.harness.signed(bench.sandbox):
        source = bench.source(**case.settings)
        good = Note(door="webhook", body=case.body, headers=dict(case.headers))

        def accepted(
            source: Any = source, good: Note = good, now: Any = case.now, **changes: Any
        ) -> bool:
            return bool(source.verify(good.model_copy(update=changes), now))

        assert accepted(), "the sender's own bytes were refused"
        for place in range(len(case.body)):
            changed = bytearray(case.body)
            changed[place] ^= 1
            assert not accepted(body=bytes(changed)), place
        for body in (b"", case.body + b" ", case.body[:-1], b" " + case.body):
            assert not accepted(body=body)
        for name, value in case.headers.items():
            without = {n: v for n, v in case.headers.items() if n != name}
            assert not accepted(headers=without)
            for garbage in (*GARBAGE, value[:-2], value + "0", value[::-1]):
                if garbage != value:
                    assert not accepted(headers={**case.headers, name: garbage}), garbage[:20]
        if case.ages:
            assert not accepted(now=case.now + timedelta(hours=1))
            assert not accepted(now=case.now - timedelta(hours=1))


def check_nobody_is_believed_without_a_signature(bench: SourceBench) -> None:
    source = bench.source()
    for body in (b"", b"{}", bench.harness.scored(3)):
        for headers in ({}, {"authorization": ""}, {"authorization": "Bearer x"}):
            assert source.verify(Note(door="webhook", body=body, headers=headers), bench.now()) is (
                False
            )


def check_nothing_secret_or_personal_is_said(bench: SourceBench) -> None:
    with listening() as heard:
        heard.texts += [repr(bench.chosen()), str(bench.chosen()), repr(bench.source())]
        unreadable(bench, heard)
        if bench.harness.vendor:
            polled(bench, heard)
    assert heard.leaks([*secrets_of(bench.sandbox), PERSON, SAID]) == []


def unreadable(bench: SourceBench, heard: Heard) -> None:
    """Records that hold a person and cannot be read."""
    source = bench.source()
    record = bench.harness.scored(f"{PERSON}: {SAID}")
    for body in (record, record[:-9], record.replace(b'"1"', json.dumps([SAID]).encode())):
        for read in (source.split, source.parse):
            try:
                read(Note(door="webhook", body=body))
            except Unreadable as error:
                heard.error(error)


def polled(bench: SourceBench, heard: Heard) -> None:
    """Polls that succeed, and polls that fail with replies that repeat what was sent."""
    bench.add(bench.ago(hours=1), email=PERSON, comment=SAID)
    source = bench.source()
    bench.poll(source=source)
    keys = " ".join(secrets_of(bench.sandbox))
    echo = {"error": f"{PERSON} {SAID} {keys}", "message": f"{PERSON} {SAID} {keys}"}
    faults: list[dict[str, Any]] = [
        {"fault": "status", "status": status, "body": body}
        for status in (200, 400, 401, 403, 404, 410, 429, 500)
        for body in (echo, [echo])
    ]
    for fault in [*faults, {"fault": "drop"}]:
        for path, asked in (("*", bench.source()), (bench.harness.api, source)):
            bench.vendor.clear_faults()
            bench.vendor.fault(**fault, path=path, times=None)
            try:
                bench.poll(source=asked)
            except ConnectorError as error:
                heard.error(error)
            heard.texts += [repr(finding) for finding in asked.check(bench.now())]


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
