"""The real command line, with the sinks of the benchmarks: `python -m benchmarks.product run`.

`receive` serves the receiver alone; `receive-bare` is the same server, which verifies and reads
every webhook as well, but stores nothing.
"""

from __future__ import annotations

import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import sinks
from connector.web.door import Door

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.store.arrivals import Record


def receive(bare: bool) -> None:
    from connector import config
    from connector.engine.serving import WebServer
    from connector.web.receiver import application
    from connector.workspace import open_workspace

    settings = config.load(Path("connector.yaml"))
    workspace = open_workspace(settings, datetime.now(UTC))
    if bare:
        Door.keep = _forget  # type: ignore[method-assign] # all that is left out
    site = application(workspace, _nobody_waits, lambda _: None)
    server = WebServer(site, settings.receiver.host, settings.receiver.port)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    server.start()
    stop.wait()
    server.stop()
    workspace.store.close()


async def _forget(self: Door, records: Sequence[Record]) -> None:  # noqa: ARG001 - as Door.keep
    return None


def _nobody_waits() -> None:
    return None


if __name__ == "__main__":
    sinks.register()
    if sys.argv[1] in ("receive", "receive-bare"):
        receive(bare=sys.argv[1] == "receive-bare")
    else:
        from connector.cli import main

        main()
