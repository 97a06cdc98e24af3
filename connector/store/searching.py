"""Searching answers by words and marks: FTS5 on SQLite, a GIN index on PostgreSQL.

Both hold the same tokens, made here: words in lower case without accents, and marks that no word
can be, such as `:sdetractor`. A query is made of tokens only, so that nothing of what a person
types is ever read as the language of a search engine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from connector.text import fold, hashed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

TABLE = "reading_search"
# Not in `metadata`: nothing there can describe a virtual table. The ascii tokenizer leaves the
# tokens as they are: https://www.sqlite.org/fts5.html#ascii_tokenizer
MAKE: Mapping[str, Sequence[str]] = {
    "sqlite": (
        f"CREATE VIRTUAL TABLE {TABLE} USING fts5("
        "words, detail=none, tokenize=\"ascii tokenchars ':'\")",
    ),
    "postgresql": (
        f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, words tsvector NOT NULL)",
        f"CREATE INDEX ix_{TABLE}_words ON {TABLE} USING gin (words)",
    ),
}
_EMPTY: Mapping[str, Sequence[str]] = {
    "sqlite": (f"DROP TABLE {TABLE}", *MAKE["sqlite"]),
    "postgresql": (f"TRUNCATE {TABLE}",),
}
# Scripts without spaces: every character is a word, and so a search finds what holds all of them.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(f"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[^\\W_])+")
_PLAIN = re.compile("[a-z0-9]{1,40}")
_LONGEST_WORD = 40
_MOST_WORDS = 400  # different ones of a comment
_MOST_ASKED = 12
_LEAST_BEGINNING = 3  # characters that a search for beginnings needs

_PUT = {
    "sqlite": f"INSERT INTO {TABLE} (rowid, words) VALUES (?, ?)",  # noqa: S608 - a constant
    "postgresql": (
        f"INSERT INTO {TABLE} (id, words) VALUES (%s, array_to_tsvector(%s::text[]))"  # noqa: S608 - a constant
    ),
}
_REMOVE = {
    "sqlite": f"DELETE FROM {TABLE} WHERE rowid = ?",  # noqa: S608 - a constant
    "postgresql": f"DELETE FROM {TABLE} WHERE id = %s",  # noqa: S608 - a constant
}
_FIND = {
    "sqlite": (
        f"SELECT rowid FROM {TABLE} WHERE {TABLE} MATCH :query AND rowid < :before "  # noqa: S608 - a constant
        "ORDER BY rowid DESC LIMIT :limit"
    ),
    "postgresql": (
        f"SELECT id FROM {TABLE} WHERE words @@ CAST(:query AS tsquery) AND id < :before "  # noqa: S608 - a constant
        "ORDER BY id DESC LIMIT :limit"
    ),
}
_AMONG = {
    "sqlite": f"SELECT rowid FROM {TABLE} WHERE {TABLE} MATCH :query AND rowid = :id",  # noqa: S608 - a constant
    "postgresql": (
        f"SELECT id FROM {TABLE} WHERE words @@ CAST(:query AS tsquery) AND id = :id"  # noqa: S608 - a constant
    ),
}
# PostgreSQL's planner guesses badly how rare a token is, and walks through everything where there
# is next to nothing to be found. So the index is asked first whether there are few.
_FEW = 5_000
_FEW_FOUND = f"SELECT id FROM {TABLE} WHERE words @@ CAST(:query AS tsquery) LIMIT :few"  # noqa: S608 - a constant
EVERYTHING = 2**63 - 1


def words(said: str) -> list[str]:
    """The different words of a text, in their order, folded."""
    found = (word[:_LONGEST_WORD] for word in _WORD.findall(fold(said)))
    return list(dict.fromkeys(found))


def mark(kind: str, value: str) -> str:
    """A token that is no word: what kind of thing (one letter), and its value."""
    return f":{kind}{value if _PLAIN.fullmatch(value) else hashed(value)[:16]}"


def name_mark(word: str) -> str:
    """A word of somebody's name or address; as it is, so that its beginning can be asked for."""
    return f":n{word}"


def tokens(comment: str, names: Iterable[str], marks: Iterable[str]) -> list[str]:
    """What an answer is found by: the words of its comment, the names of its person, its marks."""
    named = [name_mark(word) for name in names for word in words(name)]
    return [*words(comment)[:_MOST_WORDS], *dict.fromkeys(named), *marks]


def asked_words(typed: str) -> list[str]:
    """What a person typed, as words to be looked for; a word of some length is a beginning."""
    return words(typed)[:_MOST_ASKED]


def beginning(token: str) -> str:
    """As a beginning of tokens where it is long enough, else as it is; understood by `find`."""
    return f"{token}*" if len(token.lstrip(":")) >= _LEAST_BEGINNING else token


def put(connection: Connection, rows: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Id of a reading, and its tokens."""
    dialect = connection.dialect.name
    given: list[Any] = [
        (id, " ".join(found) if dialect == "sqlite" else list(found)) for id, found in rows
    ]
    if given:
        connection.exec_driver_sql(_PUT[dialect], given)


def remove(connection: Connection, ids: Iterable[int]) -> None:
    given = [(id,) for id in ids]
    if given:
        connection.exec_driver_sql(_REMOVE[connection.dialect.name], given)


def empty(connection: Connection) -> None:
    for statement in _EMPTY[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def find(
    connection: Connection, wanted: Sequence[str], limit: int, before: int = EVERYTHING
) -> list[int]:
    """Ids of readings that have all these tokens (`word*`: one that begins so), the newest first,
    from below `before` on."""
    query = _query(connection, wanted)
    asked = {"before": before, "limit": limit}
    if connection.dialect.name == "sqlite":
        return list(connection.scalars(text(_FIND["sqlite"]), {"query": query, **asked}))
    few = list(connection.scalars(text(_FEW_FOUND), {"query": query, "few": _FEW}))
    if len(few) < _FEW:
        return sorted((id for id in few if id < before), reverse=True)[:limit]
    return list(connection.scalars(text(_FIND["postgresql"]), {"query": query, **asked}))


def among(connection: Connection, wanted: Sequence[str], ids: Iterable[int]) -> list[int]:
    """Those of a few ids that have all these tokens, in their order."""
    statement, query = text(_AMONG[connection.dialect.name]), _query(connection, wanted)
    return [id for id in ids if connection.scalar(statement, {"query": query, "id": id})]


def _query(connection: Connection, wanted: Sequence[str]) -> str:
    if connection.dialect.name == "sqlite":
        return " AND ".join(_quoted(token, '"{}"', "*") for token in wanted)
    return " & ".join(_quoted(token, "'{}'", ":*") for token in wanted)


def _quoted(token: str, quotes: str, sign: str) -> str:
    """Tokens hold neither quotes nor backslashes."""
    return quotes.format(token.removesuffix("*")) + (sign if token.endswith("*") else "")
