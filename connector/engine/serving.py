"""uvicorn in a thread of ours, so that one process can receive and work."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.applications import Starlette


_LAST_REQUESTS_SECONDS = 10  # a sender that never ends its request must not keep us from ending


class WebServer:
    """Serves one application on one address until stopped. Port 0 takes a free one."""

    def __init__(self, application: Starlette, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self.host, self.port = host, self._socket.getsockname()[1]
        config = uvicorn.Config(
            application,
            log_config=None,  # through our own log: a traceback's words may be a customer's
            log_level="warning",
            access_log=False,
            lifespan="off",
            proxy_headers=False,  # else anybody on this machine could claim another's address
            timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Answer what is being received, then end."""
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that names its protocol: only then asyncio switches Nagle's delay off, which holds
    back every answer for 40 ms."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen()
    except OSError:
        made.close()
        raise
    return made
