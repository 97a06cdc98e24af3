"""Opening the database, and the two ways to use it: `write` a short transaction, `read`.

SQLite runs in WAL with `synchronous=FULL`, and one writer thread per process groups the commits of
everybody who waits; PostgreSQL gets ordinary transactions from a pool.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from connector.errors import TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
_GROUP = 256  # jobs per commit; more would only make the first of them wait longer


class StoreDown(TryLater):
    """The database cannot be reached or written; nothing was stored."""


class Store:
    """One database. Safe to use from many threads; close it when done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction; when this returns, it is durable.

        Raises:
            StoreDown: when the database is down or full.
        """
        if not self.is_sqlite:
            with _translated(), self.engine.begin() as connection:
                return work(connection)
        if threading.current_thread() is self._writer:
            raise RuntimeError("write() inside write(): pass the connection down instead")
        with self._lock:
            if self._closed:
                raise StoreDown("the store is closed")
            if self._writer is None:
                self._writer = threading.Thread(target=self._run, name="store-writer", daemon=True)
                self._writer.start()
            job = _Job(work)
            self._jobs.put(job)
        with _translated():
            result: T = job.future.result()
            return result

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; a snapshot for as long as it is held."""
        with _translated(), self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        with self._lock:
            self._closed = True
            writer = self._writer
        if writer is not None:
            self._jobs.put(None)
            writer.join()
        self.engine.dispose()

    def _run(self) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            group, ending = [first], False
            while len(group) < _GROUP and not ending:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    ending = True
                else:
                    group.append(job)
            self._commit(group)
            if ending:
                return

    def _commit(self, group: list[_Job]) -> None:
        """One transaction for the group; a job that fails is rolled back alone."""
        done: list[tuple[_Job, Any]] = []
        try:
            with self.engine.begin() as connection:
                for job in group:
                    try:
                        with connection.begin_nested():
                            done.append((job, job.work(connection)))
                    except Exception as error:
                        if _is_gone(error):
                            raise
                        job.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - whoever waits for a job gets its error
            for job in group:
                if not job.future.done():
                    job.future.set_exception(error)
            return
        for job, result in done:
            job.future.set_result(result)


class _Job:
    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": 30, "check_same_thread": False})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return create_engine(
        parsed, pool_pre_ping=True, pool_size=10, connect_args={"connect_timeout": 5}
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see below
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # Only the writer thread takes the write lock, and at once: upgrading a read transaction
    # fails with SQLITE_BUSY when another process wrote in between.
    writing = threading.current_thread().name == "store-writer"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _is_gone(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or isinstance(error, OperationalError)
    )


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        kind = type(error.orig).__name__
        raise StoreDown(f"the database cannot be used ({kind}); see the database's log") from error


def ping(store: Store) -> None:
    """Raises StoreDown when the database does not answer."""
    with store.read() as connection:
        connection.execute(text("SELECT 1"))
