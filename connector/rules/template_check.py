"""Judging a template when it is loaded, so that nothing is found out while a customer waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import jinja2
from jinja2 import nodes

from connector.rules.fields import field_rule, nearest_field
from connector.rules.model import Vocabulary
from connector.rules.templates import FILTERS, SANDBOX, TESTS, TextTemplate
from connector.text import did_you_mean, one_line

_MORE_VARIABLES = (
    "survey_name",
    "scale_low",
    "scale_high",
    "answered_at",
    "response_id",
    "revision",
    "history.previous_at",
    "owner",
)
_LISTS = {
    "tags": (),
    "topics": (),
    "asks_for": (),
    "history.earlier": ("answered_at", "survey", "score", "segment", "comment"),
}
_PLAIN_LISTS = [name for name, parts in _LISTS.items() if not parts]
_NEVER_EMPTY = {
    "survey",
    "source",
    "language",
    "scale_low",
    "scale_high",
    "response_id",
    "revision",
    "history.answers",
    "history.detractor_answers",
    "history.open_cases",
    "contradiction",
}
_GROUPS = ("customer", "company", "properties", "history")
_HARMLESS = (
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Test,
)


@dataclass(frozen=True)
class Remark:
    """What is wrong in a template; `line` counts from 1 within it."""

    line: int
    message: str
    hint: str = ""


def has_template(text: str) -> bool:
    """Does this text hold anything that is filled in?"""
    return any(mark in text for mark in ("{{", "{%", "{#"))


@lru_cache(maxsize=2_000)
def compile_template(
    source: str, vocabulary: Vocabulary, html: bool = False
) -> tuple[TextTemplate | None, tuple[Remark, ...]]:
    """The template ready to render, or what is wrong with it.

    Kept, as the same text stands in many rules, and again in the next version of the file.
    """
    sandbox = SANDBOX[html]
    try:
        tree = sandbox.parse(source)
    except jinja2.TemplateSyntaxError as error:
        return None, (Remark(error.lineno, f"template: {one_line(error.message or '', 120)}"),)
    check = _Check(vocabulary)
    for node in tree.body:
        check.visit(node, frozenset())
    if check.remarks:
        return None, tuple(check.remarks)
    code = sandbox.compile(tree)
    template = jinja2.Template.from_code(sandbox, code, {})
    return TextTemplate(template, check.needs, check.prints, frozenset(check.names)), ()


class _Check:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.remarks: list[Remark] = []
        self.needs: dict[str, int] = {}
        self.prints: dict[str, int] = {}
        self.names: set[str] = set()
        self.loop: tuple[str, str] | None = None  # variable, list

    def visit(self, node: nodes.Node, sure: frozenset[str]) -> None:
        """`sure` are the variables that cannot be empty here."""
        if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
            self.variable(node, sure)
        elif isinstance(node, nodes.Filter):
            self.filter(node, sure)
        elif isinstance(node, nodes.If | nodes.CondExpr):
            self.condition(node, sure)
        elif isinstance(node, nodes.For):
            self.repeat(node, sure)
        elif isinstance(node, nodes.Test) and node.name not in TESTS:
            allowed = f"allowed: {', '.join(TESTS)}"
            self.remark(node, f"template: unknown test '{one_line(node.name, 40)}'", allowed)
        elif isinstance(node, _HARMLESS):
            for child in node.iter_child_nodes():
                self.visit(child, sure)
        else:
            what = type(node).__name__.lower()
            allowed = "allowed: variables, filters, if, for"
            self.remark(node, f"template: '{what}' is not allowed", allowed)

    def remark(self, node: nodes.Node, message: str, hint: str = "") -> None:
        self.remarks.append(Remark(node.lineno, message, hint))

    def variable(self, node: nodes.Node, sure: frozenset[str]) -> None:
        name = _name(node)
        if name is None:
            self.remark(node, "template: only names joined by dots can be filled in")
        elif self.known(node, name) and self.can_be_empty(name):
            if not (self.loop and name.partition(".")[0] == self.loop[0]):
                self.prints.setdefault(name, node.lineno)
            if name not in sure:
                self.needs.setdefault(name, node.lineno)

    def known(self, node: nodes.Node, name: str) -> bool:
        first, _, rest = name.partition(".")
        if self.loop and first == self.loop[0]:
            parts = _LISTS[self.loop[1]]
            if (rest in parts) if parts else not rest:
                return True
            allowed = ", ".join(f"{first}.{part}" for part in parts) or first
            self.remark(node, f"template: unknown variable '{name}'", f"allowed: {allowed}")
        elif name in _GROUPS:
            self.remark(node, f"template: '{name}' is a group", f"write {name}.NAME")
        elif name in _LISTS:
            self.remark(node, f"template: '{name}' is a list", "use join, or a for")
        elif name in _MORE_VARIABLES or field_rule(name, self.vocabulary):
            self.names.add(name)
            return True
        else:
            near = did_you_mean(name, _MORE_VARIABLES) or nearest_field(name, self.vocabulary)
            self.remark(node, f"template: unknown variable '{one_line(name, 60)}'", near)
        return False

    def can_be_empty(self, name: str) -> bool:
        first, _, rest = name.partition(".")
        if self.loop and first == self.loop[0]:
            return rest not in ("", "survey")
        return name not in _NEVER_EMPTY

    def filter(self, node: nodes.Filter, sure: frozenset[str]) -> None:
        if node.name not in FILTERS:
            hint = did_you_mean(node.name, FILTERS) or f"allowed: {', '.join(FILTERS)}"
            self.remark(node, f"template: unknown filter '{one_line(node.name, 40)}'", hint)
            return
        for child in (*node.args, *(pair.value for pair in node.kwargs)):
            self.visit(child, sure)
        name = _name(node.node) if node.node else None
        if node.node is None or (node.name == "join" and name in _PLAIN_LISTS):
            return
        self.visit(node.node, sure | {name} if node.name == "default" and name else sure)

    def condition(self, node: nodes.If | nodes.CondExpr, sure: frozenset[str]) -> None:
        self.test(node.test, sure)
        inside = sure | frozenset(_asked(node.test))
        if isinstance(node, nodes.CondExpr):
            self.visit(node.expr1, inside)
            if node.expr2:
                self.visit(node.expr2, sure)
            return
        for child in node.body:
            self.visit(child, inside)
        for child in (*node.elif_, *node.else_):
            self.visit(child, sure)

    def test(self, node: nodes.Node, sure: frozenset[str]) -> None:
        """Asking whether a variable is there, or equal to something, needs no value."""
        if isinstance(node, nodes.And | nodes.Or):
            self.test(node.left, sure)
            self.test(node.right, sure)
        elif isinstance(node, nodes.Not) or (isinstance(node, nodes.Test) and node.name in TESTS):
            self.test(node.node, sure)
        elif isinstance(node, nodes.Compare) and all(o.op in ("eq", "ne") for o in node.ops):
            for each in (node.expr, *(operand.expr for operand in node.ops)):
                self.test(each, sure)
        else:
            name = _name(node)
            if name is None:
                self.visit(node, sure)
            elif name not in _LISTS:
                self.known(node, name)

    def repeat(self, node: nodes.For, sure: frozenset[str]) -> None:
        name, target = _name(node.iter), _name(node.target)
        if name not in _LISTS or target is None or "." in target or node.recursive or node.test:
            lists = " or ".join(_LISTS)
            self.remark(node, "template: a for may only go over a list of facts", f"write {lists}")
            return
        if self.loop:
            self.remark(node, "template: a for may not stand inside another")
            return
        self.loop = (target, name)
        for child in node.body:
            self.visit(child, sure)
        self.loop = None
        for child in node.else_:
            self.visit(child, sure)


def _name(node: nodes.Node) -> str | None:
    """`customer.name`, also where it is written `customer["name"]`; None for anything else."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        before = _name(node.node)
        return before and f"{before}.{node.attr}"
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        before = _name(node.node)
        return before and f"{before}.{node.arg.value}"
    return None


def _asked(test: nodes.Node) -> Iterator[str]:
    """The variables that are there when this test holds."""
    if isinstance(test, nodes.And):
        yield from _asked(test.left)
        yield from _asked(test.right)
    elif isinstance(test, nodes.Test) and test.name == "defined":
        yield from _asked(test.node)
    else:
        name = _name(test)
        if name:
            yield name


def unguarded(template: TextTemplate, sure: frozenset[str]) -> Mapping[str, int]:
    """The variables that this template prints although they can be empty, with their lines."""
    return {name: line for name, line in template.needs.items() if name not in sure}
