"""The contract of sources, over every one that is registered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector import sources
from connector.sandbox import Sandbox
from tests.contract import source_checks, source_polling
from tests.contract.source_bench import SourceBench
from tests.contract.source_harness import SOURCES

Check = Callable[[SourceBench], None]

POLLED = [type for type in sources.REGISTRY if type in SOURCES and SOURCES[type].vendor]


def name(check: Check) -> str:
    return check.__name__.removeprefix("check_")


@pytest.mark.parametrize("type", sources.REGISTRY)
@pytest.mark.parametrize("check", source_checks.CHECKS, ids=name)
def test_every_source_holds_the_contract(sandbox: Sandbox, type: str, check: Check) -> None:
    check(SourceBench(SOURCES[type], sandbox))


@pytest.mark.parametrize("type", POLLED)
@pytest.mark.parametrize("check", source_polling.CHECKS, ids=name)
def test_every_polled_source_holds_the_contract(sandbox: Sandbox, type: str, check: Check) -> None:
    check(SourceBench(SOURCES[type], sandbox))
