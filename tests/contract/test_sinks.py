"""The contract of sinks, over every one that is registered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector import sinks
from tests.contract import (
    sink_following,
    sink_listing,
    sink_news,
    sink_recovery,
    sink_troubles,
)
from tests.contract.sink_bench import SinkBench
from tests.contract.sink_harness import SINKS

Check = Callable[[SinkBench], None]
MakeBench = Callable[..., SinkBench]
CHECKS = [
    *sink_recovery.CHECKS,
    *sink_troubles.CHECKS,
    *sink_listing.CHECKS,
    *sink_following.CHECKS,
    *sink_news.CHECKS,
]


def name(check: Check) -> str:
    return check.__name__.removeprefix("check_")


CASES = [
    pytest.param(kind, check, id=f"{kind}-{name(check)}")
    for kind in sinks.REGISTRY
    for check in CHECKS
    if kind in SINKS and name(check) not in SINKS[kind].exempt
]


@pytest.mark.parametrize(("kind", "check"), CASES)
def test_every_sink_holds_the_contract(new_bench: MakeBench, kind: str, check: Check) -> None:
    check(new_bench(SINKS[kind]))
