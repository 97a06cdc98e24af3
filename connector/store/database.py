"""Opening the database, and the two ways to use it: `write` a short transaction, `read`.

SQLite runs in WAL with `synchronous=FULL`, and one writer thread per process groups the commits of
everybody who waits; PostgreSQL gets ordinary transactions from a pool.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    DisconnectionError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from connector.errors import TryLater

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")
_GROUP = 256  # jobs per commit; more would only make the first of them wait longer
_SPARE_CONNECTIONS = 8  # for whoever looks, rings or renews beside those that work
_MOST_CONNECTIONS = 40  # a thread needs one for some milliseconds; the rest of its time it calls
_IDLE_SECONDS = 1.0  # a connection that was used since then needs no question whether it lives
_COLLISIONS = 5  # deadlocks with other processes in a row before we say that something is wrong
_COLLISION_STATES = ("40P01", "40001", "23503", "23505")
_BUSY_SECONDS = 30.0  # how long another process may write before we say that nothing can be written
_ASK_SECONDS = 0.001  # how often we ask meanwhile: SQLite's own waiting sleeps through the gaps
_GAP_SECONDS = 0.003  # left after a commit, so that who asks gets a turn


class StoreDown(TryLater):
    """The database cannot be reached or written; nothing was stored."""


class Collided(StoreDown):
    """Two processes waited for each other; the database undid what this one had begun."""


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

    def make_room(self, threads: int) -> None:
        """So many will use it at once; told before they do."""
        if not self.is_sqlite:
            self.engine.dispose()
            self.engine = _engine(self.url, min(threads + _SPARE_CONNECTIONS, _MOST_CONNECTIONS))

    def write(self, work: Callable[[Connection], T], again: bool = True) -> T:
        """Run `work` in one transaction; when this returns, it is durable.

        `again`: it is run once more where the database undid it because of another process.

        Raises:
            StoreDown: when the database is down or full.
            Collided: when the database undid it, and keeps doing so.
        """
        if not self.is_sqlite:
            with _translated():
                return self._transact(self.engine, work, _COLLISIONS if again else 0)
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

    def write_one(self, work: Callable[[Connection], T]) -> T:
        """The same for work whose first statement writes and whose others, if any, only read: that
        statement is its own transaction, which spares PostgreSQL two of three questions."""
        if self.is_sqlite:
            return self.write(work)
        alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with _translated():
            return self._transact(alone, work, _COLLISIONS)

    def _transact(self, engine: Engine, work: Callable[[Connection], T], more: int) -> T:
        try:
            with engine.begin() as connection:
                return work(connection)
        except (OperationalError, IntegrityError) as error:
            if not _collided(error) or more == 0:
                raise
        return self._transact(engine, work, more - 1)

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
            began = time.monotonic()
            self._commit(group)
            if ending:
                return
            if time.monotonic() - began > _GAP_SECONDS:
                time.sleep(_GAP_SECONDS)

    def _commit(self, group: list[_Job]) -> None:
        """One transaction for the group; a job that fails is rolled back alone."""
        done: list[tuple[_Job, Any]] = []
        try:
            with self.engine.begin() as connection:
                for job in group:
                    try:
                        with connection.begin_nested():
                            result = job.work(connection)
                    except Exception as error:
                        if is_down(error):
                            raise
                        job.future.set_exception(error)
                    else:
                        done.append((job, result))
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


def _engine(url: str, connections: int = 10) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            _make_private(Path(parsed.database))
        connect_args = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
        engine = create_engine(parsed, connect_args=connect_args, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(
        parsed,
        pool_size=connections,
        connect_args={"connect_timeout": 5},
        hide_parameters=True,  # an error's text is logged, and parameters are customers' words
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", functools.partial(_ask_after_idleness, engine))
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _ask_after_idleness(
    engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: object
) -> None:
    """A connection that has died meanwhile is replaced; nobody notices."""
    if time.monotonic() - record.info.get("used", time.monotonic()) < _IDLE_SECONDS:
        return
    try:
        engine.dialect.do_ping(connection)
    except Exception as error:
        raise DisconnectionError from error


def _make_private(path: Path) -> None:
    """Answers and addresses are for the user who runs the connector."""
    with contextlib.suppress(OSError):  # opening it will say what is wrong
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, see below
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # Only the writer thread takes the write lock, and at once: upgrading a read transaction
    # fails with SQLITE_BUSY when another process wrote in between.
    if threading.current_thread().name != "store-writer":
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        _begin_immediately(connection, time.monotonic() + _BUSY_SECONDS)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={int(_BUSY_SECONDS * 1000)}")


def _begin_immediately(connection: Connection, deadline: float) -> None:
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            busy = getattr(error.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY")
            if not busy or time.monotonic() >= deadline:
                raise
            time.sleep(_ASK_SECONDS)
        else:
            return


def is_down(error: BaseException) -> bool:
    """Is this the database's trouble, and not that of what was asked of it?"""
    gone = (OperationalError, InterfaceError, InternalError, NoConnectionFree)
    if isinstance(error, gone) or type(error) is DatabaseError:  # SQLite: the file is damaged
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _collided(error: Exception) -> bool:
    """Did another process come in between? Deadlock, serialization failure, a row that it removed
    while we referred to it or made while we did: PostgreSQL undid the whole transaction."""
    return getattr(getattr(error, "orig", None), "sqlstate", "") in _COLLISION_STATES


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_down(error):
            raise
        kind = type(getattr(error, "orig", None) or error).__name__
        down = Collided if _collided(error) else StoreDown
        raise down(f"the database cannot be used ({kind})") from error


def ping(store: Store) -> None:
    """Raises StoreDown when the database does not answer."""
    with store.read() as connection:
        connection.execute(text("SELECT 1"))
