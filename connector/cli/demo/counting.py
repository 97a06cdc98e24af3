"""The demo's result as plain data: what the stand-ins counted beside what our store says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from connector.cli.demo.posting import TIMEOUT_SECONDS, direct
from connector.cli.demo.watching import AMENDMENT, effect_name
from connector.store import arrivals, outbox, watching

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from connector.store import Store

COUNTED = ("zendesk", "salesforce", "hubspot", "slack", "mail")

Result = dict[str, Any]


def result(store: Store, urls: Mapping[str, str], refused_webhooks: int, began: datetime) -> Result:
    """Everything that `connector demo --json` prints. Answers are those of the play, which `began`
    then; effects are all that there are, those of the months before as well."""
    effects = counted_by_stand_ins(urls)
    with store.read() as connection:
        states = outbox.action_counts(connection)
        came = arrivals.arrival_counts(connection)
        rows = watching.responses_in_order(connection)
        played = [row for row in rows if row.received_at >= began or row.history]
        items = _items(connection, played)
    made = _made(states)
    segments = Counter(item["segment"] or "none" for item in items)
    return {
        "responses": len(items),
        "lived": len(rows) - len(played),
        "segments": {name: segments[name] for name in ("promoter", "passive", "detractor", "none")},
        "effects": effects,
        "actions": made,
        "rejected": sum(n for (_, state), n in states.items() if state == "parked"),
        "refused_webhooks": refused_webhooks,
        "quarantined": came.get("quarantined", 0),
        "duplicates": came["repeats"] + came.get("duplicate", 0),
        "amended": sum(
            n for (kind, state), n in states.items() if state == "done" and kind.endswith(AMENDMENT)
        ),
        "history": sum(item["history"] for item in items),
        "items": items,
    }


def counted_by_stand_ins(urls: Mapping[str, str]) -> dict[str, int]:
    """What exists at the far side, asked over HTTP; kinds with nothing are left out."""
    found: dict[str, int] = {}
    with direct() as session:
        for vendor in COUNTED:
            reply = session.get(f"{urls[vendor]}/_sandbox/counts", timeout=TIMEOUT_SECONDS)
            found |= {kind: count for kind, count in reply.json().items() if count}
    return dict(sorted(found.items()))


def differences(found: Result) -> list[str]:
    """Where the two counts disagree, as sentences; empty when they agree."""
    effects, made = found["effects"], found["actions"]
    return [
        f"{kind}: the stand-ins counted {effects.get(kind, 0)}, our store says {made.get(kind, 0)}"
        for kind in sorted({*effects, *made})
        if effects.get(kind, 0) != made.get(kind, 0)
    ]


def _made(states: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Done actions by kind. A CRM's amendment changes a task in place and makes nothing new."""
    found: dict[str, int] = {}
    for (kind, state), count in states.items():
        base = kind.removesuffix(AMENDMENT)
        name = effect_name(base, amended=base != kind)
        if state == "done" and not name.endswith(AMENDMENT):
            found[name] = found.get(name, 0) + count
    return dict(sorted(found.items()))


def _items(connection: Connection, rows: Sequence[Any]) -> list[Result]:
    """One entry per response, in the order in which they were decided."""
    made: dict[str, list[Result]] = {}
    for row in watching.actions_now(connection):
        effect = {
            "kind": effect_name(row.kind, row.amends is not None),
            "sink": row.sink,
            "state": row.state,
            "remote_id": row.remote_id,
            "url": row.url,
            "note": row.error or row.remark,
        }
        made.setdefault(row.response_id, []).append(effect)
    return [_item(row, made.get(row.id, [])) for row in rows]


def _item(row: Any, effects: list[Result]) -> Result:
    return {
        "id": row.id,
        "source": row.source,
        "survey": row.survey,
        "score": row.score,
        "segment": row.segment,
        "history": row.history,
        "revision": row.revision,
        "rules": [match["rule_id"] for match in row.verdict.get("matches", [])],
        "effects": effects,
    }
