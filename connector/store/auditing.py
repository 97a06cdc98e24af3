"""Named queries of who did what."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from connector.store.tables import audit

if TYPE_CHECKING:
    from collections.abc import Sequence


def note(
    connection: Connection, who: str, what: str, subject: str, now: datetime, detail: str = ""
) -> None:
    """In the transaction of what was done. `detail` must hold no word of a customer."""
    row = {"who": who[:100], "what": what, "subject": subject[:200], "detail": detail or None}
    connection.execute(insert(audit).values(at=now, **row))


def notes(
    connection: Connection, limit: int, subject: str | None = None, before: int | None = None
) -> Sequence[Any]:
    """The newest first."""
    statement = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if subject is not None:
        statement = statement.where(audit.c.subject == subject)
    if before is not None:
        statement = statement.where(audit.c.id < before)
    return connection.execute(statement).all()
