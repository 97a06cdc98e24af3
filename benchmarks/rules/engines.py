"""General rule engines, each asked in the fastest way that it offers.

All rules are one expression that gives a list of flags, so that an answer crosses into the engine
once. "Mentions a word" is "the comment holds ` word `", after the folding that we do too and with
every sign that is no letter or digit made a space; the folding is part of what is measured.
"""

from __future__ import annotations

import ctypes
import importlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.rules.workload import Wish
from connector.domain import Facts
from connector.text import fold

Matcher = Callable[[Facts], list[str]]
_SIGNS = bytes(n if n < 128 and (chr(n).isalnum() or n == ord("_")) else 32 for n in range(256))


class NotInstalled(Exception):
    """This engine is not there."""


class CannotTake(Exception):
    """This engine has a limit below so many rules."""


def seen(facts: Facts) -> dict[str, Any]:
    """What an engine is given: flat, folded, without None."""
    customer = facts.customer
    return {
        "segment": facts.segment or "",
        "plan": fold(str(customer.get("plan") or "")).strip(),
        "value": customer.get("value", -1),
        "language": facts.language,
        "country": fold(str(facts.properties.get("country") or "")).strip(),
        "comment": f" {_without_signs(fold(facts.comment))} ",
        "previous": facts.history.previous_segment or "",
    }


def _without_signs(text: str) -> str:
    """The comments of this benchmark are plain Latin once they are folded."""
    return text.encode("ascii").translate(_SIGNS).decode("ascii")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise NotInstalled(name) from None


def _quoted(text: str) -> str:
    return json.dumps(fold(text), ensure_ascii=False)


def _sentence(wish: Wish, both: str, either: str, equal: str, word: str, one_of: str) -> str:
    """The rule as an expression; the dialects differ only in their signs."""
    parts = [f"segment {equal} {_quoted(wish.segment)}"]
    if wish.plans:
        parts.append(one_of.format(", ".join(_quoted(plan) for plan in wish.plans)))
    for name in ("language", "country"):
        if getattr(wish, name):
            parts.append(f"{name} {equal} {_quoted(getattr(wish, name))}")
    if wish.value:
        parts.append(f"value >= {wish.value}")
    if wish.promoter_or_value:
        before = f'previous {equal} "promoter"'
        parts.append(f"({before} {either} value >= {wish.promoter_or_value})")
    if wish.words:
        said = (word.format(_quoted(f" {each} ")) for each in wish.words)
        parts.append(f"({f' {either} '.join(said)})")
    return f"({f' {both} '.join(parts)})"


def _flagged(rules: Sequence[Wish], evaluate: Callable[[dict[str, Any]], Any]) -> Matcher:
    ids = [wish.id for wish in rules]

    def match(facts: Facts) -> list[str]:
        return [id for id, held in zip(ids, evaluate(seen(facts)), strict=True) if held]

    return match


def datalogic(rules: Sequence[Wish]) -> Matcher:
    engine = _module("datalogic_py").Engine()
    rule = engine.compile([_as_json_logic(wish) for wish in rules])
    return _flagged(rules, rule.evaluate)


def _as_json_logic(wish: Wish) -> dict[str, Any]:
    def field(name: str) -> dict[str, str]:
        return {"var": name}

    parts: list[Any] = [{"===": [field("segment"), wish.segment]}]
    if wish.plans:
        parts.append({"in": [field("plan"), [fold(plan) for plan in wish.plans]]})
    if wish.language:
        parts.append({"===": [field("language"), wish.language]})
    if wish.country:
        parts.append({"===": [field("country"), fold(wish.country)]})
    if wish.value:
        parts.append({">=": [field("value"), wish.value]})
    if wish.promoter_or_value:
        before = {"===": [field("previous"), "promoter"]}
        parts.append({"or": [before, {">=": [field("value"), wish.promoter_or_value]}]})
    if wish.words:
        said = [{"in": [f" {fold(word)} ", field("comment")]} for word in wish.words]
        parts.append({"or": said})
    return {"and": parts}


def zen(rules: Sequence[Wish]) -> Matcher:
    signs = ("and", "or", "==", "contains(comment, {})", "plan in [{}]")
    sentences = ", ".join(_sentence(wish, *signs) for wish in rules)
    return _flagged(rules, _module("zen").compile_expression(f"[{sentences}]").evaluate)


_CEL = ("&&", "||", "==", "comment.contains({})", "plan in [{}]")


def cel_rust(rules: Sequence[Wish]) -> Matcher:
    sentences = ", ".join(_sentence(wish, *_CEL) for wish in rules)
    return _flagged(rules, _module("cel").compile(f"[{sentences}]").execute)


def cel_cpp(rules: Sequence[Wish]) -> Matcher:
    cel = _module("cel_expr_python.cel")
    names = ("segment", "plan", "language", "country", "comment", "previous")
    types = dict.fromkeys(names, cel.Type.STRING) | {"value": cel.Type.INT}
    sentences = ", ".join(_sentence(wish, *_CEL) for wish in rules)
    try:
        rule = cel.NewEnv(variables=types).compile(f"[{sentences}]")
    except RuntimeError as error:  # at most 100,000 characters
        raise CannotTake(str(error).partition(".")[0]) from None
    return _flagged(rules, lambda data: rule.eval(data=data).plain_value())


def rule_engine(rules: Sequence[Wish]) -> Matcher:
    signs = ("and", "or", "==", "{} in comment", "plan in [{}]")
    sentences = ", ".join(_sentence(wish, *signs) for wish in rules)
    return _flagged(rules, _module("rule_engine").Rule(f"[{sentences}]").evaluate)


def clips(rules: Sequence[Wish]) -> Matcher:
    """A Rete network: every value and every word of the answer is a fact."""
    environment = _module("clips").Environment()
    # Never taken down: it would complain on stdout.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(environment))
    environment.build("(defglobal ?*hits* = (create$))")
    for wish in rules:
        environment.build(_as_clips(wish))
    place = {wish.id: number for number, wish in enumerate(rules)}

    def match(facts: Facts) -> list[str]:
        environment.reset()
        data = seen(facts)
        for word in set(data.pop("comment").split()):
            environment.assert_string(f'(word "{word}")')
        for name, value in data.items():
            said = value if name == "value" else json.dumps(value, ensure_ascii=False)
            environment.assert_string(f"({name} {said})")
        environment.run()
        return sorted(environment.eval("?*hits*"), key=place.__getitem__)

    return match


def _as_clips(wish: Wish) -> str:
    parts = [f"(segment {_quoted(wish.segment)})"]
    if wish.plans:
        parts.append(f"(plan {'|'.join(_quoted(plan) for plan in wish.plans)})")
    for name in ("language", "country"):
        if getattr(wish, name):
            parts.append(f"({name} {_quoted(getattr(wish, name))})")
    if wish.value:
        parts.append(f"(value ?v&:(>= ?v {wish.value}))")
    if wish.promoter_or_value:
        large = f"(value ?w&:(>= ?w {wish.promoter_or_value}))"
        parts.append(f'(exists (or (previous "promoter") {large}))')
    if wish.words:
        parts.append(f"(exists (word {'|'.join(_quoted(word) for word in wish.words)}))")
    return f"(defrule {wish.id} {' '.join(parts)} => (bind ?*hits* ?*hits* {wish.id}))"


ENGINES: dict[str, Callable[[Sequence[Wish]], Matcher]] = {
    "datalogic-py": datalogic,
    "zen-engine": zen,
    "common-expression-language": cel_rust,
    "cel-expr-python": cel_cpp,
    "clipspy": clips,
    "rule-engine": rule_engine,
}
