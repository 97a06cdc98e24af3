"""Named queries of which ruleset decides: the active one, since when, by whom, and those before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select

from connector.store import remembered
from connector.store.alarms import clear_alarm
from connector.store.answers import ACTIVE_RULESET
from connector.store.arrivals import insert_ignoring
from connector.store.tables import activations, decisions, rulesets, settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACTIVE = "active"  # the subject of the alarm that it cannot be used
_FOLLOWED = "followed_files"  # the hash of the files that were last taken up, or passed over


def lock(connection: Connection) -> str | None:
    """The hash of the active ruleset. Who wants to activate another one waits from here on."""
    first = insert_ignoring(connection, settings).values(name=ACTIVE_RULESET, value=None)
    connection.execute(first.on_conflict_do_nothing(index_elements=["name"]))
    found: str | None = remembered.get(connection, ACTIVE_RULESET, wait=True)
    return found


def activate(
    connection: Connection,
    identity: str,
    files: Mapping[str, str],
    now: datetime,
    by: str,
    note: str,
) -> bool:
    """Keep a ruleset's text under its hash, and let it decide from this commit on, everywhere.

    Returns whether another one was active.
    """
    before = lock(connection)
    kept = insert_ignoring(connection, rulesets).values(
        hash=identity, files=dict(files), stored_at=now
    )
    connection.execute(
        kept.on_conflict_do_update(index_elements=["hash"], set_={"files": dict(files)})
    )
    clear_alarm(connection, "rules", ACTIVE, now)
    if before == identity:
        return False
    remembered.put(connection, ACTIVE_RULESET, identity)
    row = {"hash": identity, "at": now, "by": by, "note": note}
    connection.execute(insert(activations).values(row))
    return True


def followed(connection: Connection) -> str | None:
    """The hash that the rules files had when they were last taken up, or a person chose another
    ruleset beside them: until they change again they are not news."""
    found: str | None = remembered.get(connection, _FOLLOWED)
    return found


def set_followed(connection: Connection, identity: str) -> None:
    remembered.put(connection, _FOLLOWED, identity)


def newest(connection: Connection, limit: int | None = None) -> Sequence[Any]:
    """Every activation, the newest first; `decisions` counts what its ruleset ever decided."""
    counts = (
        select(decisions.c.ruleset, func.count().label("decisions"))
        .group_by(decisions.c.ruleset)
        .subquery()
    )
    statement = (
        select(activations, func.coalesce(counts.c.decisions, 0).label("decisions"))
        .outerjoin(counts, counts.c.ruleset == activations.c.hash)
        .order_by(activations.c.id.desc())
        .limit(limit)
    )
    return connection.execute(statement).all()


def one_before(connection: Connection) -> str | None:
    """The ruleset that decided before the active one."""
    other = activations.c.hash != remembered.get(connection, ACTIVE_RULESET)
    statement = select(activations.c.hash).where(other).order_by(activations.c.id.desc())
    found: str | None = connection.scalar(statement.limit(1))
    return found


def active_since(connection: Connection, identity: str, moment: datetime) -> datetime | None:
    """When the ruleset had become active that decided at `moment`; None where nobody knows."""
    when = select(func.max(activations.c.at)).where(
        activations.c.hash == identity, activations.c.at <= moment
    )
    found: datetime | None = connection.scalar(when)
    return found


def hashes_beginning(connection: Connection, start: str) -> Sequence[str]:
    """At most two: enough to see that a beginning is not clear."""
    statement = select(rulesets.c.hash).where(rulesets.c.hash.startswith(start, autoescape=True))
    return connection.scalars(statement.order_by(rulesets.c.hash).limit(2)).all()
