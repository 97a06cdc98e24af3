"""Mails that come back, as mail servers write them: not delivered (RFC 3464), complained about
(RFC 5965)."""

from __future__ import annotations

from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

HOST = "mx.sandbox.example.com"
Row = dict[str, Any]


def bounce(message: Row, status: str = "5.1.1", action: str = "failed") -> bytes:
    """To the envelope sender of a message that the stand-in took, from nobody."""
    recipient = message["rcpt_tos"][0]
    report = _report("delivery-status", message["mail_from"], "Undelivered Mail Returned to Sender")
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(f"I could not deliver it to <{recipient}>.\n"))
    blocks: list[list[tuple[str, str]]] = [
        [("Reporting-MTA", f"dns; {HOST}")],
        [
            ("Original-Recipient", f"rfc822;{recipient}"),
            ("Final-Recipient", f"rfc822; {recipient}"),
            ("Action", action),
            ("Status", status),
            ("Diagnostic-Code", f"smtp; 550 {status} <{recipient}>: no"),
        ],
    ]
    report.attach(_fields("delivery-status", blocks))
    report.attach(_original(message))
    return report.as_bytes()


def complaint(message: Row, kind: str = "abuse", to: str = "complaints@example.com") -> bytes:
    """From a mailbox provider's feedback loop, to where the sender has registered for it."""
    report = _report("feedback-report", to, "FW: a message was marked as spam")
    report.attach(MIMEText("This is an abuse report for a message from your network.\n"))
    fields = [
        ("Feedback-Type", kind),
        ("User-Agent", "Sandbox/1.0"),
        ("Version", "1"),
        ("Original-Mail-From", f"<{message['mail_from']}>"),
    ]
    report.attach(_fields("feedback-report", [fields]))
    report.attach(_original(message))
    return report.as_bytes()


def _report(kind: str, to: str, subject: str) -> MIMEMultipart:
    report = MIMEMultipart("report")
    report.set_param("report-type", kind)
    report["From"] = f"Mail Delivery System <mailer-daemon@{HOST}>"
    report["To"] = to
    report["Subject"] = subject
    return report


def _fields(kind: str, blocks: list[list[tuple[str, str]]]) -> MIMEBase:
    part = MIMEBase("message", kind)
    payload: list[Message | str] = []
    for fields in blocks:
        block = Message()
        for name, value in fields:
            block[name] = value
        payload.append(block)
    part.set_payload(payload)
    return part


def _original(message: Row) -> MIMEBase:
    part = MIMEBase("message", "rfc822")
    inner = Message()
    for name, value in message["headers"].items():
        if name.casefold() not in ("content-type", "content-transfer-encoding"):
            inner[name] = value
    inner.set_payload(message["text"] or "", "utf-8")
    part.set_payload([inner])
    return part
