"""One running sandbox for the whole suite; every check begins with all stand-ins as new."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.sandbox import Sandbox

# The plain functions beside the tests use assert as well, and should say as much when it fails.
HELPERS = sorted(path.stem for path in Path(__file__).parent.glob("*_*.py"))
pytest.register_assert_rewrite(
    *(
        f"tests.contract.{name}"
        for name in HELPERS
        if not name.startswith("test_") and f"tests.contract.{name}" not in sys.modules
    )
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    # Thousands of lines that would hide the one that a failing check has to say.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    with Sandbox() as running:
        yield running


@pytest.fixture
def new_bench(
    sandbox: Sandbox, tmp_path: Path, sqlite_template: Path
) -> Iterator[Callable[..., Any]]:
    """Makes the bench of a sink from its harness; its store is closed at the end."""
    from tests.contract.sink_bench import SinkBench

    made: list[SinkBench] = []

    def make(harness: Any, adapter: Any = None, **more: Any) -> SinkBench:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(SinkBench(harness, sandbox, folder, sqlite_template, adapter, **more))
        return made[-1]

    yield make
    for bench in made:
        bench.store.close()
