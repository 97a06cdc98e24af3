"""Who may look and act, and who did. Of passwords and tokens there are only hashes."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, false

from connector.store.tables.metadata import metadata
from connector.store.types import RowId, UtcTime

users = Table(
    "users",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("role", String(20), nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcTime, nullable=False),
    Column("signed_in_at", UtcTime),
)

# A browser that has signed in. It ends at `expires_at`, or when it was not used for long.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column(
        "user_name",
        String(100),
        ForeignKey("users.name", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
)

# What programs read the API with.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(100), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Column("revoked_at", UtcTime),
)

# Attempts to sign in, counted from `since` for each hashed name and address.
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("subject", String(64), primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("since", UtcTime, nullable=False, index=True),
)

# Who did what. It holds no word of a customer.
audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("who", String(100), nullable=False),
    Column("what", String(50), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", Text),
    Index("ix_audit_at", "at"),
    Index("ix_audit_subject", "subject"),
)
