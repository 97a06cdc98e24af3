"""Another process that acts in the middle of ours: PostgreSQL lets two write at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from sqlalchemy import event

from connector.store import Store


@contextlib.contextmanager
def acting(store: Store, words: str, act: Callable[[Store], object]) -> Iterator[None]:
    """`act` gets a store of its own, and begins when the first statement with these words is about
    to run. It is over after a second, or it waits for what we hold. None may undo the other."""
    begun: list[Future[object]] = []
    undone: list[str] = []

    def begin(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not begun and words in statement:
            begun.append(pool.submit(act, other))
            wait(begun, timeout=1)

    def note(trouble: Any) -> None:
        undone.append(str(trouble.original_exception))

    with contextlib.closing(Store(store.url)) as other, ThreadPoolExecutor(1) as pool:
        for one in (store, other):
            event.listen(one.engine, "handle_error", note)
        event.listen(store.engine, "before_cursor_execute", begin)
        yield
        [done] = begun
        done.result()
    assert undone == []
