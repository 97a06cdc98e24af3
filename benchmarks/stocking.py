"""Filling a store with many answers of many people, as if they had come in one by one.

One answer is really received and decided; all others are copies of its rows with an id, a
fingerprint, a person and a key of their own, made by the database itself.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from connector import deciding
from connector.store import arrivals
from connector.store.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.workspace import Workspace

_CACHE_KB = 400_000
SAMPLE = "sample@example.com"

# Table -> the columns in which a copy differs, as SQL over `n.i` (a number) and `n.h` (64 hex
# digits); {text} wraps what has to be replaced within JSON. Everything else is copied.
_COPIES = {
    "customers": {"id": "substr(n.h, 1, 32)"},
    "customer_keys": {"value": "{email}", "customer_id": "substr(n.h, 1, 32)"},
    "inbox": {"id": "{base_inbox} + n.i", "fingerprint": "n.h", "response_id": "{response}"},
    "responses": {
        "id": "{response}",
        "record": "'copy-' || n.i",
        "content_hash": "n.h",
        "customer_id": "substr(n.h, 1, 32)",
        "content": "{json}",
    },
    "revisions": {
        "response_id": "{response}",
        "inbox_id": "{base_inbox} + n.i",
        "content": "{json}",
    },
    "decisions": {
        "number": "{base_decisions} + n.i",
        "response_id": "{response}",
        "facts": "{json}",
    },
    "actions": {
        "id": "{base_actions} + n.i",
        "key": "'nps-' || substr(n.h, 1, 32)",
        "response_id": "{response}",
        "customer_id": "substr(n.h, 1, 32)",
        "decision": "{base_decisions} + n.i",
        "order": "{json}",
    },
}
_NUMBERED = {"inbox": "id", "decisions": "number", "actions": "id"}


def address(number: int) -> str:
    """The e-mail address of the person behind copy `number`."""
    return f"copy-{number:08}@example.com"


def stock(workspace: Workspace, answers: int, actions: bool = True) -> None:
    """So many more answers; with `actions` each has one that waits to be delivered."""
    now = datetime.now(UTC)
    answer = {"id": f"sample-{now.timestamp()}", "score": 3, "comment": "Too slow.", "name": "Sam"}
    body = json.dumps({**answer, "at": now.isoformat(), "email": SAMPLE}).encode()

    def sample(connection: Connection) -> str:
        arrivals.store_records(connection, "app", "webhook", [body], now)
        return deciding.decide_in(connection, workspace, now, 50).responses[-1]

    response = workspace.store.write(sample)
    tables = [name for name in _COPIES if actions or name != "actions"]
    if not actions:
        workspace.store.write(lambda c: c.exec_driver_sql("UPDATE actions SET state = 'done'"))
    if workspace.store.is_sqlite:
        workspace.store.write(lambda c: c.exec_driver_sql(f"PRAGMA cache_size=-{_CACHE_KB}"))
    workspace.store.write(
        lambda c: _copy(c, tables, response, answers - 1, workspace.store.is_sqlite)
    )


def _copy(
    connection: Connection, tables: list[str], response: str, copies: int, is_sqlite: bool
) -> None:
    """Every key grows with the number of the copy, so that all indexes are filled in their order;
    together the keys cover all that there can be, so that later answers come between them."""
    place = f"i * 4294967295 / {max(copies, 1)}"
    if is_sqlite:
        hexes = f"printf('%08x', {place}) || lower(hex(randomblob(28)))"
        email = "printf('copy-%08d@example.com', n.i)"
    else:
        hexes = f"lpad(to_hex({place}), 8, '0') || substr(md5(i::text) || md5((-i)::text), 1, 56)"
        email = "'copy-' || lpad(n.i::text, 8, '0') || '@example.com'"
    connection.execute(text("DROP TABLE IF EXISTS copies"))
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE copies AS "  # noqa: S608 - constants
            "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) "
            f"UNION ALL SELECT i + 1 FROM n WHERE i < {int(copies)}) SELECT i, {hexes} AS h FROM n"
        )
    )
    key = connection.scalar(text("SELECT key FROM actions WHERE response_id = :r"), {"r": response})
    customer = connection.scalar(
        text("SELECT customer_id FROM responses WHERE id = :r"), {"r": response}
    )
    words = {
        "email": email,
        "response": "'r' || substr(n.h, 1, 20)",
        **{
            f"base_{table}": str(connection.scalar(text(f"SELECT max({column}) FROM {table}")))  # noqa: S608 - constants
            for table, column in _NUMBERED.items()
        },
    }
    samples = {
        "customers": f"id = '{customer}'",
        "customer_keys": f"customer_id = '{customer}'",
        "responses": f"id = '{response}'",
    }
    for table in tables:
        differs = dict(_COPIES[table])
        for column, said in differs.items():
            if said == "{json}":
                differs[column] = _replaced(column, response, key, words["email"], is_sqlite)
            else:
                differs[column] = said.format(**words)
        names = [column.name for column in metadata.tables[table].columns]
        chosen = ", ".join(differs.get(name, f's."{name}"') for name in names)
        quoted = ", ".join(f'"{name}"' for name in names)
        where = samples.get(table, f"response_id = '{response}'")
        connection.exec_driver_sql(
            f"INSERT INTO {table} ({quoted}) SELECT {chosen} FROM copies n, "  # noqa: S608 - our own names and ids
            f"(SELECT * FROM {table} WHERE {where}) s ORDER BY n.i"
        )
    if not is_sqlite:  # what they give out next has to lie above the copies
        for table, column in _NUMBERED.items():
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "  # noqa: S608 - constants
                f"(SELECT max({column}) FROM {table}))"
            )
        for table in tables:
            connection.exec_driver_sql(f"ANALYZE {table}")


def _replaced(column: str, response: str, key: str | None, email: str, is_sqlite: bool) -> str:
    """The JSON of the sample with the copy's own person, response and key in it."""
    found = f's."{column}"' if is_sqlite else f's."{column}"::text'
    found = f"replace({found}, '{SAMPLE}', {email})"
    found = f"replace({found}, '{response}', 'r' || substr(n.h, 1, 20))"
    if key:
        found = f"replace({found}, '{key}', 'nps-' || substr(n.h, 1, 32))"
    return found if is_sqlite else f"({found})::json"
