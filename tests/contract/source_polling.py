"""What every source that can be polled must hold: each answer once, none lost, errors named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from connector.domain import Note
from connector.errors import ConnectorError, Paused, Refused, TryLater
from tests.contract.source_bench import SourceBench, ids
from tests.contract.watching import (
    HANGS_SECONDS,
    IMPATIENT,
    IN_TIME_SECONDS,
    http_date,
    is_bounded,
    stopwatch,
    timeouts,
)

HTML = "<html><body><h1>Bad gateway</h1></body></html>"
A_MINUTE = timedelta(minutes=1)
HALF_AN_HOUR = timedelta(minutes=30)  # apart: then answers reach back further than any overlap
SETTLED = timedelta(seconds=30)  # so old that no source waits for an answer to show up any more


def many(bench: SourceBench, pages: float, apart: timedelta = timedelta(seconds=1)) -> list[str]:
    """So many answers that they fill that many pages; those around a page's end share a second."""
    size = bench.harness.rows_per_page
    count, seeded = int(size * pages), []
    first = bench.ago(hours=3) - count * apart
    for number in range(count):
        place = size if abs(number - size) <= 5 else number
        seeded.append(bench.add(first + place * apart))
    return seeded


def check_every_answer_arrives_exactly_once(bench: SourceBench) -> None:
    at = bench.ago(hours=1)
    first = [bench.add(at - timedelta(minutes=n)) for n in (9, 6, 3)]
    boundary = [bench.add(at), bench.add(at)]
    found, cursor = bench.poll()
    assert sorted(first + boundary) == ids(found)
    bench.wait(A_MINUTE)
    late = bench.add(at)  # in the second that the first poll ended with
    found, cursor = bench.poll(cursor)
    assert [late] == ids(found)
    bench.wait(A_MINUTE)
    more = [bench.add(at + timedelta(seconds=n)) for n in (1, 1, 40)]
    found, cursor = bench.poll(cursor)
    assert sorted(more) == ids(found)


def check_all_pages_are_read(bench: SourceBench) -> None:
    seeded = many(bench, 2.5)
    found, _ = bench.poll()
    assert sorted(seeded) == ids(found)


def check_an_idle_poll_yields_nothing(bench: SourceBench) -> None:
    for number in range(4):
        bench.add(bench.ago(minutes=number))
    found, cursor = bench.poll_until_idle(None)
    assert len(found) == 4
    for _ in range(3):
        bench.wait(A_MINUTE)
        found, cursor = bench.poll(cursor)
        assert found == []


def check_a_revised_answer_arrives_again_and_only_it(bench: SourceBench) -> None:
    seeded = [bench.add(bench.ago(hours=2, minutes=number)) for number in range(5)]
    _, cursor = bench.poll_until_idle(None)
    bench.revise(seeded[2], "I had forgotten: the invoice is wrong")
    found, _ = bench.poll_until_idle(cursor)
    assert [(seeded[2], "I had forgotten: the invoice is wrong")] == [
        (one.record, one.comment) for one in found
    ]


def check_an_answer_added_while_paging_is_not_lost(bench: SourceBench) -> None:
    seeded = many(bench, 2.5, apart=HALF_AN_HOUR)
    pages = bench.pages()
    page = next(pages)
    found = bench.read(page)
    seeded.append(bench.add(bench.now()))
    for page in pages:
        found += bench.read(page)
    rest, _ = bench.poll_until_idle(page.cursor)
    assert sorted(seeded) == ids([*found, *rest])


def check_a_revision_while_paging_is_not_lost(bench: SourceBench) -> None:
    seeded = many(bench, 2.5)
    pages = bench.pages()
    page = next(pages)
    found = bench.read(page)
    bench.revise(seeded[0], "revised while you were reading")
    bench.revise(seeded[-1], "revised while you were reading")
    for page in pages:
        found += bench.read(page)
    rest, _ = bench.poll_until_idle(page.cursor)
    newest = {one.record: one.comment for one in [*found, *rest]}
    assert sorted(seeded) == sorted(newest)
    revised = {record for record, comment in newest.items() if comment}
    assert {seeded[0], seeded[-1]} == revised


def check_an_erasure_while_paging_loses_nobody_else(bench: SourceBench) -> None:
    """Lists close up without a trace, and whoever counts pages jumps over the next answers."""
    if bench.harness.erase is None:
        return
    gone = bench.add(bench.ago(days=30), email="dora@example.com")
    also = bench.add(bench.now() - SETTLED, email="pablo@example.com")
    seeded = many(bench, 2.5, apart=HALF_AN_HOUR)
    pages = bench.pages()
    page = next(pages)
    found = bench.read(page)
    bench.harness.erase(bench.sandbox, gone, "dora@example.com")
    bench.harness.erase(bench.sandbox, also, "pablo@example.com")
    for page in pages:
        found += bench.read(page)
    rest, _ = bench.poll_until_idle(page.cursor)
    assert set(seeded) <= {one.record for one in [*found, *rest]}


def check_a_stop_between_pages_loses_nothing(bench: SourceBench) -> None:
    seeded = many(bench, 2.5, apart=HALF_AN_HOUR)
    for read_before_the_stop in (1, 2):
        pages, cursor, found = bench.pages(), None, []
        for page in islice(pages, read_before_the_stop):
            found += bench.read(page)
            cursor = page.cursor
        rest, _ = bench.poll_until_idle(cursor)
        assert sorted(seeded) == sorted({one.record for one in [*found, *rest]})


def check_every_door_gives_the_same_id(bench: SourceBench) -> None:
    if bench.harness.webhook is None:
        return
    id = bench.add(bench.ago(hours=1), email="dora@example.com")
    body, _ = bench.harness.webhook(bench.sandbox, id)
    source = bench.source()
    [record] = source.split(Note(door="webhook", body=body))
    by_webhook = source.parse(Note(door="webhook", body=record))
    [by_poll], _ = bench.poll()
    assert by_webhook is not None
    assert by_webhook.record == by_poll.record == id
    assert by_webhook.score == by_poll.score
    assert by_webhook.answered_at == by_poll.answered_at


# -- when the vendor does not play along ----------------------------------------------------------


def refusals() -> Iterator[tuple[dict[str, Any], tuple[type[ConnectorError], ...]]]:
    """What the stand-in does, and the errors that may come of it."""
    for status in (401, 403):
        yield {"fault": "status", "status": status}, (Paused,)
    yield {"fault": "status", "status": 410}, (Paused, Refused)
    for status in (429, 500, 502, 503, 504):
        yield {"fault": "status", "status": status, "body": HTML}, (TryLater,)
    yield {"fault": "status", "status": 200, "body": HTML}, (TryLater, Paused)
    yield {"fault": "drop"}, (TryLater,)
    yield {"fault": "lose_reply"}, (TryLater,)


def check_a_refusal_is_named_after_the_next_step(bench: SourceBench) -> None:
    bench.add(bench.ago(hours=1))
    for path in ("*", bench.harness.api):
        for fault, errors in refusals():
            bench.vendor.clear_faults()
            bench.vendor.fault(**fault, path=path, times=None)
            with pytest.raises(ConnectorError) as raised:
                bench.poll()
            assert isinstance(raised.value, errors), (path, fault, raised.value)
    bench.vendor.clear_faults()
    found, _ = bench.poll()
    assert len(found) == 1, "after the fault is mended it goes on by itself"


def check_a_rate_limit_waits_as_long_as_asked(bench: SourceBench) -> None:
    for as_date in (False, True):
        bench.vendor.clear_faults()
        wish = http_date(77) if as_date else "77"
        settings: dict[str, Any] = {"status": 429, "headers": {"Retry-After": wish}}
        bench.vendor.fault("status", path=bench.harness.api, times=None, **settings)
        before = len(bench.vendor.calls("GET", bench.harness.api))
        with pytest.raises(TryLater) as raised:
            bench.poll()
        assert raised.value.retry_after_seconds == pytest.approx(77, abs=10)
        assert raised.value.account_wide
        asked = len(bench.vendor.calls("GET", bench.harness.api)) - before
        assert asked == 1, "nothing is asked again before that"


def check_every_request_ends_in_time(bench: SourceBench) -> None:
    bench.add(bench.ago(hours=1))
    with timeouts() as seen:
        bench.poll()
    assert seen
    assert all(is_bounded(timeout) for timeout in seen), "a request without a time-out"
    bench.timeout = IMPATIENT
    for path in ("*", bench.harness.api):
        bench.vendor.fault("hang", path=path, times=None, seconds=HANGS_SECONDS)
        with stopwatch() as taken, pytest.raises(TryLater):
            bench.poll()
        assert taken[0] < IN_TIME_SECONDS, "nobody stopped waiting"
        bench.vendor.clear_faults()


def check_a_reply_that_is_rubbish_is_an_error_of_ours(bench: SourceBench) -> None:
    bench.add(bench.ago(hours=1))
    bodies: list[Any] = [None, "", "null", [], {}, [1], ["x", None], [[]], {"results": 3}]
    bodies += [{"results": [None, 3, {}]}, {"responses": [None, 3, {}]}, {"responses": {}}]
    bodies += [{"access_token": [], "expires_in": "soon"}, b"\xff\xfe", b'{"results": ['.ljust(99)]
    for path in ("*", bench.harness.api):
        for body in bodies:
            bench.vendor.clear_faults()
            json = {"content-type": "application/json"}
            bench.vendor.fault("status", path=path, status=200, body=body, headers=json, times=9)
            try:
                for page in bench.pages():
                    for record in page.records:
                        bench.source().parse(Note(door="poll", body=record))
            except ConnectorError:
                pass


def check_the_doctor_reads_and_tells(bench: SourceBench) -> None:
    bench.add(bench.ago(hours=1))
    assert all(finding.ok for finding in bench.source().check(bench.now()))
    for status in (401, 403, 429, 500):
        bench.vendor.fault("status", path=bench.harness.api, status=status, times=None)
        findings = bench.source().check(bench.now())
        assert not all(finding.ok for finding in findings), status
        assert all(finding.message for finding in findings)
        bench.vendor.clear_faults()


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
