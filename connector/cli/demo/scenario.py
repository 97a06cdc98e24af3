"""Who answers what, through which door. Everybody is made up; the stand-ins believe it.

Ages are in minutes before the demo starts. Its sources were added `ADDED_MINUTES_AGO`, so that an
answer that is older is history and makes nothing happen.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta

ADDED_MINUTES_AGO = 10
OLD_ANSWERS = 20
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class Person:
    """A customer. `plan`, `value` (of the account) and `company` reach the rules by CSV import."""

    name: str
    email: str
    language: str = "en"
    plan: str = "growth"
    value: int = 12_000
    company: str = ""


@dataclass(frozen=True)
class Answer:
    score: int
    comment: str = ""
    who: Person | None = None
    minutes_ago: float = 5.0


@dataclass(frozen=True)
class AppAnswer:
    """An answer that the customer's own application posts. `survey` is its name there."""

    id: str
    survey: str
    answer: Answer


DORA = Person("Dora Detractor", "dora@example.com", "es", "enterprise", 90_000, "Acme Example")
PABLO = Person("Pablo Promoter", "pablo@example.org", "it", "starter", 6_000, "Globex Example")
ZOE = Person("Zoe Zero", "zoe@example.com")
REMO = Person("Remo Repeat", "remo@example.org", "it")
GUS = Person("Gus Gone", "gus@example.com")
PIA = Person("Pia Passiva", "pia@example.org", "pt", "starter", 4_000)
GRETA = Person("Greta Google", "greta@example.com")
ESTEBAN = Person("Esteban Llamada", "esteban@example.com", "es")
BIANCA = Person("Bianca Brava", "bianca@example.org", "it")
HUGO = Person("Hugo Hotjar", "hugo@example.com", "es")
DELIA = Person("Delia Devolución", "delia@example.com", "es")
TIAGO = Person("Tiago Tipo", "tiago@example.org", "pt")
THEA = Person("Thea Typeform", "thea@example.com", "en", "enterprise", 75_000, "Initech Example")
PETRA = Person("Petra Partner", "petra@example.com")
PAUL = Person("Paul Partner", "paul@example.org")
PERRY = Person("Perry Partner", "perry@example.com")
RITA = Person("Rita Revised", "rita@example.com")

CUSTOMERS = (
    *(DORA, PABLO, ZOE, REMO, GUS, PIA, GRETA, ESTEBAN, BIANCA, HUGO, DELIA, TIAGO, THEA),
    *(PETRA, PAUL, PERRY, RITA),
)

# Read from the Delighted API.
DELIGHTED = (
    Answer(2, "Llevo dos semanas esperando y nadie responde.", DORA, 9),
    Answer(10, "Servizio eccellente, lo consiglio a tutti.", PABLO, 8),
    Answer(0, "Nobody picked up the phone for three days.", ZOE, 7),
    Answer(5, "Ancora lo stesso problema del mese scorso.", REMO, 6),
    Answer(9, "", GUS, 5),
    Answer(8, "Bom, mas falta um aplicativo.", PIA, 4),
)
# Given before the sources were added; Remo's turns him into a detractor for the second time.
OLD_DELIGHTED = (
    Answer(3, "La consegna era in ritardo.", REMO, 31 * DAY_MINUTES),
    Answer(8, "", PABLO, 45 * DAY_MINUTES),
    *(
        Answer(
            (10, 9, 7, 6, 9, 8, 4, 10, 0)[number % 9],
            f"Old answer {number + 1}" if number % 2 else "",
            Person(f"Old Friend {number + 1}", f"old{number + 1:02}@example.com"),
            (60 + 10 * number) * DAY_MINUTES,
        )
        for number in range(OLD_ANSWERS - 2)
    ),
)
# Read from the Google Forms API: a form that asks for the address, but takes answers without.
FORM = (
    Answer(10, "I tell everybody about you.", GRETA, 9),
    Answer(7, "Está bien, pero llamadme cuando podáis.", ESTEBAN, 7),
    Answer(6, "Too slow.", None, 5),
    Answer(9, "", BIANCA, 3),
)
# Read from the Hotjar API: a survey in the shop, which knows some of its visitors.
HOTJAR = (
    Answer(9, "", HUGO, 8),
    Answer(3, "Quiero la devolución de mi dinero.", DELIA, 6),
    Answer(10, "", None, 4),
)
# Posted by Typeform, signed. The first one comes twice, as when an acknowledgement gets lost.
TYPEFORM = (
    Answer(1, "Vou cancelar e chamar o Procon.", TIAGO, 2),
    Answer(8, "Solid, but the reports are missing.", THEA, 1),
)
# Posted by an application of the customer's own, signed as in Standard Webhooks.
APP = (
    AppAnswer("app-1", "partners", Answer(9, "Please send us a quote for 40 seats.", PETRA, 3)),
    AppAnswer("app-2", "partners", Answer(6, "", PAUL, 3)),
    AppAnswer("app-3", "partners", Answer(4, "The margin is too small.", PERRY, 2)),
    AppAnswer("app-4", "checkout", Answer(2, "The card form failed twice.", None, 2)),
)
OFF_THE_SCALE = AppAnswer("app-5", "nps", Answer(11, "Eleven!", None, 1))
# Posted by Delighted: the score at first, and the comment that changes everything later.
REVISED = Answer(4, "", RITA, 2)
REVISED_COMMENT = "I want a refund, otherwise we cancel."
REVISED_MINUTES_AGO = 0.5

ARCHIVE_ROWS = (
    ("3/14/2024 9:05:12", 10, "Great workshop"),
    ("3/14/2024 9:07:40", 9, ""),
    ("3/14/2024 9:12:03", 0, "The room was freezing"),
    ("3/14/2024 9:15:55", 7, "Good food, weak coffee"),
    ("3/14/2024 9:31:20", 8, ""),
    ("3/15/2024 18:02:11", 6, "Too long, and I want my money back"),
    ("3/15/2024 18:40:00", 10, "Come again"),
    ("3/16/2024 7:20:48", 3, ""),
    ("3/18/2024 12:00:00", 9, "Tell us before you change the date, please"),
    ("3/18/2024 12:45:31", 5, "Crowded"),
    ("3/20/2024 8:01:02", 10, ""),
    ("3/21/2024 22:10:09", 8, 'They said "soon", and it was'),
)


def given_at(minutes_ago: float, now: datetime) -> datetime:
    return now - timedelta(minutes=minutes_ago)


def archive_csv(score: str, comment: str) -> bytes:
    """An old answer sheet; `score` and `comment` are the headers that the source reads."""
    return _csv([("Timestamp", score, comment), *ARCHIVE_ROWS])


def customers_csv() -> bytes:
    header = ("email", "name", "language", "plan", "value", "owner", "company")
    rows = [
        (p.email, p.name, p.language, p.plan, p.value, "sonia@example.com", p.company)
        for p in CUSTOMERS
    ]
    return _csv([header, *rows])


def _csv(rows: list[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
