"""A store with a past: answers that were decided long ago by a hundred rules, and their cases."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.rules import workload
from benchmarks.rules.workload import Wish
from connector.domain import MOST_PAST, Facts
from connector.rules.model import RULES_FILE, RulesetText
from connector.store import Store, activations, schema

RULES = 100
_ANSWERS_EACH = 4  # of one customer
_DAYS = 90
_TIME = "%Y-%m-%d %H:%M:%S.%f"
CONNECTOR = """
store: sqlite:///past.db
surveys: {relationship: {}}
sources:
  app: {type: webhook, survey: relationship, preset: typeform, signature: {secrets: ["${S}"]}}
sinks:
  desk: {type: zendesk, subdomain: acme, email: a@example.com, api_token: "${T}"}
  crm: {type: hubspot, token: "${T}"}
  chat: {type: slack, token: "${T}"}
"""
_THEN: dict[str, list[dict[str, Any]]] = {
    "detractor": [{"zendesk.ticket": {"group": "Care"}}],
    "passive": [{"slack.message": {"channel": "#nps", "text": "NPS {{ score }}"}}],
    "promoter": [{"hubspot.task": {"owner": "sales@example.com"}}],
}


def rules_text(changed: bool) -> str:
    """A hundred rules; every fifth asks about the answer before, every tenth about open cases,
    every tenth counts within a time.
    `changed`: some lines are different and one rule is new, as in an edited file."""
    rules = [_rule(number, wish) for number, wish in enumerate(workload.wishes(RULES))]
    if changed:
        for rule in rules[::20]:
            rule["when"]["score"] = {"at_most": 8}
        rules.insert(0, {"id": "new", "when": {"score": 0}, "then": _THEN["detractor"]})
    return json.dumps({"rules": rules})


def _rule(number: int, wish: Wish) -> dict[str, Any]:
    (rule,) = json.loads(workload.rules_text([wish]))["rules"]
    if number % 10 == 0:
        rule["when"]["history.open_cases"] = {"at_most": 1}
    if number % 10 == 5:
        rule["when"]["history.detractor_answers"] = {"at_most": 2, "within": "180d"}
    return {**rule, "then": _THEN[wish.segment]}


def installation(folder: Path, count: int) -> Path:
    """`connector.yaml`, the rules as they are active and as they were edited (`rules.yaml`), and a
    store with so many answers. Returns the configuration."""
    (folder / "connector.yaml").write_text(CONNECTOR)
    (folder / RULES_FILE).write_text(rules_text(changed=True))
    store = Store(f"sqlite:///{folder / 'past.db'}")
    schema.upgrade(store)
    text = RulesetText({RULES_FILE: rules_text(changed=False)})
    now = datetime.now(UTC)
    files = dict(text.files)
    store.write(lambda c: activations.activate(c, text.hash, files, now, by="bench", note=""))
    store.close()
    _fill(folder / "past.db", count, text.hash, now)
    return folder / "connector.yaml"


def _fill(path: Path, count: int, ruleset: str, now: datetime) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    customers = ((_customer(n), now.strftime(_TIME)) for n in range(count // _ANSWERS_EACH + 1))
    connection.executemany("INSERT INTO customers VALUES (?, NULL, NULL, '{}', ?)", customers)
    for some in _rows(count, ruleset, now):
        connection.executemany(
            "INSERT INTO responses VALUES"
            " (?, 'app', ?, 'relationship', ?, ?, ?, 1, ?, ?, ?, NULL, ?, 0, NULL)",
            some["responses"],
        )
        connection.executemany(
            "INSERT INTO decisions VALUES (?, ?, 1, ?, '0', 0, ?, '{}', ?, NULL)", some["decisions"]
        )
        connection.executemany(
            "INSERT INTO actions (key, response_id, customer_id, source, rule_id, sink, account,"
            ' kind, opens_case, to_customer, "order", state, due_at, attempts, fence, remote_id,'
            " created_at, first_sent_at, closed_at) VALUES (?, ?, ?, 'app', 'old', 'desk',"
            " 'zendesk:acme', 'zendesk.ticket', 1, 0, '{}', 'done', ?, 1, 1, '1', ?, ?, ?)",
            some["actions"],
        )
    connection.commit()
    connection.execute("ANALYZE")
    connection.close()


def _rows(count: int, ruleset: str, now: datetime) -> Iterator[dict[str, list[Any]]]:
    chance = random.Random("past")  # noqa: S311
    kinds = workload.answers(workload.wishes(RULES), 5_000)
    begin, step = now - timedelta(days=_DAYS - 1), timedelta(days=_DAYS - 2) / count
    some: dict[str, list[Any]] = {"responses": [], "decisions": [], "actions": []}
    pasts: dict[int, list[dict[str, Any]]] = {}  # by customer, the newest answer first
    for number in range(count):
        at, owner = begin + number * step, chance.randrange(count // _ANSWERS_EACH + 1)
        _one(some, number, owner, kinds, at, ruleset, pasts.setdefault(owner, []))
        if len(some["decisions"]) == 20_000:
            yield some
            some = {name: [] for name in some}
    yield some


def _one(
    some: dict[str, list[Any]],
    number: int,
    owner: int,
    kinds: list[Facts],
    at: datetime,
    ruleset: str,
    past: list[dict[str, Any]],
) -> None:
    customer, response, said = _customer(owner), f"r{number * 2654435761 % 16**20:020x}", at
    facts = kinds[number % len(kinds)].model_dump(mode="json")
    facts["response_id"], facts["answered_at"] = response, said.isoformat()
    facts["customer"] |= {"email": f"{customer}@example.com", "name": f"Person {owner}"}
    facts["history"] |= {"answers": len(past), "past": past[:MOST_PAST]}
    content = json.dumps({"record": str(number), "comment": facts["comment"]})
    when = at.strftime(_TIME)
    row = (response, str(number), customer, facts["score"], facts["segment"], content, response)
    some["responses"].append((*row, when, when))
    some["decisions"].append((number + 1, response, ruleset, json.dumps(facts), when))
    scale = {"scale_low": facts["scale_low"], "scale_high": facts["scale_high"]}
    answered = {"answered_at": facts["answered_at"], "score": facts["score"]}
    past.insert(0, {**answered, **scale, "segment": facts["segment"]})
    if facts["segment"] == "detractor":
        closed = (at + timedelta(days=1 + owner % 5)).strftime(_TIME) if number % 3 else None
        some["actions"].append((f"nps-{response}", response, customer, when, when, when, closed))


def _customer(number: int) -> str:
    return f"{number * 2654435761 % 16**8:08x}" * 4
