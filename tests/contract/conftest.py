"""One running sandbox for the whole suite; every check begins with all stand-ins as new."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import patience
from connector.sandbox import Sandbox

# The plain functions beside the tests use assert as well, and should say as much when it fails.
HELPERS = sorted(path.stem for path in Path(__file__).parent.glob("*_*.py"))
pytest.register_assert_rewrite(
    *(f"tests.contract.{name}" for name in HELPERS if not name.startswith("test_"))
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads that may be repeated are repeated as often as ever, but without a pause."""
    monkeypatch.setattr(patience, "FIRST_WAIT_SECONDS", 0.001)
