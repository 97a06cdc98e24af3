"""What every sink must hold that can list what we made (`connector reconcile`).

A sink that cannot (mail, chat) passes: nobody asks it.
"""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

from connector.ports import Listing, Made
from tests.contract.sink_bench import SinkBench

UNTIL_SHOWN = timedelta(minutes=10)  # no list that we know lags for longer
CASES = 5


def listed(bench: SinkBench, ago: timedelta = timedelta(hours=1)) -> list[Made]:
    sink = bench.sink()
    assert isinstance(sink, Listing)
    return list(sink.made_since(bench.now() - ago, bench.now()))


def can_list(bench: SinkBench) -> bool:
    return isinstance(bench.sink(), Listing)


def make_cases(bench: SinkBench, count: int = CASES) -> None:
    """Some cases, one after the other, and long enough ago to be shown; the log is empty."""
    for number in range(1, count + 1):
        bench.place(number)
        bench.settle()
    bench.wait(UNTIL_SHOWN)
    bench.vendor.log.clear()


def told(made: Made) -> tuple[str, str, str]:
    return made.key, made.remote_id, made.url


def check_exactly_what_we_made_is_listed(bench: SinkBench) -> None:
    """By its key, as the receipts say it, and nothing that others made."""
    if not can_list(bench):
        return
    bench.harness.by_hand(bench.sandbox)
    make_cases(bench)
    began = bench.now() - UNTIL_SHOWN - timedelta(minutes=5)
    found = listed(bench)
    assert sorted(map(told, found)) == sorted((r.key, r.remote_id, r.url) for r in bench.rows())
    assert all(began <= made.made_at <= bench.now() for made in found)
    assert not any(made.gone for made in found)


def check_every_page_is_listed(bench: SinkBench) -> None:
    """Also where the vendor asks to wait between two of them."""
    if not can_list(bench):
        return
    make_cases(bench)
    method, path = bench.harness.lists
    bench.fault("status", method=method, path=path, status=429, skip=1, times=2)
    with mock.patch(bench.harness.page_size, 2):
        found = listed(bench)
    assert sorted(made.key for made in found) == sorted(row.key for row in bench.rows())
    assert len(bench.sent(bench.harness.lists)) > 3, "it was one page; the check proves nothing"


def check_listing_writes_nothing(bench: SinkBench) -> None:
    if not can_list(bench):
        return
    make_cases(bench)
    before = bench.state()
    listed(bench)
    assert bench.effects() == CASES
    assert not bench.writes()
    assert not bench.sent(bench.harness.amends)
    assert bench.shown() == bench.harness.shown(before)


def check_what_was_deleted_there_is_not_listed_as_alive(bench: SinkBench) -> None:
    if not can_list(bench):
        return
    make_cases(bench, 2)
    gone, alive = bench.rows()
    bench.harness.delete(bench.sandbox, gone.remote_id)
    bench.wait(UNTIL_SHOWN)
    assert [made.key for made in listed(bench) if not made.gone] == [alive.key]


def check_what_was_made_later_is_listed_and_what_is_old_need_not_be(bench: SinkBench) -> None:
    if not can_list(bench):
        return
    make_cases(bench, 1)
    bench.wait(timedelta(hours=3))
    late = bench.place(2)
    bench.settle()
    bench.wait(UNTIL_SHOWN)
    assert late in [made.key for made in listed(bench)]


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
