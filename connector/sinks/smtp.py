"""One SMTP dialogue, step by step, so that it is known what a lost connection means.

`smtplib.sendmail` raises the same error before and after the server took the message over; here
everything up to the server's 354 is harmless, and only silence after it leaves a doubt.
https://www.rfc-editor.org/rfc/rfc5321#section-4.2.5
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater

Security = Literal["starttls", "tls", "none"]
QUIT_SECONDS = 2.0
_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")


@dataclass(frozen=True)
class Server:
    """How to reach a mail server. `local_name` is what we say in EHLO."""

    host: str
    port: int
    security: Security
    user: str
    password: str = field(repr=False)
    local_name: str
    timeout_seconds: float


class Reply(Exception):
    """The server's answer to a step, other than the one that was hoped for."""

    def __init__(self, step: str, code: int, text: bytes | str) -> None:
        super().__init__(step, code)
        self.step = step
        self.code = code
        self.text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text

    @property
    def passing(self) -> bool:
        """A 4xx: the same may be accepted later."""
        return 400 <= self.code < 500

    @property
    def no_such_address(self) -> bool:
        """Whether a refused recipient does not exist, as far as RFC 3463 codes tell.

        Without such a code a refusal counts as that; a full mailbox or a policy does not.
        """
        found = _ENHANCED.match(self.text)
        return found is None or found[2] == "1" or (found[2], found[3]) == ("2", "1")


@contextmanager
def connected(server: Server) -> Iterator[smtplib.SMTP]:
    """A connection that may send, closed at the end whatever happens.

    Raises:
        TryLater: the server cannot be reached now.
        Paused: it does not let us in; a person has to act.
    """
    smtp = _opened(server)
    try:
        _enter(smtp, server)
        yield smtp
    finally:
        with suppress(OSError):  # smtplib's own errors are OSErrors too
            if smtp.sock is not None:
                smtp.sock.settimeout(QUIT_SECONDS)  # all is said; nothing waits for a slow goodbye
                smtp.quit()
        smtp.close()


def hand_over(smtp: smtplib.SMTP, sender: str, recipient: str, message: bytes) -> None:
    """Send one message with CRLF line ends; returns when the server has taken it over.

    Raises:
        TryLater: nothing was handed over, or the server said 4xx.
        Paused: it does not accept our sender.
        Reply: it refused the recipient (step RCPT) or the message (step DATA) for good.
        LookFirst: the connection was lost after the server had begun to take the message.
    """
    _step("MAIL", lambda: smtp.mail(sender), 250)
    _step("RCPT", lambda: smtp.rcpt(recipient), 250, 251)
    _step("DATA", lambda: smtp.docmd("data"), 354)
    try:
        smtp.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        code, text = smtp.getreply()
    except OSError as lost:
        raise LookFirst(
            "the mail server was lost while it took the message over; it may have been delivered"
        ) from lost
    if code != 250:
        raise _unwelcome(Reply("DATA", code, text))


def _opened(server: Server) -> smtplib.SMTP:
    try:
        if server.security == "tls":
            return smtplib.SMTP_SSL(
                server.host,
                server.port,
                local_hostname=server.local_name,
                timeout=server.timeout_seconds,
                context=ssl.create_default_context(),
            )
        return smtplib.SMTP(
            server.host,
            server.port,
            local_hostname=server.local_name,
            timeout=server.timeout_seconds,
        )
    except smtplib.SMTPConnectError as greeting:
        raise _turned_away(greeting.smtp_code, "ask its administrator") from None
    except OSError as failure:
        raise _unreachable(failure) from None


def _enter(smtp: smtplib.SMTP, server: Server) -> None:
    """EHLO, STARTTLS and login."""
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.security == "starttls":
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo_or_helo_if_needed()
        if server.user:
            smtp.login(server.user, server.password)
    except smtplib.SMTPNotSupportedError as missing:
        what = "login" if "AUTH" in str(missing) else "STARTTLS"
        raise Paused(
            f"the mail server offers no {what} on this port; check host, port and security"
        ) from None
    except smtplib.SMTPResponseException as answer:
        raise _turned_away(answer.smtp_code, "check user and password") from None
    except smtplib.SMTPServerDisconnected as failure:
        raise _unreachable(failure) from None
    except smtplib.SMTPException:
        raise Paused("the mail server offers no way to log in that we know") from None
    except OSError as failure:
        raise _unreachable(failure) from None


def _turned_away(code: int, cure: str) -> ConnectorError:
    if 500 <= code < 600:
        return Paused(f"the mail server does not let us in ({code}); {cure}")
    return TryLater(f"the mail server is not ready ({code})", account_wide=code == 421)


def _unreachable(failure: OSError) -> ConnectorError:
    if isinstance(failure, ssl.SSLCertVerificationError):
        return Paused("the certificate of the mail server is not trusted; check host and port")
    if isinstance(failure, ssl.SSLError):
        return Paused("the mail server does not speak TLS like this; check port and security")
    late = isinstance(failure, TimeoutError)
    return TryLater(
        "the mail server did not answer in time" if late else "the mail server cannot be reached"
    )


def _step(name: str, call: Callable[[], tuple[int, bytes]], *wanted: int) -> None:
    try:
        code, text = call()
    except OSError as lost:
        raise TryLater(f"the mail server was lost at {name}, before the message went out") from lost
    if code not in wanted:
        raise _unwelcome(Reply(name, code, text))


def _unwelcome(reply: Reply) -> Exception:
    if reply.passing:
        everyone = reply.step == "MAIL" or reply.code == 421
        return TryLater(
            f"the mail server put {reply.step} off ({reply.code})", account_wide=everyone
        )
    if reply.step == "MAIL" or reply.code == 530:
        return Paused(
            f"the mail server does not accept our sender ({reply.code}); "
            "check from_address, user and password"
        )
    return reply


def refusal(reply: Reply, words: str) -> Refused:
    """What a final refusal means for this one mail. `words` are the server's, cleaned."""
    if reply.step == "RCPT":
        return Refused(f"the mail server refused the address ({words})", reply.no_such_address)
    return Refused(f"the mail server refused the message ({words})")
