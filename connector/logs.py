"""What the processes say: plain lines for a terminal, one JSON object a line for everything else.

Logs go further than the database, so they hold no personal data: an unknown exception is told by
its kind and its place (its text may quote an answer), and what looks like an address is struck out.
One answer can be followed through all processes by `response`, each of its effects by `action`.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from connector.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Iterator

Format = Literal["auto", "text", "json"]

# What `log.info("...", extra={...})` may carry; anything else is left out of the lines.
FIELDS = (
    "source",
    "record",
    "records",
    "response",
    "revision",
    "action",
    "kind",
    "sink",
    "account",
    "outcome",
    "attempt",
    "remote_id",
    "seconds",
)
_ADDRESS = re.compile(r"[^\s@<>\"':;,/*]+(?:@|%40)[^\s@<>\"':;,/]+\.[A-Za-z]{2,}")
# They tell what they do at every step, and some of it is what customers wrote.
_TALKATIVE = ("alembic", "amqp", "celery", "kombu", "redis", "simple_salesforce", "zenpy")


def set_up(format: Format = "auto", verbose: bool = False) -> None:
    """Log to stderr from here on; `auto` is text on a terminal and JSON elsewhere."""
    handler = logging.StreamHandler(sys.stderr)
    as_json = format == "json" or (format == "auto" and not sys.stderr.isatty())
    handler.setFormatter(_JsonLines() if as_json else _TextLines())
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True
    )
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Lines(logging.Formatter):
    def formatException(self, ei: object) -> str:  # noqa: N802 - the name of the base class
        error = ei[1] if isinstance(ei, tuple) else None
        return "\n".join(_told(error)) if isinstance(error, BaseException) else ""


class _TextLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname} {record.name}: {_message(record)}"
        fields = " ".join(f"{name}={value}" for name, value in _fields(record))
        told = self.formatException(record.exc_info) if record.exc_info else ""
        return "\n".join(part for part in (f"{line} {fields}".rstrip(), told) if part)


class _JsonLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **dict(_fields(record)),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["trace"] = self.formatException(record.exc_info).splitlines()
        return json.dumps(line, ensure_ascii=False, default=str)


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _message(record: logging.LogRecord) -> str:
    return _ADDRESS.sub("<address>", record.getMessage())


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    for name in FIELDS:
        value = getattr(record, name, None)
        if value is not None:
            yield name, value


def _told(error: BaseException) -> Iterator[str]:
    """The places of an exception and of what caused it; words only where they are ours."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _told(cause)
        yield "which led to:"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    words = f": {error}" if isinstance(error, ConnectorError) else ""
    yield _ADDRESS.sub("<address>", f"{type(error).__name__}{words}")
