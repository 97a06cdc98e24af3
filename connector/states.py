"""The states of an action, in the order of its life."""

from __future__ import annotations

ACTION_STATES = (
    "waiting",
    "gathering",
    "grouped",
    "held",
    "sending",
    "done",
    "parked",
    "in_doubt",
    "superseded",
    "withheld",
)
