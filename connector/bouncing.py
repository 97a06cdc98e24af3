"""A mail that came back: whose mail it was is told by its address, and only that address counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from connector.sinks.mail_report import read_report
from connector.sinks.verp import key_for
from connector.store import outbox, suppressions
from connector.text import clean_email, hashed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.sinks.mail_report import Report
    from connector.store import Store

_UNTOUCHED = {
    "delayed": "it is late, and may arrive yet",
    "refused": "the message was refused, not the address",
    "other": "it is no report of a bounce or a complaint",
}


class Came(NamedTuple):
    """What came of one message. `outcome`: suppressed, or nothing."""

    outcome: str
    sentence: str


def take(
    store: Store, sinks: Mapping[str, object], raw: bytes, recipient: str, now: datetime
) -> Came:
    """Read one message; where it proves that a mail of ours cannot arrive or was complained about,
    its address goes on the suppression list. Anything else changes nothing.

    Raises:
        StoreDown: when the database is down.
    """
    report = read_report(raw, recipient)
    key = _key(report, sinks)
    if key is None:
        return Came("nothing", "it is not about a mail that we have sent")
    if report.kind not in ("bounced", "complained"):
        return Came("nothing", _UNTOUCHED[report.kind] + _code(report))
    return store.write(lambda c: _suppress(c, key, report, now))


def _suppress(connection: Connection, key: str, report: Report, now: datetime) -> Came:
    row = outbox.message(connection, key)
    if row is None:
        return Came("nothing", "its mail is not in this database")
    said = report.kind + _code(report)
    outbox.change_action(connection, row.id, remark=said)
    address = (row.order.get("facts") or {}).get("customer", {}).get("email")
    cleaned = clean_email(address) if isinstance(address, str) else None
    if cleaned is None:
        return Came("nothing", f"action {row.id} {said}; its person was erased since")
    reason: Final = "bounced" if report.kind == "bounced" else "complained"
    new = suppressions.suppress(connection, hashed("address", cleaned), reason, now)
    state = "is on the suppression list now" if new else "had been on the suppression list before"
    return Came("suppressed", f"action {row.id} {said}; its address {state}")


def _code(report: Report) -> str:
    return f" ({report.status})" if report.status else ""


def _key(report: Report, sinks: Mapping[str, object]) -> str | None:
    """The key of the action; any mail sink may have sent it."""
    for sink in sinks.values():
        address, secret = getattr(sink, "bounce_address", ""), getattr(sink, "bounce_secret", None)
        if not address or secret is None:
            continue
        for sender in report.senders:
            key = key_for(sender, address, secret.get_secret_value())
            if key is not None:
                return key
    return None
