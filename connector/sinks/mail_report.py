"""What a mail that came back says: not delivered (RFC 3464), complained about (RFC 5965), or
nothing that we act on. Never raises, whatever the bytes are.

https://www.rfc-editor.org/rfc/rfc3463
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, message_from_string
from email.message import Message
from typing import Literal

from connector.domain import Value

ReportKind = Literal["bounced", "complained", "delayed", "refused", "other"]

_STATUS = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})\b")
_ADDRESS = re.compile(r"[^\s<>;,:\"()]+@[^\s<>;,:\"()]+")
_DELIVERED_TO = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")
_COMPLAINTS = frozenset({"abuse", "fraud", "opt-out"})
# Permanent, and yet nothing is wrong with the address: a full mailbox, a message that is too long,
# the far side's system, the protocol, the content, and what a policy does not like about us.
_NOT_THE_ADDRESS = frozenset({"3", "5", "6", "7"})
_MAILBOX_FOR_NOW = frozenset({("2", "2"), ("2", "3")})


class Report(Value):
    """`senders` are the addresses that may be the envelope sender of ours; `status` as RFC 3463."""

    kind: ReportKind
    senders: tuple[str, ...] = ()
    status: str = ""


def read_report(raw: bytes, recipient: str = "") -> Report:
    """`recipient` is to whom it was delivered, where the mail server says so."""
    message = message_from_bytes(raw)
    senders = dict.fromkeys(
        (*([recipient] if recipient else []), *_senders(message)),
    )
    kind, status = _kind(message)
    return Report(kind=kind, senders=tuple(senders), status=status)


def _kind(message: Message) -> tuple[ReportKind, str]:
    if message.get_content_type() != "multipart/report":
        return "other", ""
    told = str(message.get_param("report-type") or "").casefold()
    if told == "delivery-status":
        return _delivery(message)
    if told == "feedback-report":
        types = {
            _field(part, "Feedback-Type") for part in _parts(message, "message/feedback-report")
        }
        return ("complained" if types & _COMPLAINTS else "other"), ""
    return "other", ""


def _delivery(message: Message) -> tuple[ReportKind, str]:
    """A mail of ours has one recipient; several are told where an alias led to several mailboxes,
    and then the address lives as long as one of them does."""
    found = list(_outcomes(message))
    if not found:
        return "other", ""
    kinds = {kind for kind, _ in found}
    for kind in ("other", "delayed", "refused"):
        if kind in kinds:
            return kind, next(status for one, status in found if one == kind)
    return found[0]


def _outcomes(message: Message) -> Iterator[tuple[ReportKind, str]]:
    for block in _parts(message, "message/delivery-status"):
        action = _field(block, "Action")
        if not action:
            continue  # the block about the message
        code = _STATUS.match(str(block.get("Status", "")))
        status = code[0].strip() if code else ""
        if action == "delayed" or (action == "failed" and code and code[1] == "4"):
            yield "delayed", status
        elif action == "failed" and code and code[1] == "5":
            yield ("bounced" if _dead(code[2], code[3]) else "refused"), status
        else:
            yield "other", status


def _dead(subject: str, detail: str) -> bool:
    return subject not in _NOT_THE_ADDRESS and (subject, detail) not in _MAILBOX_FOR_NOW


def _parts(message: Message, kind: str) -> Iterator[Message]:
    """The blocks of fields in the parts of this type."""
    for part in message.walk():
        if part.get_content_type() == kind:
            payload = part.get_payload()
            yield from (
                (one for one in payload if isinstance(one, Message))
                if isinstance(payload, list)
                else ()
            )


def _field(part: Message, name: str) -> str:
    return str(part.get(name, "")).strip().casefold()


def _senders(message: Message) -> Iterator[str]:
    """Where it was delivered to; and of a mail of ours that it encloses, who sent it."""
    for name in _DELIVERED_TO:
        for value in message.get_all(name, []):
            yield from _ADDRESS.findall(str(value))
    for part in _parts(message, "message/feedback-report"):
        yield from _ADDRESS.findall(str(part.get("Original-Mail-From", "")))
    for part in _enclosed(message):
        yield from _ADDRESS.findall(str(part.get("Return-Path", "")))


def _enclosed(message: Message) -> Iterator[Message]:
    yield from _parts(message, "message/rfc822")
    for part in message.walk():
        if part.get_content_type() == "text/rfc822-headers":
            yield message_from_string(str(part.get_payload()))
