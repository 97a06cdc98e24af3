"""Rules and answers of which everybody is asked the same.

A rule wants a segment, often a plan, a language or a country, mostly one of some words, sometimes a
large account, and in every fifth case "a promoter before, or a large account". Seeded: every run
measures the same.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from connector.domain import Facts, History, Segment

SEGMENTS: tuple[Segment, ...] = ("detractor", "passive", "promoter")
PLANS = tuple(f"Plan {letter}" for letter in "ABCDEFGHIJKL")
LANGUAGES = ("en", "es", "it", "pt")
COUNTRIES = tuple(f"Country {number}" for number in range(40))
_SYLLABLES = ("ca", "de", "fi", "go", "lu", "ma", "né", "pó", "ri", "sa", "to", "vi", "zu")
_PLAIN = (
    "the support team never answered and we waited two weeks for our order",
    "me gusta el producto pero la aplicación es lenta y nadie contesta el teléfono",
    "il servizio è buono, ma la consegna arriva sempre in ritardo",
    "o atendimento é ótimo e a instalação foi simples, obrigado",
    "works well every day, kind people!",
    "too slow",
)


@dataclass(frozen=True)
class Wish:
    """One rule before it is written down in an engine's own language; empty means any."""

    id: str
    segment: str
    plans: tuple[str, ...] = ()
    language: str = ""
    country: str = ""
    words: tuple[str, ...] = ()  # one of them, whole, in the comment
    value: int = 0  # at least
    promoter_or_value: int = 0  # a promoter before, or at least this value


def wishes(count: int) -> list[Wish]:
    chance = random.Random(f"rules {count}")  # noqa: S311
    vocabulary = _words(max(40, 2 * count))
    return [_wish(f"rule-{number}", chance, vocabulary) for number in range(count)]


def _wish(id: str, chance: random.Random, vocabulary: list[str]) -> Wish:
    worded = chance.random() < 0.7
    return Wish(
        id=id,
        segment=chance.choice(SEGMENTS),
        plans=tuple(chance.sample(PLANS, chance.randint(1, 3))) if chance.random() < 0.6 else (),
        language=chance.choice(LANGUAGES) if chance.random() < 0.3 else "",
        country=chance.choice(COUNTRIES) if not worded or chance.random() < 0.2 else "",
        words=tuple(chance.sample(vocabulary, chance.randint(2, 8))) if worded else (),
        value=chance.randrange(1_000, 100_000, 500) if chance.random() < 0.3 else 0,
        promoter_or_value=chance.randrange(1_000, 90_000, 500) if chance.random() < 0.2 else 0,
    )


def _words(count: int) -> list[str]:
    chance = random.Random("words")  # noqa: S311
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4)))] = None
    return list(found)


def rules_text(rules: list[Wish]) -> str:
    """`rules.yaml`; JSON is YAML."""
    return json.dumps({"rules": [_as_rule(wish) for wish in rules]}, indent=1)


def _as_rule(wish: Wish) -> dict[str, Any]:
    when: dict[str, Any] = {"segment": wish.segment}
    if wish.plans:
        when["customer.plan"] = list(wish.plans)
    if wish.language:
        when["language"] = wish.language
    if wish.country:
        when["properties.country"] = wish.country
    if wish.words:
        when["comment"] = {"mentions": list(wish.words)}
    if wish.value:
        when["customer.value"] = {"at_least": wish.value}
    if wish.promoter_or_value:
        when["any"] = [
            {"history.previous_segment": "promoter"},
            {"customer.value": {"at_least": wish.promoter_or_value}},
        ]
    return {"id": wish.id, "when": when, "then": [{"log": {}}]}


def answers(rules: list[Wish], count: int) -> list[Facts]:
    """Every second one holds a word that some rule looks for."""
    chance = random.Random(f"answers {len(rules)}")  # noqa: S311
    return [_answer(number, chance, rules) for number in range(count)]


def _answer(number: int, chance: random.Random, rules: list[Wish]) -> Facts:
    comment = chance.choice(_PLAIN)
    words = chance.choice(rules).words
    if words and chance.random() < 0.5:
        comment = f"{comment}; {chance.choice(words).upper()}."
    score = chance.randint(0, 10)
    customer: dict[str, Any] = {"plan": chance.choice(PLANS), "value": chance.randrange(120_000)}
    for name in list(customer):
        if chance.random() < 0.1:
            del customer[name]
    segment: Any = "promoter" if score >= 9 else "passive" if score >= 7 else "detractor"
    return Facts(
        response_id=f"r{number}",
        source="app",
        survey="relationship",
        score=score,
        segment=segment,
        comment=comment,
        language=chance.choice(LANGUAGES),
        properties={"country": chance.choice(COUNTRIES)},
        customer=customer,
        history=History(previous_segment=chance.choice((None, *SEGMENTS))),
    )
