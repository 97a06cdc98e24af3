"""What has to happen, and what a person has to know."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from connector.store.tables.metadata import metadata
from connector.store.types import RowId, UtcTime

# The outbox. states: waiting, gathering (for a digest), grouped (the digest `grouped_in` tells it),
# held (a flood), sending, done, parked, in_doubt, superseded, withheld (nothing was wanted in the
# end; `error` says why). What has the same `digest` goes out together, when it is due.
# `first_sent_at` and `request` are set while something may exist at the far side: a resend has to
# look for it or use the same bytes.
actions = Table(
    "actions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("key", String(80), nullable=False, unique=True),
    Column("response_id", String(40), ForeignKey("responses.id"), index=True),
    Column("customer_id", String(40), index=True),
    Column("source", String(100)),
    Column("decision", RowId, ForeignKey("decisions.number")),
    Column("rule_id", String(200), nullable=False),
    Column("sink", String(100), nullable=False),
    Column("account", String(200), nullable=False),
    Column("kind", String(50), nullable=False),
    Column("opens_case", Boolean, nullable=False),
    Column("to_customer", Boolean, nullable=False),
    Column("amends", RowId, ForeignKey("actions.id")),
    Column("order", JSON, nullable=False),
    Column("state", String(20), nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("respond_by", UtcTime),
    Column("digest", String(80)),
    Column("grouped_in", RowId),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("lease_until", UtcTime),
    Column("request", LargeBinary),
    Column("first_sent_at", UtcTime),
    Column("last_sent_at", UtcTime),
    Column("failing_since", UtcTime),
    Column("remote_id", String(200)),
    Column("url", Text),
    Column("error", Text),
    Column("remark", Text),
    Column("created_at", UtcTime, nullable=False, index=True),
    Column("finished_at", UtcTime),
    Column("closed_at", UtcTime),
    Index("ix_actions_sink_state_due_at", "sink", "state", "due_at"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("action_id", RowId, ForeignKey("actions.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("step", String(10), nullable=False),  # send or find
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("outcome", String(40)),
    Column("error", Text),
)

# What a vendor limits, for everyone who uses it: paused until, and by whom where it was a person;
# from when one more call may be made (`connector.limits`); the limit that is kept and our share of
# it; what the vendor told of it and of the day's quota.
accounts = Table(
    "accounts",
    metadata,
    Column("account", String(200), primary_key=True),
    Column("paused_until", UtcTime),
    Column("reason", Text),
    Column("paused_by", String(100)),
    Column("free_at", UtcTime),
    Column("limit_calls", Integer),
    Column("limit_seconds", Float),
    Column("limit_share", Float),
    Column("told_calls", Integer),
    Column("told_seconds", Float),
    Column("quota_calls", Integer),
    Column("quota_used", Integer),
    Column("quota_at", UtcTime),
)

alarms = Table(
    "alarms",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("kind", String(50), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("message", Text, nullable=False),
    Column("count", Integer, nullable=False, server_default="1"),
    Column("raised_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("announced_at", UtcTime),
    Column("cleared_at", UtcTime),
    Index(
        "uq_alarms_open",
        "kind",
        "subject",
        unique=True,
        sqlite_where=text("cleared_at IS NULL"),
        postgresql_where=text("cleared_at IS NULL"),
    ),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", String(64), primary_key=True),
    Column("reason", String(40), nullable=False),
    Column("at", UtcTime, nullable=False),
)
