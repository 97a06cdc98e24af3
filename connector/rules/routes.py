"""`pools` and `routing`: read, and checked as far as the file itself can tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from connector.documents import Document, validate
from connector.domain import Problem, Value
from connector.rules.actions import At
from connector.rules.conditions import read_when
from connector.rules.match import always_there
from connector.rules.model import Vocabulary
from connector.rules.routing import OWNER, Line, Routing
from connector.rules.template_check import compile_template, has_template, unguarded
from connector.rules.templates import TextTemplate
from connector.rules.written import plain_id
from connector.text import did_you_mean, one_line

_Members = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=1)]


class PoolsText(Value):
    """`pools`: by name, the members in the order in which they take turns."""

    pools: dict[Annotated[str, AfterValidator(plain_id)], _Members]


class RouteText(Value):
    """A line of `routing`: whom the answers are for that it matches; `owner` or `pool`."""

    when: dict[str, Any]
    owner: str = Field(
        "",
        description="whom it is for; may be filled in",
        examples=["{{ customer.owner }}", "ana@example.com"],
    )
    pool: str = Field("", description="one of pools: its members take turns")


def read_routing(
    document: Document, vocabulary: Vocabulary
) -> tuple[Routing | None, list[Problem]]:
    """Who gets what, and every problem; None where the file has no `routing`."""
    reader = _Reader(document, vocabulary)
    raw = document.data
    if raw.get("pools") is not None:
        reader.read_pools()
    if raw.get("routing") is None:
        reader.unused_pools(set())
        return None, reader.problems
    lines = reader.lines(raw["routing"])
    return Routing(tuple(lines), reader.pools), reader.problems


class _Reader:
    def __init__(self, document: Document, vocabulary: Vocabulary) -> None:
        self.document, self.vocabulary = document, vocabulary
        self.pools: dict[str, tuple[str, ...]] = {}
        self.problems: list[Problem] = []

    def wrong(self, message: str, *at: str | int, hint: str = "", warning: bool = False) -> None:
        self.problems.append(self.document.problem(message, *at, hint=hint, warning=warning))

    def read_pools(self) -> None:
        named, problems = validate(self.document, PoolsText, {"pools": self.document.data["pools"]})
        self.problems.extend(problems)
        for name, members in (named.pools if named else {}).items():
            self.pools[name] = tuple(members)
            for number, member in enumerate(members):
                if member in members[:number]:
                    message = f"pool '{name}' names {one_line(member, 60)} twice"
                    hint = "who stands twice gets twice as much; remove one if that is not meant"
                    self.wrong(message, "pools", name, number, hint=hint, warning=True)

    def lines(self, raw: Any) -> list[Line]:
        if not isinstance(raw, list) or not raw:
            self.wrong("routing: must be a list", "routing", hint="start each line with '- '")
            return []
        found: list[Line] = []
        everybody = 0  # the line that every answer matches
        for number in range(len(raw)):
            at: At = ("routing", number)
            if everybody:
                message = f"this line of routing is never reached: line {everybody} matches all"
                hint = "move that one to the end, or remove this one"
                self.wrong(message, *at, hint=hint, warning=True)
            line = self.line(at, raw[number])
            if line is not None:
                found.append(line)
                if not line.when.members and line.template is None and not everybody:
                    everybody = number + 1
        self.unused_pools({line.pool for line in found})
        return found

    def line(self, at: At, raw: Any) -> Line | None:
        head, problems = validate(self.document, RouteText, at=at)
        self.problems.extend(problems)
        if head is None:
            return None
        when, problems = read_when(self.document, (*at, "when"), self.vocabulary)
        self.problems.extend(problems)
        if bool(head.owner.strip()) is bool(head.pool):
            hint = "write owner: ana@example.com, or pool: one of pools"
            self.wrong("a line of routing says either owner or pool", *at, hint=hint)
            return None
        if head.pool:
            return self.pooled(at, when, head.pool)
        template = None
        if has_template(head.owner):
            template = self.template((*at, "owner"), head.owner, always_there(when))
        return Line(when, head.owner.strip(), template)

    def pooled(self, at: At, when: Any, pool: str) -> Line | None:
        raw = self.document.data.get("pools")
        written = [str(name) for name in raw] if isinstance(raw, Mapping) else []
        if pool in self.pools:
            return Line(when, pool=pool)
        if pool not in written:  # else its own problem is told
            allowed = f"allowed: {', '.join(written)}" if written else "there is none: write pools:"
            hint = did_you_mean(pool, written) or allowed
            self.wrong(f"no pool '{one_line(pool, 40)}'", *at, "pool", hint=hint)
        return None

    def template(self, at: At, source: str, sure: frozenset[str]) -> TextTemplate | None:
        template, remarks = compile_template(source, self.vocabulary)
        for remark in remarks:
            self.wrong(remark.message, *at, hint=remark.hint)
        if template is None:
            return None
        if OWNER in template.names:
            hint = "did you mean 'customer.owner'?"
            self.wrong("template: routing itself says who 'owner' is", *at, hint=hint)
        for name in unguarded(template, sure):
            if name != OWNER:
                message = f"template: {name} can be empty: then the next line of routing says who"
                hint = f"ask for it in when: {name}: {{exists: true}}"
                self.wrong(message, *at, hint=hint, warning=True)
        return template

    def unused_pools(self, used: set[str]) -> None:
        for name in self.pools:
            if name not in used:
                message = f"no line of routing uses the pool '{name}'"
                hint = f"write - {{when: {{…}}, pool: {name}}} under routing, or remove it"
                self.wrong(message, "pools", name, hint=hint, warning=True)
