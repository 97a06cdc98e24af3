"""Three months of made-up answers, the same every time: who answered when, and what agents did.

Everybody here is called Sample, so that nobody takes a figure for a real one. In the last five
weeks deliveries get worse, which the reports should notice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from connector.cli.demo.scenario import Person

DAYS = 91
PEOPLE = 240
WORSE_DAYS = 35
_BUSY = 8  # answers on a working day, about
_QUIET = 2
_LANGUAGES = ("en",) * 5 + ("es",) * 3 + ("it",) * 2 + ("pt",) * 2
_PLANS = ("starter",) * 5 + ("growth",) * 4 + ("enterprise",)
_VALUES = {"starter": 4_000, "growth": 14_000, "enterprise": 80_000}

Segment = Literal["promoter", "passive", "detractor"]

_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "promoter": ("Easy to use, and support answers within the hour.", "Does what it promises."),
        "passive": ("Good, but the price went up again.", "Fine. The app is a bit slow."),
        "detractor": ("The invoice was wrong twice.", "Nobody from support replied for days."),
        "late": ("My delivery was late again and the courier never called.",),
    },
    "es": {
        "promoter": ("Muy fácil de usar y el soporte contesta rápido.", "Lo recomiendo."),
        "passive": ("Bien, pero el precio ha subido.", "Correcto, aunque va lento."),
        "detractor": ("La factura estaba mal dos veces.", "Nadie del soporte me respondió."),
        "late": ("El envío llegó con retraso y nadie avisó.",),
    },
    "it": {
        "promoter": ("Facile da usare, assistenza ottima.", "Lo consiglio volentieri."),
        "passive": ("Bene, ma il prezzo è salito.", "Va bene, a volte è lento."),
        "detractor": ("La fattura era sbagliata due volte.", "L'assistenza non risponde."),
        "late": ("La consegna è in ritardo per la terza volta.",),
    },
    "pt": {
        "promoter": ("Fácil de usar e o suporte responde logo.", "Recomendo."),
        "passive": ("Bom, mas o preço subiu.", "Está bem, um pouco lento."),
        "detractor": ("A fatura veio errada duas vezes.", "O suporte não respondeu."),
        "late": ("A entrega atrasou outra vez e ninguém avisou.",),
    },
}
CAUSES = (
    *("cause_late_delivery", "cause_late_delivery", "cause_charged_twice"),
    *("cause_slow_support", "cause_product_fault"),
)
ACTIONS = ("Called and apologised", "Credited the invoice", "Sent a replacement", "Fixed the fault")


@dataclass(frozen=True)
class Given:
    """One answer of the past."""

    id: str
    at: datetime
    who: Person
    score: int
    comment: str


@dataclass(frozen=True)
class Work:
    """What an agent does with a ticket or task. Without `touch_after` nobody ever begins; without
    `close_after`, which counts from the touch, nobody closes it."""

    touch_after: timedelta | None
    close_after: timedelta | None
    cause: str = ""
    action: str = ""
    back_after: timedelta | None = None  # it is opened again, so long after it was closed


def people() -> list[Person]:
    """The customers, by number."""
    chance = random.Random(1)  # noqa: S311 - a story, not a secret
    found = []
    for number in range(1, PEOPLE + 1):
        plan = chance.choice(_PLANS)
        found.append(
            Person(
                name=f"Sample Customer {number}",
                email=f"customer{number}@sample.example",
                language=chance.choice(_LANGUAGES),
                plan=plan,
                value=int(_VALUES[plan] * chance.uniform(0.6, 1.6)),
                company=f"Sample Company {number % 60 + 1}" if plan != "starter" else "",
            )
        )
    return found


def answers(now: datetime) -> Iterator[Given]:
    """The oldest first, up to two hours ago."""
    chance = random.Random(2)  # noqa: S311 - the same
    everybody = people()
    number = 0
    for days_ago in range(DAYS, -1, -1):
        day = (now - timedelta(days=days_ago)).replace(hour=0, minute=0, second=0, microsecond=0)
        usual = _BUSY if day.weekday() < 5 else _QUIET
        times = sorted(
            day + timedelta(minutes=chance.uniform(7 * 60, 22 * 60))
            for _ in range(max(1, round(chance.gauss(usual, usual / 4))))
        )
        for at in times:
            number += 1
            given = _given(number, at, chance.choice(everybody), days_ago < WORSE_DAYS, chance)
            if at < now - timedelta(hours=2):
                yield given


def _given(number: int, at: datetime, who: Person, worse: bool, chance: random.Random) -> Given:
    share = chance.random()
    unhappy, neutral = (0.3, 0.5) if worse else (0.16, 0.42)
    segment: Segment
    if share < unhappy:
        segment, score = "detractor", chance.choice((0, 2, 3, 3, 4, 5, 5, 6, 6))
    elif share < neutral:
        segment, score = "passive", chance.choice((7, 8, 8))
    else:
        segment, score = "promoter", chance.choice((9, 9, 10))
    about = "late" if worse and segment == "detractor" and chance.random() < 0.7 else segment
    words = chance.choice(_WORDS[who.language][about]) if chance.random() < 0.7 else ""
    return Given(f"sample-{number}", at, who, score, words)


def work(number: int, urgent: bool) -> Work:
    """What happens to the case with this number: most are done in time, some never are."""
    chance = random.Random(1000 + number)  # noqa: S311 - the same
    luck = chance.random()
    if luck < 0.06:
        return Work(None, None)
    hours = chance.lognormvariate(0.6 if urgent else 1.8, 0.9)
    touch = timedelta(hours=min(hours, 120))
    if luck < 0.12:
        return Work(touch, None)
    close = timedelta(hours=min(chance.lognormvariate(2.2, 1.0), 300))
    told = chance.random() < 0.85
    back = timedelta(hours=chance.uniform(20, 90)) if chance.random() < 0.05 else None
    cause = chance.choice(CAUSES) if told else ""
    return Work(touch, close, cause, chance.choice(ACTIONS) if told else "", back)
