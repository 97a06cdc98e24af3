"""The world outside, as a process of its own: it sends webhooks and it is the far side of sinks.

It prints its port, and is told what to do by `POST /<order>` with a JSON object of arguments:
`behave`, `count`, `load`, `flow`, `react`; each answers with JSON when it is done. Everything else
is a call of a sink: each line of its body is one effect.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Any

from benchmarks.answers import Answers
from benchmarks.wire import Caller, Messages, reply

_IDLE_SECONDS = 0.002


class FarSide:
    """What the sinks have called so far."""

    def __init__(self) -> None:
        self.delay_seconds = 0.0
        self.heard: Callable[[bytes, float], None] | None = None
        self.reset()

    def reset(self) -> None:
        self.calls = self.effects = 0
        self.first_at = self.last_at = 0.0

    def count(self) -> dict[str, float]:
        """`seconds` from the first call to the last."""
        seconds = self.last_at - self.first_at
        return {"calls": self.calls, "effects": self.effects, "seconds": seconds}

    def called(self, body: bytes, now: float) -> None:
        self.calls += 1
        self.effects += body.count(b"\n")
        self.first_at = self.first_at or now
        self.last_at = now
        if self.heard is not None:
            self.heard(body, now)


class Door(Messages):
    """One connection from a sink, or from the benchmark that gives orders."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def came(self, first_line: bytes, body: bytes) -> None:
        order = first_line.split(b" ", 2)[1].decode()[1:]
        work = self._world.orders.get(order)
        if work is not None:
            self._task = asyncio.get_running_loop().create_task(self._obey(work, json.loads(body)))
            return
        loop, far_side = asyncio.get_running_loop(), self._world.far_side
        far_side.called(body, loop.time())
        if far_side.delay_seconds:
            loop.call_later(far_side.delay_seconds, self.transport.write, reply())
        else:
            self.transport.write(reply())

    async def _obey(self, work: Callable[..., Any], arguments: dict[str, Any]) -> None:
        try:
            result = await work(**arguments)
        except Exception as error:  # noqa: BLE001 - whoever gave the order has to hear of it
            result = {"error": f"{type(error).__name__}: {error}"}
        self.transport.write(reply(json.dumps(result).encode()))


class World:
    def __init__(self) -> None:
        self.far_side = FarSide()
        self.orders: dict[str, Callable[..., Any]] = {
            "behave": self._behave,
            "count": self._count,
            "load": self._load,
            "flow": self._flow,
            "react": self._react,
        }

    async def _behave(self, delay_seconds: float) -> dict[str, float]:
        self.far_side.delay_seconds = delay_seconds
        self.far_side.reset()
        return {}

    async def _count(self) -> dict[str, float]:
        return self.far_side.count()

    async def _load(
        self, port: int, lanes: int, seconds: float, warm_seconds: float = 0.5
    ) -> dict[str, Any]:
        """As many webhooks as `lanes` connections get answered, one after the other on each."""
        load = _Load(port)
        await load.run(lanes, warm_seconds + seconds, warm_seconds)
        return load.result(seconds)

    async def _flow(
        self, port: int, lanes: int, seconds: float, backlog: int, warm_seconds: float = 1.0
    ) -> dict[str, Any]:
        """The same, but never more than `backlog` answers sent whose effect has not come yet."""
        self.far_side.reset()
        load = _Load(port)
        load.may_send = lambda: load.answers.made - self.far_side.effects < backlog
        before: list[int] = []
        loop = asyncio.get_running_loop()
        loop.call_later(warm_seconds, lambda: before.append(self.far_side.effects))
        await load.run(lanes, warm_seconds + seconds, warm_seconds)
        effects = self.far_side.effects - before[0]
        return {**load.result(seconds), "effects_per_second": effects / seconds}

    async def _react(self, port: int, answers: int, pause_seconds: float) -> dict[str, Any]:
        """One answer after the other; milliseconds from its 202 until its effect."""
        load = _Load(port)
        load.may_send = lambda: False
        took: list[float] = []
        for _ in range(answers):
            effect = asyncio.get_running_loop().create_future()
            self.far_side.heard = lambda _body, now, f=effect: f.done() or f.set_result(now)
            load.left = 1
            load.may_send = lambda: load.left > 0
            await load.run_once()
            came_at = await asyncio.wait_for(effect, 60)
            took.append((came_at - load.last_answered_at) * 1000)
            await asyncio.sleep(pause_seconds)
        self.far_side.heard = None
        return {"milliseconds": took}


class _Load:
    def __init__(self, port: int) -> None:
        self.answers = Answers("127.0.0.1", port)
        self.may_send: Callable[[], bool] = lambda: True
        self.left = 0
        self.last_answered_at = 0.0
        self._port = port
        self._counts_from = 0.0
        self._until = 0.0
        self._took: list[float] = []
        self._statuses: dict[int, int] = {}
        self._line: Caller | None = None
        self._answered = asyncio.Event()

    async def run(self, lanes: int, seconds: float, warm_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._counts_from = loop.time() + warm_seconds
        self._until = loop.time() + seconds
        lines = [await self._connect() for _ in range(lanes)]
        await asyncio.sleep(seconds)
        for line in lines:
            line.transport.abort()

    async def run_once(self) -> None:
        """Send one request on a line of its own that stays open; until it is answered."""
        self._until = float("inf")
        self._answered.clear()
        if self._line is None:
            self._line = await self._connect()
        else:
            self._ask(self._line)
        await self._answered.wait()

    def result(self, seconds: float) -> dict[str, Any]:
        took = sorted(self._took)
        return {
            "per_second": len(took) / seconds,
            "p50_milliseconds": _at(took, 0.5) * 1000,
            "p99_milliseconds": _at(took, 0.99) * 1000,
            "refused": sum(n for status, n in self._statuses.items() if status != 202),
        }

    async def _connect(self) -> Caller:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(
            lambda: Caller(self._ask, self._tell), "127.0.0.1", self._port
        )
        return line

    def _ask(self, line: Caller) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._until:
            return
        if self.may_send():
            self.left -= 1
            line.send(self.answers.request())
        elif self._until != float("inf"):
            loop.call_later(_IDLE_SECONDS, self._ask, line)

    def _tell(self, line: Caller, status: int) -> None:
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self.last_answered_at = line.answered_at
        self._answered.set()
        if status == 202 and self._counts_from <= line.answered_at < self._until:
            self._took.append(line.answered_at - line.sent_at)


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


async def _serve() -> None:
    world = World()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Door(world), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)  # noqa: T201 - whoever started us reads it
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
