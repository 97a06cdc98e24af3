"""One source before its stand-in: build, seed, poll, read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector import sources
from connector.domain import Note, Pulled, Response
from connector.http import Session
from connector.ports import Source, SourceSettings
from connector.sandbox import Sandbox, Vendor
from tests.contract.harness import Answer, SourceHarness
from tests.contract.source_harness import common
from tests.contract.watching import PATIENT

Adapter = Callable[[Any, Any], Any]  # a Source class, or a broken copy of one


@dataclass
class SourceBench:
    """Everything at the stand-in is as new when a bench is made."""

    harness: SourceHarness
    sandbox: Sandbox
    adapter: Adapter | None = None
    timeout: tuple[float, float] = PATIENT

    def __post_init__(self) -> None:
        self.sandbox.reset()
        self.harness.set_up(self.sandbox)

    def chosen(self, **settings: Any) -> SourceSettings:
        raw = common(self.harness, self.sandbox, settings)
        return sources.load(self.harness.type).Settings.model_validate(raw)

    def source(self, **settings: Any) -> Any:
        """A new adapter, as after a restart. It is polled, so it is more than a `Source`."""
        chosen = self.chosen(**settings)
        make = self.adapter or sources.load(self.harness.type)
        return make(chosen, Session(chosen.base_url, self.timeout))

    @property
    def vendor(self) -> Vendor:
        return self.sandbox.vendors[self.harness.vendor]

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def wait(self, span: timedelta) -> None:
        self.sandbox.clock.advance(span.total_seconds())

    def ago(self, **span: float) -> datetime:
        return self.now() - timedelta(**span)

    def add(self, at: datetime, score: int | None = 5, **about: Any) -> str:
        assert self.harness.add is not None
        return self.harness.add(self.sandbox, Answer(score, at, **about))

    def revise(self, id: str, comment: str) -> None:
        assert self.harness.revise is not None
        self.harness.revise(self.sandbox, id, comment, self.now())

    # -- polling ---------------------------------------------------------------------------------

    def pages(self, cursor: str | None = None, source: Any = None) -> Iterator[Pulled]:
        return iter((source or self.source()).pull(cursor, self.now()))

    def poll(self, cursor: str | None = None, source: Any = None) -> tuple[list[Response], str]:
        """All that one poll gives, and the cursor after it."""
        found: list[Response] = []
        for page in self.pages(cursor, source):
            found += self.read(page)
            cursor = page.cursor
        assert cursor is not None, "a poll that gives no page gives no cursor"
        return found, cursor

    def poll_until_idle(self, cursor: str | None) -> tuple[list[Response], str]:
        """Polls a minute apart until two in a row find nothing, twelve at most."""
        everything: list[Response] = []
        idle = 0
        for _ in range(12):
            self.wait(timedelta(minutes=1))
            found, cursor = self.poll(cursor)
            everything += found
            idle = 0 if found else idle + 1
            if idle == 2:
                break
        assert cursor is not None
        return everything, cursor

    def read(self, page: Pulled) -> list[Response]:
        source: Source = self.source()
        read = [source.parse(Note(door="poll", body=record)) for record in page.records]
        return [response for response in read if response is not None]


def ids(responses: list[Response]) -> list[str]:
    return sorted(response.record for response in responses)
