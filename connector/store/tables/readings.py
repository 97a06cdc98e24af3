"""Projections of the decisions: what pages read, so that they need not read every answer."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, String, Table, Text

from connector.store.tables.metadata import metadata
from connector.store.types import RowId, UtcTime

# One narrow row for each response, as its newest projected decision (`number`) saw it. `id` grows
# with the time at which it was answered, so that the newest stand at its end. `seq` grows with
# every projection: what is new for a reader. `counted`: the (dimension, value) pairs that it adds
# to `tallies`; what is projected again takes these back first. `epoch`: see `projected`.
readings = Table(
    "readings",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("response_id", String(40), nullable=False, unique=True),
    Column("number", RowId, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", RowId, nullable=False),
    Column("survey", String(100), nullable=False),
    Column("source", String(100), nullable=False),
    Column("given", UtcTime, nullable=False),
    Column("score", Integer),
    Column("segment", String(20)),
    Column("language", Text),
    Column("customer_id", String(40)),
    Column("has_comment", Boolean, nullable=False),
    Column("counted", JSON, nullable=False),
    Index("ix_readings_customer_id_id", "customer_id", "id"),
    Index("ix_readings_seq", "seq"),
)

# How many answers of one UTC day have this score, by survey and by what a dimension says of them:
# survey (its value is empty), source, language, brand, rule, topic, customer.NAME; and of one week,
# from the Monday in `day` on, under week:survey and so on. Empty texts stand for what is not known,
# as a key holds no NULL.
tallies = Table(
    "tallies",
    metadata,
    Column("dimension", String(100), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("survey", String(100), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("score", String(12), primary_key=True),
    Column("segment", String(20), primary_key=True),
    Column("n", Integer, nullable=False),
    Index("ix_tallies_dimension_value", "dimension", "value"),
)

# The values of dimensions that come from outside: only so many are counted apart. What no tally has
# any more goes.
tally_values = Table(
    "tally_values",
    metadata,
    Column("dimension", String(100), primary_key=True),
    Column("value", String(200), primary_key=True),
)

# How far the decisions are projected; its one row is locked while somebody projects or erases.
# Every decision up to `number` is projected, and of later ones all that could be seen, the last of
# them `reached`. Another process may still commit one between them, but none up to `seen_number`
# once every transaction before `seen_xid` is over (PostgreSQL). What has an older `epoch` is
# projected again: after a rebuild, or when there are other `dimensions`.
projected = Table(
    "projected",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", RowId, nullable=False),
    Column("reached", RowId, nullable=False),
    Column("seen_number", RowId, nullable=False),
    Column("seen_xid", RowId, nullable=False),
    Column("seq", RowId, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("dimensions", JSON, nullable=False),
)
