"""Opening the database, and the two ways to use it: `write` a short transaction, `read`.

SQLite runs in WAL with `synchronous=FULL`, and one writer thread per process groups the commits of
everybody who waits; PostgreSQL gets ordinary transactions from a pool.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, IntegrityError, OperationalError

from connector.store import deadlines, writer
from connector.store.trouble import Collided, StoreDown, has_collided, is_down, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["Collided", "Store", "StoreDown", "is_down", "ping"]

T = TypeVar("T")
_SPARE_CONNECTIONS = 8  # for whoever looks, rings or renews beside those that work
_MOST_CONNECTIONS = 40  # a thread needs one for some milliseconds; the rest of its time it calls
_IDLE_SECONDS = 1.0  # a connection that was used since then needs no question whether it lives
_COLLISIONS = 5  # deadlocks with other processes in a row before we say that something is wrong
# A server whose machine vanished without a word is noticed after 25 s; else it would be after
# hours, with every thread waiting. https://www.postgresql.org/docs/current/libpq-connect.html
_NOTICE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_BUSY_SECONDS = 30.0  # how long another process may write before we say that nothing can be written
_ASK_SECONDS = 0.001  # how often we ask meanwhile: SQLite's own waiting sleeps through the gaps
_HANDS = 2  # groups of webhooks on their way to PostgreSQL at once: one waits for its disk


class Store:
    """One database. Safe to use from many threads; close it when done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.senders = 0  # how many wait for the 202 of their webhook; the door counts them
        self._writer: writer.Writer | None = None  # SQLite
        self._hands: ThreadPoolExecutor | None = None  # PostgreSQL
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
            with translated():
                return self._transact(self.engine, work, _COLLISIONS if again else 0)
        writing = self._sqlite_writer()
        if writing.is_current_thread():
            raise RuntimeError("write() inside write(): pass the connection down instead")
        with translated():
            result: T = writing.submit(work, urgent=False).result()
            return result

    def write_first(self, work: Callable[[Connection], T]) -> Future[T]:
        """The same without waiting, and before all others: for webhooks, whose senders wait.

        The future is set in a thread of the store. Its exception is what `write` would raise, or
        one that `is_down` knows.
        """
        if self.is_sqlite:
            return self._sqlite_writer().submit(work, urgent=True)
        with self._lock:
            if self._closed:
                raise StoreDown("the store is closed")
            if self._hands is None:
                self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="store-hand")
            return self._hands.submit(self.write, work)

    def _sqlite_writer(self) -> writer.Writer:
        with self._lock:
            if self._closed:
                raise StoreDown("the store is closed")
            if self._writer is None:
                self._writer = writer.Writer(self.engine, lambda: self.senders)
            return self._writer

    def write_one(self, work: Callable[[Connection], T]) -> T:
        """The same for work whose first statement writes and whose others, if any, only read: that
        statement is its own transaction, which spares PostgreSQL two of three questions."""
        if self.is_sqlite:
            return self.write(work)
        alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with translated():
            return self._transact(alone, work, _COLLISIONS)

    def _transact(self, engine: Engine, work: Callable[[Connection], T], more: int) -> T:
        try:
            with engine.begin() as connection:
                return work(connection)
        except (OperationalError, IntegrityError) as error:
            if not has_collided(error) or more == 0:
                raise
        return self._transact(engine, work, more - 1)

    @contextlib.contextmanager
    def read(self, snapshot: bool = False) -> Iterator[Connection]:
        """A connection for reading. On SQLite all that is read with it is of one moment; on
        PostgreSQL with `snapshot` only, which costs some 150 us more.

        Raises:
            StoreDown: when the database is down.
            TooSlow: when it takes longer than whoever asks may wait (`deadlines.at_most`).
        """
        engine = self.engine
        if snapshot and not self.is_sqlite:
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with translated(), engine.connect() as connection, deadlines.bounded(connection):
            yield connection

    def close(self) -> None:
        with self._lock:
            self._closed = True
        if self._writer is not None:
            self._writer.close()
        if self._hands is not None:
            self._hands.shutdown()
        self.engine.dispose()


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
        connect_args={k: v for k, v in _NOTICE.items() if k not in parsed.query},
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
    if threading.current_thread().name != writer.THREAD:
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


def ping(store: Store) -> None:
    """Raises StoreDown when the database does not answer."""
    with store.read() as connection:
        connection.execute(text("SELECT 1"))
