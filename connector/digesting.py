"""Digests: alerts that were gathered for one time go out as one message. All in one transaction, so
that whoever stops in the middle, or does it at the same time, loses and doubles nothing."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from connector.domain import Digest, DigestLine, Facts, Order
from connector.store import gathering, outbox
from connector.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

MOST_LINES = 20
_LONGEST_LINE = 300


def group_alerts(connection: Connection, sinks: Iterable[str], now: datetime) -> set[str]:
    """Everything that is due; returns the sinks that have work because of it."""
    rows = gathering.ripe(connection, sinks, now)
    for digest, same in groupby(sorted(rows, key=_by_digest), key=lambda row: row.digest):
        alerts = list(same)
        if len(alerts) == 1:
            gathering.let_go(connection, [alerts[0].id])
            continue
        made = outbox.add_action(connection, _message(connection, digest, alerts, now))
        gathering.group(connection, [row.id for row in alerts], made, now)
    return {row.sink for row in rows}


def _by_digest(row: Any) -> tuple[str, int]:
    return row.digest, row.id


def _message(
    connection: Connection, digest: str, alerts: Sequence[Any], now: datetime
) -> dict[str, Any]:
    """The row of the message; the newest alert comes first."""
    key = f"{digest}-{alerts[0].id}" if gathering.is_made(connection, digest) else digest
    newest = alerts[::-1][:MOST_LINES]
    cases = gathering.cases(connection, [row.response_id for row in newest])
    lines = tuple(_line(row, cases) for row in newest)
    order = Order(
        key=key,
        kind=newest[0].kind,
        rule_name=gathering.RULE,
        params=_params(alerts),
        facts=Facts(response_id="", source="", survey="", score=None, segment=None),
        digest=Digest(lines=lines, more=len(alerts) - len(lines)),
        windows=newest[0].order.get("windows") or (),
    )
    return {
        "key": key,
        "rule_id": gathering.RULE,
        "sink": newest[0].sink,
        "account": newest[0].account,
        "kind": newest[0].kind,
        "opens_case": False,
        "to_customer": False,
        "digest": digest,
        "order": order.model_dump(mode="json"),
        "state": "waiting",
        "due_at": now,
        "created_at": now,
    }


def _params(alerts: Sequence[Any]) -> dict[str, object]:
    """Those of the newest, and everybody whom one of them notifies."""
    params: dict[str, object] = {**alerts[-1].order["params"], "text": f"{len(alerts)} alerts"}
    notified = [who for row in alerts for who in row.order["params"].get("mention") or ()]
    return params | {"mention": list(dict.fromkeys(notified))}


def _line(row: Any, cases: Mapping[str, tuple[str, str]]) -> DigestLine:
    params, facts = row.order["params"], row.order["facts"]
    number, link = cases.get(row.response_id, ("", facts.get("link")))
    text = one_line(str(params.get("text") or row.order["rule_name"]), _LONGEST_LINE)
    return DigestLine(key=row.key, text=text, link=link or None, case=number)
