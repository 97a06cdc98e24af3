"""What checks watch from outside: time-outs on the wire, texts in logs and errors, the clock."""

from __future__ import annotations

import base64
import json
import logging
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from unittest import mock

from urllib3.connectionpool import HTTPConnectionPool

from connector.sandbox import Sandbox

PATIENT = (3.0, 20.0)  # seconds to connect and of silence, for adapters under test
IMPATIENT = (3.0, 0.2)  # where the stand-in is not going to answer
HANGS_SECONDS = 5.0  # how long it holds such a request
IN_TIME_SECONDS = 4.5  # three tries of a read end before this, waiting for the stand-in does not


def http_date(seconds: float) -> str:
    """So far from now, as a `Retry-After` says it."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@contextmanager
def timeouts() -> Iterator[list[Any]]:
    """The time-out of every HTTP request inside, whichever client and session made it."""
    seen: list[Any] = []
    real = HTTPConnectionPool.urlopen

    def urlopen(self: HTTPConnectionPool, *args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs.get("timeout"))
        return real(self, *args, **kwargs)

    with mock.patch.object(HTTPConnectionPool, "urlopen", urlopen):
        yield seen


def is_bounded(timeout: Any) -> bool:
    """Whether a urllib3 time-out ends both the connecting and the reading."""
    parts = (getattr(timeout, "connect_timeout", timeout), getattr(timeout, "read_timeout", None))
    return all(isinstance(part, int | float) and 0 < part <= 60 for part in parts)


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """A list that holds the seconds once the block has ended."""
    began, taken = time.monotonic(), list[float]()
    try:
        yield taken
    finally:
        taken.append(time.monotonic() - began)


@dataclass
class Heard:
    """Everything that could have ended in a log file or before somebody's eyes."""

    texts: list[str] = field(default_factory=list)

    def error(self, error: BaseException) -> None:
        """With its whole chain, as a log would print it."""
        self.texts.append("".join(traceback.format_exception(error)))
        self.texts.append(repr(error))

    def leaks(self, secrets: Iterable[str]) -> list[str]:
        """Those of `secrets` that were said, each with what was around it."""
        return [
            f"{secret[:4]}… in {text[max(0, place - 60) : place + 20]!r}"
            for secret in secrets
            for text in self.texts
            if (place := text.find(secret)) >= 0
        ]


@contextmanager
def listening() -> Iterator[Heard]:
    """All log records of all levels, as text."""
    heard = Heard()
    formatter = logging.Formatter("%(name)s %(message)s")

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.texts.append(formatter.format(record))

    root, ear = logging.getLogger(), Ear(logging.DEBUG)
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield heard
    finally:
        root.removeHandler(ear)
        root.setLevel(level)


def secrets_of(sandbox: Sandbox) -> list[str]:
    """Everything that opens a door: configured, derived, and handed out meanwhile."""
    known = sandbox.secrets
    endings = ("TOKEN", "SECRET", "PASSWORD", "API_KEY")
    found = [value for name, value in known.items() if name.endswith(endings)]
    pairs = (
        f"{known['ZENDESK_EMAIL']}/token:{known['ZENDESK_API_TOKEN']}",
        f"{known['DELIGHTED_API_KEY']}:",
        f"\0{known['SMTP_USER']}\0{known['SMTP_PASSWORD']}",
    )
    found += [base64.b64encode(pair.encode()).decode().rstrip("=") for pair in pairs]
    key = json.loads(known["GOOGLE_SERVICE_ACCOUNT"])["private_key"]
    found += [line for line in key.splitlines() if line and not line.startswith("-")]
    for vendor in (sandbox.google, sandbox.hotjar, sandbox.salesforce):
        with vendor.lock:
            found += list(vendor.state.get("tokens", {}))
    return found
