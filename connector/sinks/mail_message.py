"""A mail as bytes: RFC 5322 headers that mail programs and filters expect, text and HTML."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime

from connector.domain import Value
from connector.sinks.summary import headline
from connector.text import storable

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_NAME = 80


class Rendered(Value):
    """What the rules made of a mail template in the customer's language."""

    subject: str
    text: str
    html: str = ""
    language: str = "en"


@dataclass(frozen=True)
class Envelope:
    """Everything of a mail but its words. Addresses as `deliverable` gives them."""

    action: str  # the action's key
    kind: str
    sender: str
    sender_name: str
    recipient: str
    recipient_name: str
    reply_to: str
    unsubscribe_url: str  # of this recipient
    feedback_id: str
    message_domain: str


class _Wire(EmailPolicy):
    """SMTP without 8-bit lines. Links are never folded: folded ones come out as encoded words,
    and no mail program finds a link in those."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name == "List-Unsubscribe":
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


WIRE = _Wire(linesep="\r\n", cte_type="7bit", max_line_length=78)


def message_bytes(words: Rendered, envelope: Envelope, now: datetime) -> bytes:
    """The same bytes for the same action and moment."""
    mail = EmailMessage(policy=WIRE)
    mark = hashlib.sha256(envelope.action.encode()).hexdigest()[:32]
    mail["From"] = named(envelope.sender_name, envelope.sender)
    mail["To"] = named(envelope.recipient_name, envelope.recipient)
    if envelope.reply_to:
        mail["Reply-To"] = named("", envelope.reply_to)
    mail["Subject"] = headline(words.subject, 200)
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = f"<nps-{mark}@{envelope.message_domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # keeps responders quiet, RFC 3834
    if envelope.unsubscribe_url:  # one click, RFC 8058
        mail["List-Unsubscribe"] = f"<{envelope.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail["Feedback-ID"] = envelope.feedback_id
    mail["X-NPS-Kind"] = envelope.kind
    mail["X-NPS-Action-Id"] = envelope.action
    mail.set_content(storable(words.text))
    if words.html:
        mail.add_alternative(storable(words.html), subtype="html")
        mail.set_boundary(f"nps-{mark}")
    # Set before, it would have moved into the first part.
    mail["Content-Language"] = words.language
    return mail.as_bytes()


def deliverable(address: str) -> str:
    """An address as SMTP takes it: ASCII, an international domain in its xn-- form.

    Raises:
        ValueError: where it is not one address that mail can be sent to.
    """
    local, _, domain = address.strip().rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        ascii_domain = ""
    if (
        not _LOCAL.fullmatch(local)
        or not _DOMAIN.fullmatch(ascii_domain)
        or len(local) > 64
        or len(local) + len(ascii_domain) > 253
    ):
        raise ValueError("this is not an e-mail address that mail can be sent to")
    return f"{local}@{ascii_domain}"


def named(name: str, address: str) -> Address:
    return Address(display_name=headline(name, _LONGEST_NAME), addr_spec=address)
