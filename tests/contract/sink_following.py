"""What every sink must hold whose cases can be followed (`connector.ports.Following`).

A sink that cannot (mail, chat) passes: nobody asks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from unittest import mock

import pytest

from connector.domain import Standing, Watched
from connector.errors import ConnectorError, Paused, TryLater
from connector.ports import Following
from tests.contract.sink_bench import PERSON, SAID, SinkBench
from tests.contract.watching import listening, secrets_of

UNTIL_TOLD = timedelta(minutes=10)  # no news that we know lag for longer
SECOND = timedelta(seconds=1)  # far sides cut fractions off
CASES = 5
RUBBISH_CURSORS = ("no cursor of ours", "c:", "t:never", "0", "{}")
HTML = "<html><body>Log in first</body></html>"

Told = dict[str, Standing]


def can_follow(bench: SinkBench) -> bool:
    return isinstance(bench.sink(), Following)


def watched(bench: SinkBench, known: Told | None = None) -> list[Watched]:
    """All our cases, as the follow-up stage would ask for them after it heard `known`."""
    heard = known or {}
    return [
        Watched(
            remote_id=row.remote_id,
            contacted=row.remote_id in heard and heard[row.remote_id].contacted_at is not None,
        )
        for row in bench.rows()
    ]


def make_cases(bench: SinkBench, count: int = CASES) -> list[str]:
    """Some cases of some time ago, oldest first; the log is empty."""
    for number in range(1, count + 1):
        bench.place(number)
        bench.settle()
    bench.wait(UNTIL_TOLD)
    bench.vendor.log.clear()
    return [row.remote_id for row in bench.rows()]


def merge(heard: Told, news: Sequence[Standing]) -> None:
    """As the stage does it: older news changes nothing."""
    for one in news:
        before = heard.get(one.remote_id)
        if before is None or one.changed_at >= before.changed_at:
            heard[one.remote_id] = one


def follow(bench: SinkBench, cursor: str | None = None, heard: Told | None = None) -> str | None:
    """One round by a new adapter, as after a restart; what is told is added to `heard`."""
    heard = {} if heard is None else heard
    sink = bench.sink()
    assert isinstance(sink, Following)
    for page in sink.follow(cursor, watched(bench, heard), bench.now()):
        merge(heard, page.standings)
        cursor = page.cursor
    return cursor


def later(bench: SinkBench, cursor: str | None, heard: Told) -> str | None:
    """What has become of everything, once the far side tells it."""
    bench.wait(UNTIL_TOLD)
    return follow(bench, cursor, heard)


def look(bench: SinkBench, *remote_ids: str) -> Told:
    sink, found = bench.sink(), Told()
    assert isinstance(sink, Following)
    merge(found, sink.look([Watched(remote_id=one) for one in remote_ids], bench.now()))
    return found


def state(heard: Told, remote_id: str) -> str:
    return heard[remote_id].state if remote_id in heard else "nothing heard"


def between(began: datetime, when: datetime | None, ended: datetime) -> bool:
    return when is not None and began - SECOND <= when <= ended + SECOND


def check_a_first_round_tells_how_every_case_stands(bench: SinkBench) -> None:
    if not can_follow(bench):
        return
    began = bench.now()
    untouched, touched, done, *_ = make_cases(bench)
    bench.harness.touch(bench.sandbox, touched)
    bench.harness.close(bench.sandbox, done)
    heard = Told()
    later(bench, None, heard)
    states = {one: state(heard, one) for one in (touched, done)}
    assert states == {touched: "contacted", done: "closed"}
    assert state(heard, untouched) in ("open", "nothing heard")
    assert between(began, heard[touched].contacted_at, bench.now())
    assert all(one.changed_at <= bench.now() + SECOND for one in heard.values())
    assert all(one.status for one in heard.values())


def check_a_closed_case_is_told_with_its_time(bench: SinkBench) -> None:
    if not can_follow(bench):
        return
    first, second, *_ = make_cases(bench)
    heard = Told()
    cursor = follow(bench, None, heard)
    for number in (first, second):
        began = bench.now()
        bench.harness.close(bench.sandbox, number)
        ended = bench.now()
        cursor = later(bench, cursor, heard)
        assert state(heard, number) == "closed"
        assert between(began, heard[number].closed_at, ended)
        assert between(began, look(bench, number)[number].closed_at, ended)
    assert all(one.closed_at is None for one in heard.values() if one.state != "closed")


def check_a_touch_is_told_in_a_later_round(bench: SinkBench) -> None:
    if not can_follow(bench):
        return
    ids = make_cases(bench)
    heard = Told()
    cursor = follow(bench, None, heard)
    assert all(one.contacted_at is None for one in heard.values())
    for number in ids[:2]:
        began = bench.now()
        bench.harness.touch(bench.sandbox, number)
        cursor = later(bench, cursor, heard)
        assert state(heard, number) == "contacted"
        assert between(began, heard[number].contacted_at, bench.now())
        assert look(bench, number)[number].state == "contacted"
    assert [one for one in ids if state(heard, one) == "contacted"] == ids[:2]


def check_what_was_deleted_there_is_gone(bench: SinkBench) -> None:
    if not can_follow(bench):
        return
    ids = make_cases(bench)
    heard = Told()
    cursor = follow(bench, None, heard)
    bench.harness.delete(bench.sandbox, ids[1])
    later(bench, cursor, heard)
    told = [one for one in ids if state(heard, one) == "gone"]
    assert told == [ids[1]]
    assert {number: one.state for number, one in look(bench, *ids[:2]).items()} == {
        ids[0]: "open",
        ids[1]: "gone",
    }
    afresh = Told()
    follow(bench, None, afresh)
    assert state(afresh, ids[1]) == "gone", "a first round does not see it"


def check_a_repeated_cursor_is_harmless(bench: SinkBench) -> None:
    """News that come twice say the same; old news never undo new ones."""
    if not can_follow(bench):
        return
    touched, done, *_ = make_cases(bench)
    heard = Told()
    old = follow(bench, None, heard)
    bench.harness.touch(bench.sandbox, touched)
    later(bench, old, heard)
    bench.harness.close(bench.sandbox, done)
    later(bench, old, heard)
    known = dict(heard)
    for cursor in (old, old, None):
        again = Told()
        bench.wait(UNTIL_TOLD)
        follow(bench, cursor, again)
        merge(heard, list(again.values()))
        for number in (touched, done):
            assert state(heard, number) == state(known, number)
            assert heard[number].closed_at == known[number].closed_at
            assert heard[number].changed_at == known[number].changed_at


def check_a_stop_between_pages_loses_nothing(bench: SinkBench) -> None:
    """Each cursor that a page gives is a good place to go on from."""
    if not can_follow(bench):
        return
    ids = make_cases(bench)
    cursor = follow(bench)
    for number in ids:
        bench.harness.close(bench.sandbox, number)
    bench.wait(UNTIL_TOLD)
    heard, pages = Told(), 0
    with mock.patch(bench.harness.news_page_size, 2):
        for _ in range(4 * CASES):
            page = next(bench.sink().follow(cursor, watched(bench), bench.now()), None)
            if page is None or (not page.standings and page.cursor == cursor):
                break
            merge(heard, page.standings)
            cursor, pages = page.cursor, pages + 1
            bench.wait(timedelta(seconds=10))
    assert pages > 2, "it was one page; the check proves nothing"
    assert {one: state(heard, one) for one in ids if one in heard} == dict.fromkeys(ids, "closed")


def check_an_unusable_cursor_begins_anew(bench: SinkBench) -> None:
    """It was made by another version, or has expired; nothing stops for ever."""
    if not can_follow(bench):
        return
    [number, *_] = make_cases(bench, 2)
    bench.harness.close(bench.sandbox, number)
    for cursor in RUBBISH_CURSORS:
        heard = Told()
        cursor_then = later(bench, cursor, heard)
        assert state(heard, number) == "closed", f"nothing is heard after {cursor!r}"
        assert cursor_then != cursor


def check_following_writes_nothing(bench: SinkBench) -> None:
    if not can_follow(bench):
        return
    touched, done, gone, *_ = make_cases(bench)
    bench.harness.touch(bench.sandbox, touched)
    bench.harness.close(bench.sandbox, done)
    bench.harness.delete(bench.sandbox, gone)
    bench.wait(UNTIL_TOLD)
    bench.vendor.log.clear()
    before = bench.harness.shown(bench.state())
    cursor = follow(bench)
    follow(bench, cursor)
    look(bench, touched, done, gone)
    assert bench.effects() == CASES
    assert not bench.writes()
    assert not bench.sent(bench.harness.amends)
    assert bench.shown() == before


def check_nothing_is_said_of_what_others_made(bench: SinkBench) -> None:
    if not can_follow(bench):
        return
    bench.harness.by_hand(bench.sandbox)
    [number, *_] = ids = make_cases(bench, 2)
    heard = Told()
    cursor = follow(bench, None, heard)
    bench.harness.by_hand(bench.sandbox)
    bench.harness.touch(bench.sandbox, number)
    later(bench, cursor, heard)
    assert state(heard, number) == "contacted", "nothing was heard; the check proves nothing"
    assert set(heard) <= set(ids)
    strangers = bench.harness.strangers(bench.state())
    assert strangers, "nobody else made anything; the check proves nothing"
    assert not look(bench, *strangers), "a hint about a stranger's record is no news"


def check_a_rate_limit_is_waited_for_outside(bench: SinkBench) -> None:
    """The thread is given back; what was heard before is kept, and nothing is lost after."""
    if not can_follow(bench):
        return
    ids = make_cases(bench)
    cursor = follow(bench)
    bench.harness.close(bench.sandbox, ids[0])
    bench.wait(UNTIL_TOLD)
    bench.fault("status", status=429, headers={"Retry-After": "90"}, body=HTML, times=None)
    for ask in (lambda: follow(bench, cursor), lambda: look(bench, *ids)):
        with pytest.raises(TryLater) as caught:
            ask()
        assert caught.value.retry_after_seconds == pytest.approx(90, abs=5)
    bench.vendor.clear_faults()
    heard = Told()
    later(bench, cursor, heard)
    assert state(heard, ids[0]) == "closed"


def check_a_failing_far_side_is_asked_again_later(bench: SinkBench) -> None:
    """Garbage is no news: least of all that everything is gone."""
    if not can_follow(bench):
        return
    ids = make_cases(bench, 2)
    cursor = follow(bench)
    for answer in (
        {"status": 500, "body": HTML},
        {"status": 503, "body": HTML},
        {"status": 200, "body": HTML},
        {"status": 200, "body": []},
    ):
        bench.fault("status", times=None, **answer)
        for ask in (lambda: follow(bench, cursor), lambda: look(bench, *ids)):
            with pytest.raises(TryLater):
                ask()
        bench.vendor.clear_faults()
    assert {one.state for one in look(bench, *ids).values()} == {"open"}


def check_revoked_credentials_pause_it(bench: SinkBench) -> None:
    if not can_follow(bench):
        return
    ids = make_cases(bench, 2)
    cursor = follow(bench)
    bench.harness.revoke(bench.sandbox)
    for ask in (lambda: follow(bench, cursor), lambda: follow(bench), lambda: look(bench, *ids)):
        with pytest.raises(Paused):
            ask()
    bench.harness.restore(bench.sandbox)
    assert {one.state for one in look(bench, *ids).values()} == {"open"}


def check_following_says_nothing_secret_or_personal(bench: SinkBench) -> None:
    if not can_follow(bench):
        return
    with listening() as heard:
        ids = make_cases(bench, 2)
        bench.harness.close(bench.sandbox, ids[0])
        for status in (400, 403, 404, 422):
            answer = {**bench.harness.echo(f"no: {PERSON} {SAID}"), "status": status}
            bench.fault("status", times=4, **answer)
            for ask in (lambda: follow(bench), lambda: look(bench, *ids)):
                try:
                    ask()
                except ConnectorError as error:
                    heard.error(error)
            bench.vendor.clear_faults()
        bench.harness.revoke(bench.sandbox)
        try:
            look(bench, *ids)
        except ConnectorError as error:
            heard.error(error)
        secrets = secrets_of(bench.sandbox)
    assert heard.leaks([*secrets, PERSON, SAID]) == []


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
