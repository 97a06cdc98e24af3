"""One stand-in as an ASGI application: reads the request, plays the faults, sends the reply."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from connector.sandbox.core import Call, Fault, Refusal, Reply, Vendor

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CONTROL = "/_sandbox/"


class App:
    """Serve a vendor. `stopping` ends every held request at once."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.stopping = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = await _read(scope, receive)
        if call.path.startswith(CONTROL):
            # In a thread: a pair of hands may call a webhook, and these servers go on serving.
            await _send(send, await asyncio.to_thread(self._control, call))
            return
        fault = self.vendor.next_fault(call)
        if fault is None:
            await self._work(call, scope, send, None)
        elif fault.fault in ("drop", "hang"):
            # Logged when it came: after a held request the log may be another test's.
            self.vendor.record(call, None, fault.fault)
            await self._hold(fault.seconds if fault.fault == "hang" else 0)
            await _abort(send)
        elif fault.fault == "status":
            self.vendor.record(call, fault.status, fault.fault)
            await _send(send, Reply(fault.status, fault.body, fault.headers))
        elif fault.fault == "slow":
            await self._hold(fault.seconds)
            if self.vendor.is_armed(fault):
                await self._work(call, scope, send, "slow")
            else:
                await _abort(send)
        elif fault.fault == "lose_reply":
            reply = self.vendor.answer(call, _raw_path(scope))
            self.vendor.record(call, reply.status, fault.fault)
            await _abort(send)
        else:
            await self._work(_with_fault(call, fault), scope, send, fault.fault)

    async def _work(self, call: Call, scope: Scope, send: Send, fault: str | None) -> None:
        reply = self.vendor.answer(call, _raw_path(scope))
        self.vendor.record(call, reply.status, fault)
        await _send(send, reply)

    async def _hold(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), timeout=seconds)

    def _control(self, call: Call) -> Reply:
        """The sandbox's own questions and switches; no vendor authentication."""
        vendor = self.vendor
        what = (call.method, call.path.removeprefix(CONTROL))
        try:
            match what:
                case ("GET", "counts"):
                    with vendor.lock:
                        return Reply(200, vendor.counts())
                case ("GET", "state"):
                    with vendor.lock:
                        return Reply(200, json.dumps(vendor.state).encode(), _JSON)
                case ("GET", "log"):
                    return Reply(200, [entry.as_json() for entry in vendor.calls()])
                case ("POST", "faults"):
                    settings = call.json()
                    for one in settings if isinstance(settings, list) else [settings]:
                        vendor.fault(**one)
                    return Reply(200, {"armed": len(vendor.faults)})
                case ("DELETE", "faults"):
                    vendor.clear_faults()
                    return Reply(200, {"armed": 0})
                case ("POST", "hands"):
                    return Reply(200, vendor.by_hand(**call.object()))
                case ("POST", "clock"):
                    vendor.clock.advance(float(call.json()["advance_seconds"]))
                    return Reply(200, {"now": vendor.clock.now().isoformat()})
        except Refusal as refusal:
            return refusal.reply
        except (KeyError, TypeError, ValueError) as wrong:
            return Reply(400, {"error": str(wrong)})
        return Reply(404, {"error": "The sandbox has counts, state, log, faults, hands and clock."})


_JSON = {"content-type": "application/json"}


async def _read(scope: Scope, receive: Receive) -> Call:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Call(scope["method"], scope["path"], {}, query, headers, b"".join(chunks))


async def _send(send: Send, reply: Reply) -> None:
    body, headers = reply.encoded()
    if reply.status != 204:
        headers["content-length"] = str(len(body))
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope["raw_path"]
    return raw.decode("latin-1")


def _with_fault(call: Call, fault: Fault) -> Call:
    return Call(
        call.method, call.path, call.params, call.query, call.headers, call.body, fault.fault
    )


async def _abort(send: Send) -> None:
    """Reset the connection. uvicorn's `send` is a bound method of the request's cycle."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]  # ASGI has no word for this
    await asyncio.sleep(0)  # uvicorn hears of it, and does not complain of a missing response
