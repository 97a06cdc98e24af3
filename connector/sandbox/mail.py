"""The mail server: SMTP with AUTH, every message kept, faults at each step of the dialogue.

The HTTP application beside it has `GET /messages` and the usual switches. Its faults name the SMTP
command as `method` (MAIL, RCPT, DATA) and the start of an address as `path`:

    {"fault": "status", "method": "RCPT", "status": 550, "body": "5.1.1 No such user"}
    {"fault": "lose_reply", "method": "DATA"}    stored, then the connection is reset
    {"fault": "drop" or "hang", ...}             reset, or held and then reset, nothing stored
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Any, NoReturn

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from connector.sandbox.core import Call, Clock, Reply, Route, Vendor
from connector.sandbox.credentials import SECRETS

Row = dict[str, Any]
Work = Callable[[], None]

# At each login it warns of a deprecation in its own code.
logging.getLogger("mail.log").setLevel(logging.ERROR)

KIND_HEADER = "X-NPS-Kind"
OTHER = "email.other"


class Mail(Vendor):
    """`state["messages"]`: at, mail_from, rcpt_tos, headers, text, html, kind."""

    name = "mail"

    def __init__(self, clock: Clock, state: Row) -> None:
        super().__init__(clock, state or _seeds())

    def routes(self) -> list[Route]:
        return [("GET", "/messages", lambda _: Reply(200, self.state["messages"]))]

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for message in self.state["messages"]:
            found[message["kind"]] = found.get(message["kind"], 0) + 1
        return found

    def messages(self) -> list[Row]:
        """All messages, oldest first."""
        with self.lock:
            return list(self.state["messages"])

    async def serve(self, bound: socket.socket) -> asyncio.Server:
        """Speak SMTP on the socket, in the running loop; the loop's end ends the connections."""
        loop = asyncio.get_running_loop()

        def connection() -> SMTP:
            return SMTP(
                self,
                hostname="sandbox.example.com",
                ident="Sandbox",
                authenticator=self.authenticate,
                auth_require_tls=False,
                enable_SMTPUTF8=True,
                loop=loop,
            )

        return await loop.create_server(connection, sock=bound)

    # -- the dialogue; these names are aiosmtpd's ----------------------------------------------

    async def handle_MAIL(  # noqa: N802  # aiosmtpd calls it by this name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._step(server, "MAIL", address) or "250 OK"

    async def handle_RCPT(  # noqa: N802  # aiosmtpd calls it by this name
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        refusal = await self._step(server, "RCPT", address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # aiosmtpd calls it by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content or b""
        refusal = await self._step(
            server, "DATA", envelope.rcpt_tos[0], content, lambda: self._keep(envelope, content)
        )
        return refusal or "250 2.0.0 Accepted"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        settings = self.state["settings"]
        wanted = LoginPassword(settings["user"].encode(), settings["password"].encode())
        if data == wanted:
            return AuthResult(success=True)
        return AuthResult(
            success=False, handled=False, message="535 5.7.8 Authentication credentials invalid"
        )

    async def _step(
        self,
        server: SMTP,
        command: str,
        address: str,
        content: bytes = b"",
        work: Work | None = None,
    ) -> str | None:
        """Play a fault, or do the work; the refusal line, or None when the command is accepted."""
        call = Call(command, address, {}, [], {}, content)
        fault = self.next_fault(call)
        if fault is None:
            self._accept(call, work)
            return None
        if fault.fault in ("drop", "hang"):
            # Logged when it came: after a held command the log may be another test's.
            self.record(call, None, fault.fault)
            await asyncio.sleep(fault.seconds if fault.fault == "hang" else 0)
            await _cut(server)
        if fault.fault == "status":
            self.record(call, fault.status, fault.fault)
            return f"{fault.status} {fault.body or 'Sandbox: refused'}"
        if fault.fault == "slow":
            await asyncio.sleep(fault.seconds)
            if not self.is_armed(fault):
                await _cut(server)
        self._accept(call, work, fault.fault)
        if fault.fault == "lose_reply":
            await _cut(server)
        return None

    def _accept(self, call: Call, work: Work | None, fault: str | None = None) -> None:
        if work is not None:
            work()
        self.record(call, 250, fault)

    def _keep(self, envelope: Envelope, content: bytes) -> None:
        parsed = message_from_bytes(content, policy=policy.default)
        text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
        with self.changing():
            self.state["messages"].append(
                {
                    "at": self.clock.now().isoformat(),
                    "mail_from": envelope.mail_from,
                    "rcpt_tos": list(envelope.rcpt_tos),
                    "headers": {name: str(value) for name, value in parsed.items()},
                    "text": text.get_content() if text else None,
                    "html": html.get_content() if html else None,
                    "kind": str(parsed.get(KIND_HEADER, OTHER)),
                }
            )


async def _cut(server: SMTP) -> NoReturn:
    """Reset the connection; its loss cancels whoever waits here."""
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()
    while True:
        await asyncio.sleep(60)


def _seeds() -> Row:
    settings = {"user": SECRETS["SMTP_USER"], "password": SECRETS["SMTP_PASSWORD"]}
    return {"settings": settings, "messages": []}
