"""What other rules would have done, as pages ask for it: how far it is, and what came out."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, String, Table, Text

from connector.store.tables.metadata import metadata
from connector.store.types import RowId, UtcTime

# One replay. `running` is 1 until it is over, then nothing: of all processes one runs at a time.
# Who runs it has died where it still runs at `ends_at`. `result` names answers, never persons.
backtests = Table(
    "backtests",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("running", Integer, unique=True),
    Column("days", Integer, nullable=False),
    Column("total", RowId, nullable=False),
    Column("done", RowId, nullable=False, server_default="0"),
    Column("begun_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("failed", Text),
    Column("result", JSON),
    Index("ix_backtests_begun_at", "begun_at"),
)
