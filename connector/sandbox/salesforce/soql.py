"""Enough SOQL to find people and follow tasks; everything else is refused as Salesforce refuses it.

    SELECT a, b.c FROM Object [WHERE ...] [ORDER BY a [ASC|DESC], ...] [LIMIT n]

Conditions: = != < <= > >= [NOT] IN (...), AND, OR, parentheses. Strings in single quotes with
backslash escapes; dates, numbers, booleans and null bare.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from connector.sandbox.core import Refusal
from connector.sandbox.salesforce.schema import OBJECTS, Row

Test = Callable[[Row], bool]
_EQUALITY = ("=", "!=", "<>")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
RELATIONS = {"Account": "AccountId", "Owner": "OwnerId", "Who": "WhoId", "What": "WhatId"}

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z]\w*(?:\.\w+)*)
    | (?P<mark><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?")
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def refused(code: str, message: str, status: int = 400) -> Refusal:
    """Salesforce's errors are a JSON array."""
    return Refusal(status, [{"message": message, "errorCode": code}])


def malformed(text: str) -> Refusal:
    return refused("MALFORMED_QUERY", text)


@dataclass(frozen=True)
class Query:
    kind: str
    fields: list[str]
    test: Test
    order: list[tuple[str, bool]]
    limit: int | None


@dataclass(frozen=True)
class Token:
    kind: str
    text: str


def tokens(text: str) -> list[Token]:
    found: list[Token] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise malformed(f"unexpected token at position {place}")
        found.append(Token(match.lastgroup or "", match[match.lastgroup or 0]))
        place = match.end()
    return found


class Parser:
    """Recursive descent over the tokens of one query."""

    def __init__(
        self, text: str, records: dict[str, dict[str, Row]], hidden: frozenset[str] = frozenset()
    ) -> None:
        self.tokens = [*tokens(text), Token("end", "")]
        self.place = 0
        self.records = records
        self.hidden = hidden
        self.kind = ""

    def query(self) -> Query:
        self.expect("select")
        names = [self.take("word")]
        while self.skip(","):
            names.append(self.take("word"))
        self.expect("from")
        wanted = self.take("word")
        self.kind = next((kind for kind in OBJECTS if kind.lower() == wanted.lower()), "")
        if not self.kind:
            raise refused("INVALID_TYPE", f"sObject type '{wanted}' is not supported.")
        fields = [self.field(name) for name in names]
        test: Test = self.conditions() if self.skip("where") else lambda _: True
        order: list[tuple[str, bool]] = []
        if self.skip("order"):
            self.expect("by")
            order.append(self.order())
            while self.skip(","):
                order.append(self.order())
        limit = int(self.take("number")) if self.skip("limit") else None
        if self.tokens[self.place].kind != "end":
            raise malformed("unexpected token after the end of the query")
        return Query(self.kind, fields, test, order, limit)

    def order(self) -> tuple[str, bool]:
        name = self.field(self.take("word"))
        descending = self.skip("desc")
        if not descending:
            self.skip("asc")
        return name, descending

    def conditions(self) -> Test:
        """AND and OR may not stand side by side without parentheses."""
        tests = [self.condition()]
        joint = "or" if self.peek("or") else "and"
        while self.skip(joint):
            tests.append(self.condition())
        met = any if joint == "or" else all
        return lambda row: met(test(row) for test in tests)

    def condition(self) -> Test:
        if self.skip("("):
            inner = self.conditions()
            self.expect(")")
            return inner
        name = self.field(self.take("word"))
        negated = self.skip("not")
        if negated or self.peek("in"):
            self.expect("in")
            self.expect("(")
            allowed = [self.value(name)]
            while self.skip(","):
                allowed.append(self.value(name))
            self.expect(")")
            values = frozenset(allowed)
            return lambda row: (self.read(row, name) in values) != negated
        mark = self.take("mark")
        wanted = self.value(name)
        return self.comparison(name, mark, wanted)

    def comparison(self, name: str, mark: str, wanted: Any) -> Test:
        if mark not in _COMPARE:
            raise malformed(f"unexpected token: '{mark}'")
        compare = _COMPARE[mark]

        def test(row: Row) -> bool:
            found = self.read(row, name)
            if mark not in _EQUALITY and (found is None or wanted is None):
                return False
            return compare(found, wanted)

        return test

    def value(self, name: str) -> Any:
        """The literal, in the form in which `read` gives the field."""
        token = self.tokens[self.place]
        self.place += 1
        kind = self.type_of(name)
        if token.kind == "word" and token.text.lower() == "null":
            return None
        wanted = {"datetime": "time", "date": "date", "boolean": "word"}.get(kind, "string")
        if token.kind != wanted:
            raise refused(
                "INVALID_FIELD",
                f"value of filter criterion for field '{name}' must be of type {kind}",
            )
        if kind == "id" and not _RECORD_ID.fullmatch(token.text[1:-1]):
            text = f"invalid ID field: {token.text[1:-1]}"
            raise refused("INVALID_QUERY_FILTER_OPERATOR", text)
        if token.kind == "word" and token.text.lower() not in ("true", "false"):
            raise malformed("unexpected token")
        return _literal(token, kind)

    def field(self, name: str) -> str:
        """The field by its exact name, whatever case the query used."""
        head, _, tail = name.rpartition(".")
        kind = self.kind
        if head:
            relation = next((r for r in RELATIONS if r.lower() == head.lower()), None)
            if relation is None or RELATIONS[relation] not in OBJECTS[kind]:
                raise refused("INVALID_FIELD", f"Didn't understand relationship '{head}'")
            kind, head = OBJECTS[kind][RELATIONS[relation]].refers_to[0], f"{relation}."
        known = next((f for f in OBJECTS[kind] if f.lower() == tail.lower()), None)
        if known is None or (kind == "Task" and known in self.hidden):
            raise refused("INVALID_FIELD", f"No such column '{tail}' on entity '{kind}'.")
        return head + known

    def type_of(self, name: str) -> str:
        head, _, tail = name.rpartition(".")
        kind = OBJECTS[self.kind][RELATIONS[head]].refers_to[0] if head else self.kind
        return OBJECTS[kind][tail].kind

    def read(self, row: Row, name: str) -> Any:
        """A field's value, comparable: text without case, ids by 15 characters, times as times."""
        value = raw(self.records, self.kind, row, name)
        return _comparable(value, self.type_of(name))

    def take(self, kind: str) -> str:
        token = self.tokens[self.place]
        if token.kind != kind:
            raise malformed(f"unexpected token: '{token.text[:20]}'")
        self.place += 1
        return token.text

    def peek(self, word: str) -> bool:
        token = self.tokens[self.place]
        return token.kind in ("word", "mark") and token.text.lower() == word

    def skip(self, word: str) -> bool:
        found = self.peek(word)
        self.place += found
        return found

    def expect(self, word: str) -> None:
        if not self.skip(word):
            raise malformed(f"expecting '{word}'")


def _literal(token: Token, kind: str) -> Any:
    if token.kind == "string":
        return _comparable(_unescaped(token.text[1:-1]), kind)
    if token.kind == "word":
        return token.text.lower() == "true"
    try:
        return _comparable(token.text, kind)
    except ValueError:
        raise malformed("not a date") from None


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise malformed(f"Invalid string literal: illegal escape \\{match[1]}")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", one, text, flags=re.DOTALL)


def _comparable(value: Any, kind: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if kind == "datetime":
        return datetime.fromisoformat(value)
    if kind == "date":
        return date.fromisoformat(value)
    if kind in ("id", "reference"):
        return value[:15]
    return value.casefold()


def raw(records: dict[str, dict[str, Row]], kind: str, row: Row, name: str) -> Any:
    """The value as the API shows it; one step over a relation."""
    head, _, tail = name.rpartition(".")
    if not head:
        return row.get(name)
    target = row.get(RELATIONS[head])
    for other in OBJECTS[kind][RELATIONS[head]].refers_to:
        if target in records[other]:
            return records[other][target].get(tail)
    return None


def run(query: Query, records: dict[str, dict[str, Row]], deleted: bool) -> list[Row]:
    """Rows of the object that pass, sorted; nulls first, as Salesforce sorts."""
    rows = [
        row
        for row in records[query.kind].values()
        if (deleted or not row.get("IsDeleted")) and query.test(row)
    ]
    for name, descending in reversed(query.order):

        def key(row: Row, name: str = name) -> tuple[bool, Any]:
            value = raw(records, query.kind, row, name)
            return (value is not None, value if value is not None else "")

        rows.sort(key=key, reverse=descending)
    return rows[: query.limit]
