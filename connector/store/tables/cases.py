"""The tables of following up: what has become of each case, and how far we have looked."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Computed,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from connector.store.tables.metadata import metadata
from connector.store.types import RowId, SecondsBetween, UtcTime

_TOUCHED = SecondsBetween(text("answered_at"), text("coalesce(contacted_at, closed_at)"))
_CLOSED = SecondsBetween(text("answered_at"), text("closed_at"))
_READ = (
    *("answered_at", "respond_by", "state", "touched_after", "closed_after", "contacted_at"),
    *("closed_at", "working_seconds", "reopened", "cause", "action_taken", "survey", "team"),
    *("owner", "rule_id", "source"),
)

# A ticket or task that exists at the far side; made with its receipt. states: open, contacted,
# closed, gone. The customer's clock begins at `answered_at` and never pauses; the working clock
# ends at `respond_by`; `working_seconds` is what it showed at the first touch; `touched_after` and
# `closed_after` are the seconds of the customer's, which the database reckons itself. `told_at` is
# how new the newest news is, by the far side's clock. `missing`: it was closed there, but what its
# team wants to know is not told, so that it stays contacted here. `next_response_id`: the
# customer's next answer after that; `continued_in`: an unhappy one opened this record again, which
# is that answer's case now, which `continues` this one. `escalated`: the steps of `escalation` that
# were judged, each once.
cases = Table(
    "cases",
    metadata,
    Column("action_id", RowId, ForeignKey("actions.id"), primary_key=True),
    Column("response_id", String(40), ForeignKey("responses.id"), nullable=False, index=True),
    Column("customer_id", String(40), index=True),
    Column("source", String(100), nullable=False),
    Column("survey", String(100), nullable=False),
    Column("score", Integer),
    Column("segment", String(20)),
    Column("rule_id", String(200), nullable=False),
    Column("sink", String(100), nullable=False),
    Column("remote_id", String(200), nullable=False),
    Column("url", Text),
    Column("priority", String(20)),
    Column("answered_at", UtcTime, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("respond_by", UtcTime),
    Column("state", String(20), nullable=False),
    Column("status", Text),
    Column("owner", Text),
    Column("team", Text),
    Column("contacted_at", UtcTime),
    Column("working_seconds", Float),
    Column("closed_at", UtcTime),
    Column("missing", Text),
    Column("cause", Text),
    Column("action_taken", Text),
    Column("reopened", Integer, nullable=False, server_default="0"),
    Column("reopened_at", UtcTime),
    Column("told_at", UtcTime),
    Column("next_response_id", String(40)),
    Column("continues", RowId),
    Column("continued_in", RowId),
    Column("escalated", JSON),
    Column("touched_after", Integer, Computed(_TOUCHED)),
    Column("closed_after", Integer, Computed(_CLOSED)),
    Index("ix_cases_sink_remote_id", "sink", "remote_id"),
    Index("ix_cases_state_respond_by", "state", "respond_by"),
    Index("ix_cases_answered_at", "answered_at").ddl_if("postgresql"),
    # All that is read of a year's cases: SQLite needs not fetch their rows. (PostgreSQL refuses
    # long texts in an index.)
    Index("ix_cases_loop", *_READ).ddl_if("sqlite"),
    Index(
        "ix_cases_untouched",
        "segment",
        "answered_at",
        sqlite_where=text("state = 'open' AND contacted_at IS NULL"),
        postgresql_where=text("state = 'open' AND contacted_at IS NULL"),
    ),
)

# What happened to a case, oldest first. kinds: opened, contacted, assigned, status, closed,
# incomplete, reopened, gone, overdue, escalated, answered. The same news has the same `key`.
case_events = Table(
    "case_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("action_id", RowId, ForeignKey("cases.action_id"), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("key", String(120), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("noticed_at", UtcTime, nullable=False),
    Column("who", Text),
    Column("detail", Text),
    UniqueConstraint("action_id", "key"),
    Index("ix_case_events_noticed_at", "noticed_at"),
)

# How far each sink's news have been read, and by whom they are being read.
followed = Table(
    "followed",
    metadata,
    Column("sink", String(100), primary_key=True),
    Column("cursor", Text),
    Column("asked_at", UtcTime),
    Column("heard_at", UtcTime),
    Column("lease_until", UtcTime),
    Column("error", Text),
)

# Records that a webhook named: they are looked at next.
hints = Table(
    "hints",
    metadata,
    Column("sink", String(100), primary_key=True),
    Column("remote_id", String(200), primary_key=True),
    Column("at", UtcTime, nullable=False),
)

# Cases counted by the UTC day of their answer, as lists of JSON (`connector.store.case_days`), once
# for each dimension: team, owner, rule_id, source, segment, and the empty one of all. True at any
# moment from `due_by` on, when the last of the day's cases is due, until a case of the day changes.
case_days = Table(
    "case_days",
    metadata,
    Column("dimension", String(20), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("due_by", UtcTime),
    Column("figures", Text, nullable=False),
    Column("waits", Text, nullable=False),
    Column("working_waits", Text, nullable=False),
    Column("endings", Text, nullable=False),
)

# A day whose cases have changed since they were counted. The database writes it down itself, by
# triggers on `cases`, in the transaction of the change; an id is never given out twice.
case_changes = Table(
    "case_changes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("day", String(10), nullable=False),
    sqlite_autoincrement=True,
)
