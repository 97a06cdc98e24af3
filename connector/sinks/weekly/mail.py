"""A digest as the bytes of a mail: text, HTML, and its charts inside."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from connector.sinks.mail_message import WIRE, Envelope, named
from connector.sinks.summary import headline
from connector.sinks.weekly import telling
from connector.sinks.weekly.chart import nps_chart
from connector.sinks.weekly.content import Weekly
from connector.sinks.weekly.html import as_html
from connector.text import storable


def digest_bytes(told: Weekly, envelope: Envelope, now: datetime) -> bytes:
    """The same bytes for the same action and moment."""
    mail = EmailMessage(policy=WIRE)
    mark = hashlib.sha256(envelope.action.encode()).hexdigest()[:32]
    mail["From"] = named(envelope.sender_name, envelope.sender)
    mail["To"] = named("", envelope.recipient)
    mail["Subject"] = headline(telling.subject(told), 200)
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = f"<nps-{mark}@{envelope.message_domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # keeps responders quiet, RFC 3834
    mail["Feedback-ID"] = envelope.feedback_id
    mail["X-NPS-Kind"] = envelope.kind
    mail["X-NPS-Action-Id"] = envelope.action
    mail.set_content(storable(telling.as_text(told)))

    def place(number: int) -> str:
        return f"chart{number}.{mark}@{envelope.message_domain}"

    page = as_html(told, lambda number: f"cid:{place(number)}")
    mail.add_alternative(storable(page), subtype="html")
    html = mail.get_payload()[1]  # type: ignore[index]
    assert isinstance(html, EmailMessage)  # noqa: S101 - it was added in the line above
    for number, one in enumerate(telling.charted(told)):
        name, where = f"chart{number}.png", f"<{place(number)}>"
        picture = nps_chart(one.points)
        html.add_related(picture, "image", "png", cid=where, filename=name, disposition="inline")
    if html.is_multipart():
        html.set_boundary(f"nps-{mark}-charts")
    mail.set_boundary(f"nps-{mark}")
    mail["Content-Language"] = told.language
    return mail.as_bytes()
