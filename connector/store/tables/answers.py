"""Where answers come from, and what they say."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from connector.store.tables.metadata import metadata
from connector.store.types import RowId, UtcTime

# What we remember of each configured source: when it was added (history is not news), how far it
# has been read, and who is reading it now.
sources = Table(
    "sources",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("added_at", UtcTime, nullable=False),
    Column("cursor", Text),
    Column("polled_at", UtcTime),
    Column("last_answer_at", UtcTime),
    Column("paused_until", UtcTime),
    Column("pause_reason", Text),
    Column("lease_until", UtcTime),
)

# Delivery notes: one row per vendor record, raw. states: new, decided, duplicate, stale, ignored,
# held (unknown survey), quarantined, erased.
inbox = Table(
    "inbox",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("source", String(100), nullable=False),
    Column("door", String(10), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("act", Boolean, nullable=False, server_default=false()),
    Column("seen", Integer, nullable=False, server_default="1"),
    Column("state", String(20), nullable=False, server_default="new"),
    Column("reason", Text),
    Column("response_id", String(40), index=True),
    UniqueConstraint("source", "fingerprint"),
    Index("ix_inbox_state_door_id", "state", "door", "id"),
)

companies = Table(
    "companies",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("name", Text, nullable=False),
    Column("attributes", JSON, nullable=False),
)

customers = Table(
    "customers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text),
    Column("company_id", String(200), ForeignKey("companies.id")),
    Column("attributes", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

# E-mail first, then phone, then external id; each key belongs to one customer.
customer_keys = Table(
    "customer_keys",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("value", String(320), primary_key=True),
    Column("customer_id", String(40), ForeignKey("customers.id"), nullable=False, index=True),
)

responses = Table(
    "responses",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("source", String(100), nullable=False),
    Column("record", String(500)),
    Column("survey", String(100), nullable=False),
    Column("customer_id", String(40), ForeignKey("customers.id"), index=True),
    Column("score", Integer),
    Column("segment", String(20)),
    Column("revision", Integer, nullable=False),
    Column("content", JSON, nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column("answered_at", UtcTime, index=True),
    Column("revised_at", UtcTime),
    Column("received_at", UtcTime, nullable=False, index=True),
    Column("history", Boolean, nullable=False),
    Column("erased_at", UtcTime),
)

revisions = Table(
    "revisions",
    metadata,
    Column("response_id", String(40), ForeignKey("responses.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("inbox_id", RowId, ForeignKey("inbox.id")),
    Column("content", JSON, nullable=False),
    Column("received_at", UtcTime, nullable=False),
)

# What was erased and must not come back with the next poll; only hashes.
tombstones = Table(
    "tombstones",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("at", UtcTime, nullable=False),
)
