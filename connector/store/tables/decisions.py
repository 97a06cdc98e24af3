"""What was decided, by which rules."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from connector.store.tables.metadata import metadata
from connector.store.types import RowId, UtcTime

settings = Table(
    "settings",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", JSON, nullable=False),
)

# The whole text of every ruleset that ever decided something.
rulesets = Table(
    "rulesets",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("files", JSON, nullable=False),
    Column("stored_at", UtcTime, nullable=False),
)

# Which ruleset became active when, by whom; the newest is the one in `settings`.
activations = Table(
    "activations",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("hash", String(64), ForeignKey("rulesets.hash"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", String(60), nullable=False),
    Column("note", Text, nullable=False),
)

# Facts + ruleset + engine version + running number -> verdict. The why is recomputed from these.
# `late_answer`: the response that came in late, so that this one was decided again.
decisions = Table(
    "decisions",
    metadata,
    Column("number", RowId, primary_key=True),
    Column("response_id", String(40), ForeignKey("responses.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("ruleset", String(64), ForeignKey("rulesets.hash"), nullable=False),
    Column("engine", String(20), nullable=False),
    Column("history", Boolean, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("verdict", JSON, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("late_answer", String(40)),
    Index(
        "ix_decisions_late_answer",
        "late_answer",
        sqlite_where=text("late_answer IS NOT NULL"),
        postgresql_where=text("late_answer IS NOT NULL"),
    ),
)

# Whose turn it is in the pools of `routing`: as many turns have been taken.
pools = Table(
    "pools",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("position", Integer, nullable=False),
)
