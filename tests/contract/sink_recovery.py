"""What every sink must hold: one effect, whatever is lost, killed or late on the way.

A sink that can neither look up nor rely on a key (mail, chat) makes at most one, and says so.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from connector.delivery import LEASE
from connector.domain import Prepared
from tests.contract.sink_bench import Killed, SinkBench
from tests.contract.sink_harness import with_subject
from tests.contract.watching import IMPATIENT, PATIENT

AFTER_THE_KEY = timedelta(hours=2, minutes=5)  # no vendor that we know keeps a key for longer
HTML = "<html><body><h1>Internal error</h1></body></html>"


def assert_one_effect(bench: SinkBench, about: object = "") -> None:
    """Exactly one and done; where nobody can be asked, at most one, and in doubt if unheard."""
    [row], made = bench.rows(), bench.effects()
    if bench.at_most_once and row.state == "in_doubt":
        assert made <= 1, f"{about}: {made} effects"
        return
    assert (row.state, made) == ("done", 1), f"{about}: {row.state}, {made} made, {row.error}"


def check_a_quiet_delivery_makes_one_effect_with_a_receipt(bench: SinkBench) -> None:
    key = bench.place()
    bench.settle()
    row = bench.row(key)
    assert (row.state, row.attempts, row.error) == ("done", 1, None)
    assert bench.effects() == 1
    assert row.remote_id
    assert row.url.startswith("https://") == bench.harness.has_url
    assert not bench.alarms()


def check_one_write_goes_over_the_wire(bench: SinkBench) -> None:
    """No hidden retry: not in a quiet run, and not when the reply to it gets lost."""
    bench.place()
    bench.settle()
    assert len(bench.writes()) == 1
    for fault in ("lose_reply", "drop"):
        bench.anew()
        bench.fault_writes(fault)
        bench.place()
        bench.deliver()
        assert len(bench.writes()) == 1, f"sent again at once after {fault}"


def each_request(bench: SinkBench) -> Iterator[int]:
    """The number (from 0) of each request of a quiet delivery; all is as new after each."""
    bench.place()
    bench.settle()
    for number in range(0, len(bench.requests()), bench.every):
        bench.anew()
        yield number


def check_a_lost_reply_makes_nothing_twice(bench: SinkBench) -> None:
    for lost in each_request(bench):
        bench.fault("lose_reply", skip=lost)
        bench.place()
        bench.settle()
        assert_one_effect(bench, f"reply {lost + 1} was lost")


def check_a_lost_reply_makes_nothing_twice_after_the_key_has_died(bench: SinkBench) -> None:
    for lost in each_request(bench):
        bench.fault("lose_reply", skip=lost)
        bench.place()
        bench.deliver()
        bench.wait(AFTER_THE_KEY)
        bench.settle()
        assert_one_effect(bench, f"reply {lost + 1} was lost")


def check_a_slow_far_side_makes_nothing_twice(bench: SinkBench) -> None:
    """It acts after we have stopped waiting: what is not found yet may still come."""
    bench.place()
    bench.fault_writes("slow", seconds=0.6)
    bench.timeout = IMPATIENT
    bench.deliver()
    bench.timeout = PATIENT
    bench.wait(timedelta(seconds=15))  # past the wait after a failure, before the look that counts
    bench.deliver()
    for _ in range(80 if bench.at_most_once else 500):
        if any(request["fault"] == "slow" for request in bench.requests()):
            break
        threading.Event().wait(0.01)
    bench.settle()
    assert_one_effect(bench)
    if not bench.capabilities.key_lifetime:
        assert len(bench.writes()) <= 1, "sent again while the first could still arrive"


# -- amendments -----------------------------------------------------------------------------------


def open_case(bench: SinkBench) -> Any:
    """The row of a case that is done, its stand-in's log emptied."""
    key = bench.place()
    bench.settle()
    bench.vendor.log.clear()
    return bench.row(key)


def amend(bench: SinkBench, case: Any) -> str:
    return bench.place(1, amends=case, score=1, comment="And now it broke", revision=2)


def assert_one_note(bench: SinkBench, key: str, about: object = "") -> None:
    row = bench.row(key)
    found = (row.state, bench.effects(), bench.notes(key))
    assert found == ("done", 1, 1), f"{about}: {found} {row.error}"


def check_an_amendment_is_one_note(bench: SinkBench) -> None:
    if not bench.capabilities.opens_case:
        return
    key = amend(bench, open_case(bench))
    bench.settle()
    assert_one_note(bench, key)
    assert len(bench.sent(bench.harness.amends)) == 1
    assert any("And now it broke" in shown.text for shown in bench.shown())


def lost_amendments(bench: SinkBench) -> Iterator[tuple[int, str]]:
    """Amendments of which each loses another reply; the round in which that happens is over."""
    if not bench.capabilities.opens_case:
        return
    amend(bench, open_case(bench))
    bench.settle()
    for lost in range(0, len(bench.requests()), bench.every):
        bench.anew()
        case = open_case(bench)
        bench.fault("lose_reply", skip=lost)
        key = amend(bench, case)
        bench.deliver()
        yield lost + 1, key


def check_a_lost_reply_makes_no_note_twice(bench: SinkBench) -> None:
    for lost, key in lost_amendments(bench):
        bench.settle()
        assert_one_note(bench, key, f"reply {lost} was lost")


def check_a_lost_reply_makes_no_note_twice_after_hours(bench: SinkBench) -> None:
    for lost, key in lost_amendments(bench):
        bench.wait(AFTER_THE_KEY)
        bench.settle()
        assert_one_note(bench, key, f"reply {lost} was lost")


def check_a_closed_case_is_left_alone(bench: SinkBench) -> None:
    if not bench.capabilities.opens_case:
        return
    case = open_case(bench)
    bench.harness.close(bench.sandbox, case.remote_id)
    key = amend(bench, case)
    bench.settle()
    row = bench.row(key)
    assert row.state == "parked"
    assert "nothing was written" in row.error
    assert bench.notes(key) == 0
    assert bench.effects() == 1


# -- kills ----------------------------------------------------------------------------------------


class Dies:
    """A sink whose process ends around its call; everything else is the real one's."""

    def __init__(self, sink: Any, after: bool) -> None:
        self.sink = sink
        self.after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sink, name)

    def send(self, batch: Sequence[Prepared], now: Any) -> Any:
        if self.after:
            self.sink.send(batch, now)
        raise Killed


def check_a_kill_around_the_call_makes_nothing_twice(bench: SinkBench) -> None:
    for after in (True, False):
        for gone in (LEASE, AFTER_THE_KEY):
            bench.anew()
            bench.place()
            with pytest.raises(Killed):
                bench.deliver(Dies(bench.sink(), after))
            assert bench.states() == ["sending"]
            bench.wait(gone + timedelta(seconds=1))
            bench.settle()
            assert_one_effect(bench, f"killed {'after' if after else 'before'}, back in {gone}")


def check_a_kill_around_an_amendment_makes_no_note_twice(bench: SinkBench) -> None:
    if not bench.capabilities.opens_case:
        return
    for after in (True, False):
        bench.anew()
        key = amend(bench, open_case(bench))
        with pytest.raises(Killed):
            bench.deliver(Dies(bench.sink(), after))
        bench.wait(AFTER_THE_KEY)
        bench.settle()
        assert_one_note(bench, key, f"killed {'after' if after else 'before'}")


# -- the second try -------------------------------------------------------------------------------


def check_a_second_try_sends_the_same_bytes(bench: SinkBench) -> None:
    """Rules, templates and the clock have moved on; what was frozen has not."""
    for gone in (timedelta(minutes=3), AFTER_THE_KEY):
        bench.anew()
        bench.fault_writes("drop", times=2)
        bench.place()
        bench.deliver()
        bench.rewrite_orders(with_subject(bench.harness, "Rendered anew"))
        bench.wait(gone)
        bench.settle()
        bodies = [write["body"] for write in bench.writes()]
        assert len(bodies) == 3
        assert len(set(bodies)) == 1, "the request was built anew"
        assert not any("Rendered anew" in shown.text for shown in bench.shown())
        assert_one_effect(bench)


def check_a_500_makes_nothing_twice(bench: SinkBench) -> None:
    for status in (500, 502, 504):
        bench.anew()
        bench.fault_writes("status", status=status, body=HTML)
        bench.place()
        bench.settle()
        assert_one_effect(bench, status)


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
