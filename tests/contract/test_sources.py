"""The contract of sources, over every one that is registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector import sources
from connector.sandbox import Sandbox
from tests.contract import source_checks, source_polling
from tests.contract.source_bench import SourceBench
from tests.contract.source_harness import SOURCES

Check = Callable[[SourceBench], None]


def name(check: Check) -> str:
    return check.__name__.removeprefix("check_")


def cases(checks: list[Check], polled: bool) -> list[Any]:
    return [
        pytest.param(type, check, id=f"{type}-{name(check)}")
        for type in sources.REGISTRY
        for check in checks
        if type in SOURCES
        and name(check) not in SOURCES[type].exempt
        and (SOURCES[type].vendor or not polled)
    ]


@pytest.mark.parametrize(("type", "check"), cases(source_checks.CHECKS, polled=False))
def test_every_source_holds_the_contract(sandbox: Sandbox, type: str, check: Check) -> None:
    check(SourceBench(SOURCES[type], sandbox))


@pytest.mark.parametrize(("type", "check"), cases(source_polling.CHECKS, polled=True))
def test_every_polled_source_holds_the_contract(sandbox: Sandbox, type: str, check: Check) -> None:
    check(SourceBench(SOURCES[type], sandbox))
