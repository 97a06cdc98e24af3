"""An installation with something on every page: answers, actions in many states, cases, alarms.

`seed` takes a workspace as `tests/integration/conftest.py` makes it, on an empty store.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from connector.store import alarms, outbox
from connector.store.tables import actions, attempts, cases, followed, responses
from tests.integration.conftest import World

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&{{ 7*7 }}"
_COMMENTS = (
    "The export has failed for three days, and nobody answers. I want a refund.",
    "Delivery took two weeks longer than promised.",
    "Demasiado caro para lo que ofrece.",
    HOSTILE,
    "",
    "Il supporto è gentile, ma lento.",
)
_NAMES = ("Ada Vega", "Bruno Costa", "Chiara Neri", "<b>Dana</b>", "", "Élodie Martin")


def seed(world: World, apart: timedelta = timedelta(minutes=3)) -> None:
    """Detractors, passives and promoters; some delivered, parked, in doubt, waiting or paused."""
    for number in range(18):
        given = world.now - timedelta(minutes=1) - number * apart
        world.post(
            id=f"a{number}",
            score=(2, 9, 4, 10, 7, 0)[number % 6],
            comment=_COMMENTS[number % len(_COMMENTS)],
            email=f"person{number}@example.com",
            name=_NAMES[number % len(_NAMES)],
            at=given.isoformat(),
        )
    world.decide()
    world.workspace.store.write(lambda c: _deliver(c, world.now))


def _deliver(connection: Any, now: datetime) -> None:
    rows = connection.execute(select(actions).order_by(actions.c.id)).all()
    for place, row in enumerate(rows):
        if row.opens_case and place % 5 != 4:
            _done(connection, row, now, place)
        elif row.kind == "slack.message":
            _refused(connection, row, "in_doubt", "no answer within 30 s", now)
        elif place % 5 == 4:
            _refused(connection, row, "parked", f"422: priority is invalid {HOSTILE}", now)
    until = now + timedelta(minutes=20)
    outbox.pause_account(connection, "hubspot:unknown", until, "the token was revoked")
    alarms.raise_alarm(connection, "silent", "app", f"no answer from 'app' {HOSTILE}", now)
    heard = {"asked_at": now, "heard_at": now - timedelta(minutes=2)}
    connection.execute(insert(followed).values(sink="desk", cursor="c", **heard))


def _done(connection: Any, row: Any, now: datetime, place: int) -> None:
    url = f"https://acme.zendesk.com/agent/tickets/{place}" if place % 2 else "javascript:alert(3)"
    remote = {"remote_id": str(1000 + place), "url": url}
    done = {"state": "done", "first_sent_at": now, "finished_at": now, "attempts": 1, **remote}
    connection.execute(update(actions).where(actions.c.id == row.id).values(**done))
    tried = {"action_id": row.id, "number": 1, "step": "send", "started_at": now, "ended_at": now}
    connection.execute(insert(attempts).values(**tried, outcome="done"))
    answer = connection.execute(select(responses).where(responses.c.id == row.response_id)).one()
    touched = place % 7 == 3
    case: dict[str, Any] = {
        "action_id": row.id,
        "response_id": row.response_id,
        "customer_id": row.customer_id,
        "source": answer.source,
        "survey": answer.survey,
        "score": answer.score,
        "segment": answer.segment,
        "rule_id": row.rule_id,
        "sink": row.sink,
        **remote,
        "priority": "high",
        "answered_at": answer.answered_at,
        "opened_at": now,
        "respond_by": now + timedelta(hours=8 - 3 * (place % 6)),
        "state": "contacted" if touched else "open",
        "status": "open",
        "team": "Retention",
        "contacted_at": now - timedelta(days=9) if touched else None,
        "missing": "cause" if touched else None,
    }
    connection.execute(insert(cases).values(**case))


def _refused(connection: Any, row: Any, state: str, error: str, now: datetime) -> None:
    values = {"state": state, "error": error, "attempts": 1, "finished_at": now}
    connection.execute(update(actions).where(actions.c.id == row.id).values(**values))
    tried = {"action_id": row.id, "number": 1, "step": "send", "started_at": now, "ended_at": now}
    connection.execute(insert(attempts).values(**tried, outcome=state, error=error))
    kind: alarms.AlarmKind = "parked" if state == "parked" else "in_doubt"
    alarms.raise_alarm(connection, kind, f"action {row.id}", error, now)
