"""What an editor shows beside each key: one line each, and the same words as docs/rules.md."""

from __future__ import annotations

from typing import Any

from connector.rules.fields import FieldRule
from connector.rules.model import ActionKind
from connector.rules.stems import LANGUAGES as STEMMED
from connector.rules.words import ANY

FILE = "Read from top to bottom; every rule that matches acts. The language: docs/rules.md."
RULES = "The urgent ones first: an answer has at most one case in a sink; the first rule opens it."
RULE = "When these conditions hold, these actions happen."
DEFAULTS = "What actions inherit that do not say it themselves."
DEFAULT = "What happens when no live rule matched."
WHEN = "Every line must hold. field: value, field: [value, value], or field: {operator: value}."
POOLS = "People who take turns, in this order."
ROUTING = "Who gets it: read from top to bottom, the first line that matches says who."
ESCALATION = "What happens when a case is due and nobody acts; each step once for each case."
THEN = "One '- ' for each action: kind: {…}."
LOG = "nothing; the answer is kept and counted all the same. Write log: {}"
SETTLE = "how long to wait for a revision of the answer before sending"

CALENDARS = "When people work, and when messages may go out. A name of yours, then its hours."
CALENDAR = "A day that is not named is closed."
HOURS = 'mon-thu: ["09:00-14:00", "15:30-18:30"]; a day that is not named is closed'
ALERT_HOURS = "the calendar in whose hours it goes out; without it at any time"
DIGEST = "alerts of one channel as one message: every 1h (4h, 15m, …), or at a time of day"

GROUPS = {
    "all": "all of these hold",
    "any": "at least one of these holds",
    "none": "not one of these holds",
}
OPERATORS = {
    "is": "the value is this one",
    "not": "the value is not this one, or none of a list; also holds where there is no value",
    "in": "the value is one of a list",
    "at_most": "the number is this or lower",
    "at_least": "the number is this or higher",
    "between": "the number lies between the two, or is one of them: [lowest, highest]",
    "mentions": "the text holds the word or phrase, or one of a list; refund* finds every ending; "
    "{es: [reembolso]}: all forms of the word, in answers of that language",
    "matches": "the text holds what a regular expression describes",
    "exists": "true: there is a value; false: there is none",
}
_FIELDS = {
    "score": "as given; the scale is the survey's",
    "segment": "from the score, by the thresholds of the survey; a rating without them has none",
    "comment": "what the customer wrote; case and accents do not matter",
    "language": "es includes es-MX; pt-BR is only that",
    "survey": "one of those in connector.yaml",
    "source": "one of those in connector.yaml",
    "brand": "of the survey",
    "tags": "vip: has this tag; [vip, gold]: has one of them",
    "topics": "what the comment is about, by the words of topics.yaml",
    "asks_for": "what the comment asks for, by the words of topics.yaml",
    "contradiction": "true: words of complaint (topics.yaml) beside a promoter's score",
    "link": "to the answer at its source",
    "history.answers": "earlier answers of this customer",
    "history.detractor_answers": "earlier answers of this customer that were detractors",
    "history.previous_score": "of the answer before",
    "history.previous_segment": "of the answer before",
    "history.open_cases": "cases of this customer that wait for a person",
    "history.days_since_contact": "whole days since a message to them, or a case of theirs",
    "history.drop": "points below their highest earlier score on the same scale; 0: none",
    "history.days_since_answer": "whole days between the answer before and this one",
}
_GROUPS_OF_FIELDS = {
    "customer": "of the person who answered",
    "company": "of their company",
    "properties": "whatever the source sent",
}

LANGUAGES = (*STEMMED, ANY)
WORDS = (
    "in all their forms, in answers of this language; under any: as they are written, in answers "
    "of every language"
)
LANGUAGE = "^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
DURATION: dict[str, Any] = {
    "type": ["string", "integer"],
    "pattern": r"^\s*(0|\d+\s*[smhdwSMHDW](\s*\d+\s*[smhdwSMHDW])*)\s*$",
    "patternErrorMessage": "write a duration such as 90s, 30m, 4h or 7d",  # for editors
    "maximum": 0,
    "examples": ["4h", "30m", "7d", "1h 30m"],
}
WITHIN = "how far back the operators beside it look, from when this answer was given"
SPAN: dict[str, Any] = {**DURATION, "examples": ["90d", "365d", "30d", "12h"]}
VALUES: dict[str, dict[str, Any]] = {
    "number": {"type": "number"},
    "count": {"type": "integer", "minimum": 0},
    "text": {"type": "string", "minLength": 1},
    "tags": {"type": "string", "minLength": 1},
    "flag": {"type": "boolean"},
    "free": {"type": ["string", "number", "boolean"]},
}


def field(rule: FieldRule) -> str:
    """What a field holds."""
    group = rule.name.partition(".")[0]
    return _FIELDS.get(rule.name) or _GROUPS_OF_FIELDS[group]


def action(kind: str, of: ActionKind) -> str:
    """What an action does, as far as a rule author has to know."""
    what = "opens a case: at most one for an answer in one sink" if of.opens_case else "no case"
    whom = "; goes to the customer, in their language" if of.to_customer else ""
    return f"{what}{whom}. docs/sinks/{kind.partition('.')[0]}.md"
