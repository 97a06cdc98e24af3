"""What every sink must hold whose far side calls us by webhook (`connector.ports.Notifying`).

A sink whose far side does not passes: nobody calls.
"""

from __future__ import annotations

import json
from datetime import timedelta

from pydantic import SecretStr

from connector.domain import Note
from connector.errors import Unreadable
from connector.ports import Notifying
from tests.contract.sink_bench import SinkBench
from tests.contract.sink_following import make_cases

HOSTILE = (
    b"",
    b"\xff\xfe\x00",
    b"[" * 50_000,
    b'{"a":' * 50_000,
    b"null",
    b"9" * 5_000,
    b'"\\ud800"',
    b"<html>",
    b"{}",
    b"[]",
    json.dumps({"id": "../../etc/passwd"}).encode(),
)


def can_notify(bench: SinkBench) -> bool:
    return isinstance(bench.sink(), Notifying)


def rings(bench: SinkBench, remote_id: str) -> Note:
    """The webhook with which the far side would tell of this record now."""
    assert bench.harness.webhook is not None, "give the harness a webhook"
    body, headers = bench.harness.webhook(bench.sandbox, remote_id)
    return Note(
        door="webhook", body=body, headers={name.lower(): text for name, text in headers.items()}
    )


def changed(note: Note, **more: object) -> Note:
    return note.model_copy(update=more)


def verified(bench: SinkBench, note: Note) -> bool:
    sink = bench.sink()
    assert isinstance(sink, Notifying)
    return sink.verify(note, bench.now())


def check_a_genuine_webhook_names_its_record(bench: SinkBench) -> None:
    if not can_notify(bench):
        return
    for number in make_cases(bench, 2):
        note = rings(bench, number)
        assert verified(bench, note)
        assert list(bench.sink().changed(note)) == [number]


def check_a_forged_webhook_is_not_believed(bench: SinkBench) -> None:
    if not can_notify(bench):
        return
    [number, *_] = make_cases(bench, 1)
    good = rings(bench, number)
    assert verified(bench, good)
    assert not verified(bench, changed(good, body=good.body + b" "))
    assert not verified(bench, changed(good, headers={}))
    for name, text in good.headers.items():
        for other in ("", "x", text[:-1], text + "A", "\x00", "é", "\ud800"):
            forged = {**good.headers, name: other}
            if name != "content-type":
                assert not verified(bench, changed(good, headers=forged)), (name, other)


def check_an_old_webhook_is_not_believed(bench: SinkBench) -> None:
    """Nor one from the future: five minutes both ways."""
    if not can_notify(bench):
        return
    [number, *_] = make_cases(bench, 1)
    note, sink, now = rings(bench, number), bench.sink(), bench.now()
    for seconds, good in ((-330, False), (-270, True), (270, True), (330, False)):
        assert sink.verify(note, now + timedelta(seconds=seconds)) == good, seconds


def check_without_its_secret_no_webhook_is_believed(bench: SinkBench) -> None:
    if not can_notify(bench):
        return
    [number, *_] = make_cases(bench, 1)
    note = rings(bench, number)
    for secret in (None, ""):
        told = {bench.harness.webhook_secret: None if secret is None else SecretStr(secret)}
        sink = bench.sink_with(bench.chosen().model_copy(update=told))
        assert not sink.verify(note, bench.now())


def check_hostile_bytes_are_named_and_raise_nothing_else(bench: SinkBench) -> None:
    if not can_notify(bench):
        return
    sink = bench.sink()
    for body in HOSTILE:
        note = Note(door="webhook", body=body, headers={})
        assert not sink.verify(note, bench.now())
        try:
            told = "".join(sink.changed(note))
        except Unreadable as error:
            told = str(error)
        assert len(told) < 400
        assert told.isprintable()


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
