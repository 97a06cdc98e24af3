"""All stand-ins together: one event loop in one daemon thread, one loopback port per vendor."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import uvicorn

from connector.sandbox.asgi import App
from connector.sandbox.core import Clock, Vendor
from connector.sandbox.credentials import (
    SECRETS,
    adopt_keys,
    google_service_account,
    known_keys,
)
from connector.sandbox.delighted import Delighted
from connector.sandbox.google import Google
from connector.sandbox.hotjar import Hotjar
from connector.sandbox.hubspot import HubSpot
from connector.sandbox.mail import Mail
from connector.sandbox.salesforce import Salesforce
from connector.sandbox.slack import Slack
from connector.sandbox.zendesk import Zendesk

HOST = "127.0.0.1"
SAVE_EVERY_SECONDS = 0.2
SAVE_SHARE = 0.1  # saving may take this share of the time at most, however large the state grows
START_SECONDS = 10.0
STOP_SECONDS = 5.0
LAST_REQUESTS_SECONDS = 2

V = TypeVar("V", bound=Vendor)


class Sandbox:
    """Every vendor API on 127.0.0.1, judged and counted.

    `state_dir`: where <vendor>.json, the clock's offset and the ports are kept between starts;
    None keeps everything in memory. `urls` maps a vendor's name to its base URL, and "smtp" to
    host:port; "mail" is the HTTP control application of the SMTP stand-in.
    """

    def __init__(self, state_dir: Path | None = None) -> None:
        self._dir = state_dir
        self._saved: dict[str, int] = {}
        about = self._load("sandbox")
        adopt_keys(self._load("keys"))
        self._written: dict[str, dict[str, Any]] = {}
        self._ports: dict[str, int] = about.get("ports", {})
        self.clock = Clock(about.get("clock_offset_seconds", 0.0))
        self.urls: dict[str, str] = {}
        self.vendors: dict[str, Vendor] = {}
        self.zendesk = self._open(Zendesk)
        self.salesforce = self._open(Salesforce)
        self.hubspot = self._open(HubSpot)
        self.slack = self._open(Slack)
        self.mail = self._open(Mail)
        self.delighted = self._open(Delighted)
        self.google = self._open(Google)
        self.hotjar = self._open(Hotjar)
        self._threads: list[threading.Thread] = []
        self._saving = threading.Lock()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None

    @property
    def secrets(self) -> dict[str, str]:
        """Environment name -> value for a connector that talks to this running sandbox."""
        token_uri = f"{self.urls['google']}/token"
        return {**SECRETS, "GOOGLE_SERVICE_ACCOUNT": google_service_account(token_uri)}

    def counts(self) -> dict[str, int]:
        """What API calls made at all vendors together."""
        found: dict[str, int] = {}
        for vendor in self.vendors.values():
            with vendor.lock:
                found.update(vendor.counts())
        return found

    def reset(self) -> None:
        """All vendors and the clock as in a new sandbox; the servers stay up."""
        self.clock.offset_seconds = 0.0
        for vendor in self.vendors.values():
            vendor.reset()

    def start(self) -> None:
        """Serve all vendors; returns when all accept connections."""
        sockets = {name: self._socket(name) for name in (*self.vendors, "smtp")}
        self._ports = {name: bound.getsockname()[1] for name, bound in sockets.items()}
        self.urls = {name: f"http://{HOST}:{self._ports[name]}" for name in self.vendors}
        self.urls["smtp"] = f"{HOST}:{self._ports['smtp']}"
        self.salesforce.instance_url = self.urls["salesforce"]
        self._ready.clear()
        self._stopping.clear()
        self._failure = None
        self._spawn("sandbox", self._run, sockets)
        if not self._ready.wait(START_SECONDS) or self._failure:
            raise RuntimeError("the sandbox did not start") from self._failure
        if self._dir:
            self.save()
            self._spawn("sandbox-save", self._keep_saving)

    def stop(self) -> None:
        """Save, abort whatever is held, leave nothing running."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(STOP_SECONDS)
        self._threads.clear()
        self.save()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self, name: str, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    # -- serving -------------------------------------------------------------------------------

    def _run(self, sockets: dict[str, socket.socket]) -> None:
        try:
            asyncio.run(self._serve(sockets))
        except Exception as failure:  # noqa: BLE001  # start() raises it where the caller sees it
            self._failure = failure
            self._ready.set()

    async def _serve(self, sockets: dict[str, socket.socket]) -> None:
        apps = {name: App(vendor) for name, vendor in self.vendors.items()}
        servers = {name: uvicorn.Server(_config(app)) for name, app in apps.items()}
        smtp = await self.mail.serve(sockets["smtp"])
        serving = [
            asyncio.create_task(server.serve(sockets=[sockets[name]]))
            for name, server in servers.items()
        ]
        while not all(server.started for server in servers.values()):
            if failed := next((task for task in serving if task.done()), None):
                failed.result()
            await asyncio.sleep(0.002)
        self._ready.set()
        while not self._stopping.is_set():
            await asyncio.sleep(0.02)
        for app in apps.values():
            app.stopping.set()
        for server in servers.values():
            server.should_exit = True
        smtp.close()
        await asyncio.gather(*serving)

    def _socket(self, name: str) -> socket.socket:
        """The port of last time if it is still free, so that a reopened sandbox keeps its URLs."""
        # asyncio switches Nagle's delay off only for sockets that name their protocol.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, self._ports.get(name, 0)))
        except OSError:
            bound.bind((HOST, 0))
        return bound

    # -- keeping -------------------------------------------------------------------------------

    def save(self) -> None:
        """Write every vendor's state that changed since the last save."""
        if self._dir is None:
            return
        with self._saving:
            self._dir.mkdir(parents=True, exist_ok=True)
            for name, vendor in self.vendors.items():
                with vendor.lock:
                    if self._saved.get(name) == vendor.revision:
                        continue
                    self._saved[name] = vendor.revision
                    text = json.dumps(vendor.state)
                _write(self._dir / f"{name}.json", text)
            about = {"ports": self._ports, "clock_offset_seconds": self.clock.offset_seconds}
            for name, known in (("sandbox", about), ("keys", known_keys())):
                if self._written.get(name) != known:
                    _write(self._dir / f"{name}.json", json.dumps(known))
                    self._written[name] = known

    def _keep_saving(self) -> None:
        pause = SAVE_EVERY_SECONDS
        while not self._stopping.wait(pause):
            began = time.monotonic()
            self.save()
            pause = max(SAVE_EVERY_SECONDS, (time.monotonic() - began) / SAVE_SHARE)

    def _open(self, kind: type[V]) -> V:
        vendor = kind(self.clock, self._load(kind.name))
        self.vendors[kind.name] = vendor
        return vendor

    def _load(self, name: str) -> dict[str, Any]:
        path = self._dir / f"{name}.json" if self._dir else None
        if path is None or not path.exists():
            return {}
        loaded: dict[str, Any] = json.loads(path.read_text())
        return loaded


def _config(app: App) -> uvicorn.Config:
    # proxy_headers wraps the application, and h11 is chosen because App aborts h11's transport.
    return uvicorn.Config(
        app,
        http="h11",
        h11_max_incomplete_event_size=65_536,  # the vendors judge long URLs, not h11
        ws="none",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=LAST_REQUESTS_SECONDS,
    )


def _write(path: Path, text: str) -> None:
    """Atomically, so that a killed process leaves the old file or the new one."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)
