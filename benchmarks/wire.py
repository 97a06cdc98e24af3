"""Just enough HTTP/1.1 for both ends of a benchmark: what costs nothing measures nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_HEAD_END = b"\r\n\r\n"


class Messages(asyncio.Protocol):
    """Cuts what comes in into messages: (first line, body)."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio promises
        self.transport = transport
        self.opened()

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (head_end := self._pending.find(_HEAD_END)) >= 0:
            end = head_end + len(_HEAD_END) + self._length(head_end)
            if len(self._pending) < end:
                return
            message, self._pending = self._pending[:end], self._pending[end:]
            self.came(message[: message.find(b"\r\n")], message[head_end + len(_HEAD_END) :])

    def _length(self, head_end: int) -> int:
        head = self._pending[:head_end].lower()
        at = head.find(b"content-length:")
        return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0

    def opened(self) -> None:
        """The connection stands."""

    def came(self, first_line: bytes, body: bytes) -> None:
        """One whole message."""


class Caller(Messages):
    """Keeps one connection busy: asks `ask` for a request, tells `tell` its status and body."""

    def __init__(self, ask: Callable[[Caller], None], tell: Callable[[Caller, int], None]) -> None:
        super().__init__()
        self._ask = ask
        self._tell = tell
        self.sent_at = 0.0
        self.answered_at = 0.0

    def opened(self) -> None:
        self._ask(self)

    def send(self, request: bytes) -> None:
        self.sent_at = asyncio.get_running_loop().time()
        self.transport.write(request)

    def came(self, first_line: bytes, body: bytes) -> None:
        self.answered_at = asyncio.get_running_loop().time()
        self._tell(self, int(first_line.split(b" ", 2)[1]))
        self._ask(self)


def reply(body: bytes = b"{}") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    return head + str(len(body)).encode() + b"\r\n\r\n" + body
