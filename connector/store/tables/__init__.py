"""All tables. Two databases, one definition; `migrations/` must agree (a test compares them)."""

from __future__ import annotations

from connector.store.tables.access import api_tokens, audit, sessions, sign_in_attempts, users
from connector.store.tables.answers import (
    companies,
    customer_keys,
    customers,
    inbox,
    responses,
    revisions,
    sources,
    tombstones,
)
from connector.store.tables.backtests import backtests
from connector.store.tables.cases import (
    case_changes,
    case_days,
    case_events,
    cases,
    followed,
    hints,
)
from connector.store.tables.decisions import activations, decisions, pools, rulesets, settings
from connector.store.tables.metadata import metadata
from connector.store.tables.outbox import accounts, actions, alarms, attempts, suppressions
from connector.store.tables.readings import projected, readings, tallies, tally_values

__all__ = [
    "accounts",
    "actions",
    "activations",
    "alarms",
    "api_tokens",
    "attempts",
    "audit",
    "backtests",
    "case_changes",
    "case_days",
    "case_events",
    "cases",
    "companies",
    "customer_keys",
    "customers",
    "decisions",
    "followed",
    "hints",
    "inbox",
    "metadata",
    "pools",
    "projected",
    "readings",
    "responses",
    "revisions",
    "rulesets",
    "sessions",
    "settings",
    "sign_in_attempts",
    "sources",
    "suppressions",
    "tallies",
    "tally_values",
    "tombstones",
    "users",
]
