"""All tables. Two databases, one definition; `migrations/` must agree (a test compares them)."""

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
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from connector.store.types import RowId, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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

# What a vendor limits, for everyone who uses it: paused until; from when one more call may be made
# (`connector.limits`); the limit that is kept and our share of it; what the vendor told of it and
# of the day's quota.
accounts = Table(
    "accounts",
    metadata,
    Column("account", String(200), primary_key=True),
    Column("paused_until", UtcTime),
    Column("reason", Text),
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

# What was erased and must not come back with the next poll; only hashes.
tombstones = Table(
    "tombstones",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("at", UtcTime, nullable=False),
)

settings = Table(
    "settings",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("value", JSON, nullable=False),
)
