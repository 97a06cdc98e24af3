"""What every stand-in is made of: a clock, calls and replies, faults, and the `Vendor` base class.

A stand-in is a `Vendor` subclass: a table of routes with plain synchronous handlers over one
JSON-able `state` dict. Serving, faults, the log and saving are written once, around it.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote

LOG_ENTRIES = 50_000  # older ones fall out, so that a long-running sandbox stays small


class Clock:
    """Real time plus an offset that only tests and the demo move. One per sandbox."""

    def __init__(self, offset_seconds: float = 0.0) -> None:
        self.offset_seconds = offset_seconds

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset_seconds)

    def timestamp(self) -> float:
        """Unix seconds."""
        return time.time() + self.offset_seconds

    def advance(self, seconds: float) -> None:
        self.offset_seconds += seconds


@dataclass(frozen=True)
class Reply:
    """`body`: dict or list becomes JSON, str HTML unless `headers` say otherwise, bytes stay."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> tuple[bytes, dict[str, str]]:
        """The body bytes, and the headers with lower-case names and a content type."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.body is None:
            return b"", headers
        if isinstance(self.body, bytes):
            headers.setdefault("content-type", "application/octet-stream")
            return self.body, headers
        if isinstance(self.body, str):
            headers.setdefault("content-type", "text/html; charset=utf-8")
            return self.body.encode(), headers
        headers.setdefault("content-type", "application/json; charset=utf-8")
        return json.dumps(self.body, ensure_ascii=False).encode(), headers


class Refusal(Exception):
    """Raised anywhere in a guard or handler: the reply that the vendor gives instead."""

    def __init__(
        self, status: int, body: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"refused with {status}")
        self.reply = Reply(status, body, headers or {})


class MalformedBody(Refusal):
    """The body is not the JSON that is needed. Answered in the vendor's words: `malformed`."""

    def __init__(self) -> None:
        super().__init__(400, {"error": "The body is not valid JSON."})


@dataclass(frozen=True)
class Call:
    """One request. Paths and path parameters are percent-decoded, header names lower-case.

    `fault` is the name of a fault that the handler itself must act out (see `Vendor.own_faults`).
    """

    method: str
    path: str
    params: dict[str, str]
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    fault: str | None = None

    def q(self, name: str, default: str | None = None) -> str | None:
        """The first query parameter of that name."""
        return next((value for key, value in self.query if key == name), default)

    def json(self) -> Any:
        """The body as JSON; raises `MalformedBody`."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise MalformedBody from None

    def object(self) -> dict[str, Any]:
        """The body as a JSON object; raises `MalformedBody`."""
        body = self.json()
        if not isinstance(body, dict):
            raise MalformedBody
        return body

    def form(self) -> dict[str, str]:
        """The body as application/x-www-form-urlencoded; the last value of a name wins."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


Handler = Callable[[Call], Reply]
Route = tuple[str, str, Handler]

COMMON_FAULTS = frozenset({"lose_reply", "drop", "hang", "slow", "status"})


@dataclass
class Fault:
    """One armed fault. `path` is a prefix of the decoded path, or `*`; `times` None means always.

    `each_body`: `times` is counted for each distinct request, so that with times=1 every request
    fails once and its repetition with the same bytes succeeds. `skip`: lets that many pass first.
    """

    fault: str
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    seconds: float = 0.0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    skip: int = 0
    each_body: bool = False
    seen: dict[bytes, int] = field(default_factory=dict, repr=False)

    def fires(self, call: Call) -> bool:
        """Whether it hits this call; counts the call when it matches."""
        if self.method not in ("*", call.method) or not self.matches_path(call.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        key = b"%s %s\n%s" % (call.method.encode(), call.path.encode(), call.body)
        key = key if self.each_body else b""
        used = self.seen.get(key, 0)
        if self.times is not None and used >= self.times:
            return False
        self.seen[key] = used + 1
        return True

    def matches_path(self, path: str) -> bool:
        return self.path == "*" or path.startswith(self.path)


@dataclass(frozen=True)
class LogEntry:
    """One request as it arrived.

    `status`: what was answered, or would have been under lose_reply; None when nothing was judged.
    """

    at: str
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    status: int | None
    fault: str | None

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "body": self.body.decode("utf-8", "replace")}


class Vendor:
    """Base class of the stand-ins. `state` is JSON-able and the only place where data lives."""

    name: ClassVar[str]
    own_faults: ClassVar[frozenset[str]] = frozenset()  # acted out by handlers through Call.fault
    hands: ClassVar[frozenset[str]] = frozenset()  # methods for what the people there do

    def __init__(self, clock: Clock, state: dict[str, Any]) -> None:
        self.clock = clock
        self.state = state
        self.lock = threading.RLock()
        self.revision = 0  # grows with every change; the saver compares it
        self.faults: list[Fault] = []
        self.log: deque[LogEntry] = deque(maxlen=LOG_ENTRIES)
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    # -- what a stand-in defines ---------------------------------------------------------------

    def routes(self) -> list[Route]:
        """(METHOD, "/path/{parameter}", handler); the first match wins."""
        raise NotImplementedError

    def counts(self) -> dict[str, int]:
        """What exists because of API calls, seeds not counted."""
        return {}

    def guard(self, call: Call) -> None:
        """Authentication and limits, before each handler; raises `Refusal`."""

    def rate_headers(self, call: Call) -> dict[str, str]:
        """The vendor's rate-limit headers, added to each reply."""
        return {}

    def unknown(self, call: Call) -> Reply:
        """The vendor's answer for a path or method that it does not have."""
        return Reply(404, {"error": "Not found"})

    def malformed(self, call: Call) -> Reply:
        """The vendor's answer for a body that is not JSON."""
        return Reply(400, {"error": "The body is not valid JSON."})

    def route_path(self, raw_path: str) -> str:
        """The path that is looked up in the routes (still percent-encoded)."""
        return raw_path

    # -- what tests and seeding use ------------------------------------------------------------

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the vendor's lock and mark the state as changed. Every seeding method uses it."""
        with self.lock:
            self.revision += 1
            yield

    def fault(self, fault: str, **settings: Any) -> Fault:
        """Arm a fault (fields of `Fault`); raises ValueError for a name it does not know."""
        allowed = COMMON_FAULTS | self.own_faults
        if fault not in allowed:
            raise ValueError(
                f"unknown fault {fault!r}; {self.name} knows {', '.join(sorted(allowed))}"
            )
        armed = Fault(fault, **settings)
        with self.lock:
            self.faults.append(armed)
        return armed

    def reset(self) -> None:
        """Back to a new stand-in: its first state, no faults, an empty log."""
        with self.changing():
            fresh = type(self)(self.clock, {}).state
            self.state.clear()
            self.state.update(fresh)
            self.faults.clear()
            self.log.clear()

    def clear_faults(self) -> None:
        """Requests that a fault still holds are cut, so that none works into the next test."""
        with self.lock:
            self.faults.clear()

    def calls(self, method: str = "*", path: str = "") -> list[LogEntry]:
        """Logged requests of that method whose path starts with `path`, oldest first."""
        with self.lock:
            entries = list(self.log)
        return [e for e in entries if method in ("*", e.method) and e.path.startswith(path)]

    def by_hand(self, do: str, **settings: Any) -> Any:
        """What a person there does: one of `hands` by its name, with its arguments.

        Not under the lock: what is done may be told by a webhook, and its receiver may ask back.
        """
        if do not in self.hands:
            raise ValueError(f"{self.name} knows these hands: {', '.join(sorted(self.hands))}")
        done = getattr(self, do)(**settings)
        with self.lock:
            return copy.deepcopy(done)

    # -- what the server uses ------------------------------------------------------------------

    def next_fault(self, call: Call) -> Fault | None:
        """The first armed fault that hits this call."""
        with self.lock:
            return next((fault for fault in self.faults if fault.fires(call)), None)

    def is_armed(self, fault: Fault) -> bool:
        """Whether it was not cleared since; it may be used up."""
        with self.lock:
            return any(armed is fault for armed in self.faults)

    def answer(self, call: Call, raw_path: str) -> Reply:
        """Judge one call and do its work, under the lock."""
        with self.lock if call.method == "GET" else self.changing():
            try:
                reply = self._dispatch(call, raw_path)
            except MalformedBody:
                reply = self.malformed(call)
            except Refusal as refusal:
                reply = refusal.reply
            # Encoded here, because the body may hold parts of the state.
            body, headers = reply.encoded()
            return Reply(reply.status, body, {**self.rate_headers(call), **headers})

    def record(self, call: Call, status: int | None, fault: str | None) -> None:
        at = self.clock.now().isoformat()
        entry = LogEntry(
            at, call.method, call.path, call.query, call.headers, call.body, status, fault
        )
        with self.lock:
            self.log.append(entry)

    def _dispatch(self, call: Call, raw_path: str) -> Reply:
        path = self.route_path(raw_path)
        for method, pattern, handler in self._compiled():
            if method == call.method and (match := pattern.fullmatch(path)):
                params = {name: unquote(value) for name, value in match.groupdict().items()}
                matched = Call(
                    call.method, call.path, params, call.query, call.headers, call.body, call.fault
                )
                self.guard(matched)
                return handler(matched)
        return self.unknown(call)

    def _compiled(self) -> list[tuple[str, re.Pattern[str], Handler]]:
        if not self._routes:
            self._routes = [
                (method, _pattern(template), handler) for method, template, handler in self.routes()
            ]
        return self._routes


def _pattern(template: str) -> re.Pattern[str]:
    """`{name}` takes one path segment, still percent-encoded, so that %2F stays inside it."""
    parts = re.split(r"\{(\w+)\}", template)
    pieces = [f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts)]
    return re.compile("".join(pieces))
