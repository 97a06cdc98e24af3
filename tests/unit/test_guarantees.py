"""Each promise names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chaos.plan import GUARDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guarantees.md").read_text()
CHAOS = (ROOT / "docs/chaos.md").read_text()
TESTS = {
    name
    for file in (ROOT / "tests").rglob("*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", PAGE))))
def test_the_test_behind_a_promise_exists(name: str) -> None:
    assert name in TESTS


def test_every_promise_has_a_test() -> None:
    promises = PAGE.split("## Promises")[1].split("## Not promised")[0]
    rows = [line for line in promises.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    assert [row for row in rows if "`test_" not in row] == []


@pytest.mark.parametrize("guard", GUARDS)
def test_every_guard_is_explained(guard: str) -> None:
    assert re.search(rf"^\| `{guard}` \|", CHAOS, re.MULTILINE)
