"""Is there an answer that satisfies these conditions? With one, or the proof that there is none.

Score, segment and survey hang together, and so do the parts of the history; the other fields
are independent. For each, the few values are tried that make a difference, with the matcher that
also decides live; so what is said here is what will happen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from connector.domain import Facts, Survey
from connector.rules.examples import facts_of, history_of
from connector.rules.lint.branches import Branch, Literal, TooMany, both, ways
from connector.rules.lint.candidates import candidates, numbers, plain_number
from connector.rules.lint.pasts import looks_back, pasts, values
from connector.rules.lint.speaking import said_about
from connector.rules.match import View, holds
from connector.rules.model import Condition, Group, Vocabulary
from connector.rules.spans import plain
from connector.rules.topics import CONTRADICTION, DERIVED, NO_TOPICS, TopicBook
from connector.rules.written import GivenText, HistoryText
from connector.text import fold

_ANSWER = ("score", "segment", "survey")
_NUMBERS_OF_HISTORY = ("history.answers", "history.detractor_answers", "history.open_cases")

TOGETHER = (
    *_ANSWER,
    "history.previous_score",
    "history.previous_segment",
    *_NUMBERS_OF_HISTORY,
)  # one of them can say something about another
Given = dict[str, Any]


class Found(NamedTuple):
    """`given` is an answer as examples write it, each field tried by itself. Without one, `proven`
    says that none exists."""

    given: Given | None
    proven: bool

    @property
    def impossible(self) -> bool:
        return self.given is None and self.proven


class Answers:
    """Looks for answers in one installation."""

    def __init__(self, vocabulary: Vocabulary, book: TopicBook = NO_TOPICS) -> None:
        self._vocabulary, self._book = vocabulary, book
        surveys = list(vocabulary.surveys.values()) or [Survey(id="example")]
        self.cells = [
            {"survey": s.id, "score": score, "segment": s.segment(score)}
            for s in surveys
            for score in (*range(s.low, s.high + 1), None)
        ]
        # An earlier answer may have been to any survey; None: there was none, or without a score.
        scored = ((c["score"], c["segment"]) for c in self.cells if c["score"] is not None)
        self._earlier = [(None, None), *dict.fromkeys(scored)]
        promoters = [n for n, cell in enumerate(self.cells) if cell["segment"] == "promoter"]
        self._promoters = sum(1 << number for number in promoters)
        self.asked = 0  # how often `satisfying` was asked
        self._masks: dict[tuple[int, bool], tuple[Condition, int]] = {}

    def satisfying(self, *wanted: tuple[Condition | Group, bool]) -> Found:
        """An answer for which each of these holds (True) or does not (False)."""
        self.asked += 1
        try:
            branches = both(*(ways(member, positive) for member, positive in wanted))
        except TooMany:
            return Found(None, False)
        proven = True
        for branch in branches:
            found = self._satisfying(branch)
            if found.given is not None:
                return found
            proven = proven and found.proven
        return Found(None, proven)

    def example(self, *wanted: tuple[Condition | Group, bool]) -> Given | None:
        """The same, as an answer that can be shown: one that was tried as a whole."""
        given = self.satisfying(*wanted).given
        if given is None:
            return None
        view = View(self.facts(given))
        held = all(holds(member, view) is positive for member, positive in wanted)
        return given if held else None

    def facts(self, given: Given) -> Facts:
        return facts_of(GivenText.model_validate(given), self._vocabulary)

    def mask(self, when: Group) -> int:
        """The cells (survey and score) in which this may hold, as bits; all where unknown."""
        try:
            found = 0
            for branch in ways(when):
                found |= self._cells(branch)
            return found
        except TooMany:
            return (1 << len(self.cells)) - 1

    def _satisfying(self, branch: Branch) -> Found:
        if _contradicts_itself(branch):
            return Found(None, True)
        cells = self._cells(branch)
        if not cells:
            return Found(None, True)
        fields: dict[str, list[Literal]] = {}
        for one in branch:
            if one.condition.field not in _ANSWER:
                fields.setdefault(one.condition.field, []).append(one)
        history = {name: fields.pop(name) for name in [*fields] if name.startswith("history.")}
        back = {name: of for name, of in history.items() if looks_back(name)}
        given = self._given(self.cells[(cells & -cells).bit_length() - 1])
        before = self._history({name: of for name, of in history.items() if name not in back})
        if before is None or not self._may_look_back(back, cells):
            return Found(None, True)
        tried = self._with_past(given, history) if back else before
        unproven = tried is None  # there is a field whose values cannot all be tried
        given |= {"history": tried} if tried else {}
        heard = {name: fields.pop(name) for name in DERIVED if name in fields}
        for field, literals in fields.items():
            values, complete = (
                (self._vocabulary.sources or ("example",), True)
                if field == "source"
                else candidates(field, literals[0].condition.type, literals)
            )
            fits = next((value for value in values if _fit(literals, value)), _NOTHING)
            if fits is _NOTHING and complete:
                return Found(None, True)
            unproven = unproven or fits is _NOTHING
            _put(given, field, fits)
            if "language" not in fields:
                given |= _language_of(literals, fits)
        said = said_about(heard, self._book, given, _fit)
        if said is None:
            return Found(None, True)
        return Found(None if unproven else given | said, False)

    def _cells(self, branch: Branch) -> int:
        found = (1 << len(self.cells)) - 1
        for one in branch:
            if one.condition.field in _ANSWER:
                found &= self._mask(one)
            elif one.condition.field == CONTRADICTION and not _fit((one,), False):
                found &= self._promoters
        return found

    def _mask(self, one: Literal) -> int:
        key = (id(one.condition), one.wanted)
        if key not in self._masks:
            field, mask = one.condition.field, 0
            for number, cell in enumerate(self.cells):
                if _fit((one,), cell[field]):
                    mask |= 1 << number
            self._masks[key] = (one.condition, mask)  # the condition is kept, so is its id
        return self._masks[key][1]

    def _given(self, cell: Mapping[str, Any]) -> Given:
        first = self.cells[0]["survey"]
        survey = {"survey": cell["survey"]} if cell["survey"] != first else {}
        return {"score": cell["score"], **survey} if cell["score"] is not None else survey

    def _may_look_back(self, fields: Mapping[str, list[Literal]], cells: int) -> bool:
        """False where one of them cannot hold, whatever had been answered before."""
        earlier = {"history.previous_score": 0, "history.previous_segment": 1}
        largest = max(self._fall(number) for number in _bits(cells))
        for name, literals in fields.items():
            place = earlier.get(plain(name))
            some: Sequence[Any] = (
                values(name, literals, largest)
                if place is None
                else [pair[place] for pair in self._earlier]
            )
            if not any(_fit(literals, value) for value in some):
                return False
        return True

    def _fall(self, number: int) -> int:
        """How far a score can have fallen to the one of this cell."""
        cell = self.cells[number]
        return 0 if cell["score"] is None else self._scores(cell["survey"])[-1] - cell["score"]

    def _scores(self, survey: str) -> list[int]:
        mine = (cell["score"] for cell in self.cells if cell["survey"] == survey)
        return [score for score in mine if score is not None]

    def _with_past(self, given: Given, fields: Mapping[str, list[Literal]]) -> Given | None:
        """A history with earlier answers for which all of these hold, if one is found easily."""
        facts = self.facts(given)
        surveys = self._vocabulary.surveys
        survey = surveys.get(facts.survey) or Survey(id=facts.survey)
        cases = _counts(fields.get("history.open_cases", []))
        told = {"open_cases": cases[0]} if cases and cases[0] else {}
        literals = [one for of in fields.values() for one in of]
        for past in pasts(fields, facts.score, self._scores(survey.id)):
            tried = HistoryText.model_construct(past=past, open_cases=cases[0] if cases else 0)
            history = history_of(tried, survey, self._vocabulary)
            view = View(facts.model_copy(update={"history": history}))
            if all(holds(one.condition, view) is one.wanted for one in literals):
                shown = [one.model_dump(exclude_none=True) for one in past]
                return {**({"past": shown} if shown else {}), **told}
        return None

    def _history(self, fields: Mapping[str, list[Literal]]) -> Given | None:
        """The parts that are asked for, so that they can be true together; None: they cannot."""
        if not fields:
            return {}
        named = [one for name in _NUMBERS_OF_HISTORY for one in fields.get(name, ())]
        counts = [_counts(fields.get(name, []), named) for name in _NUMBERS_OF_HISTORY]
        earlier = [
            pair
            for pair in self._earlier
            if _fit(fields.get("history.previous_score", ()), pair[0])
            and _fit(fields.get("history.previous_segment", ()), pair[1])
        ]
        for (score, segment), answers, unhappy, cases in itertools.product(earlier, *counts):
            least_unhappy = 1 if segment == "detractor" else 0
            least = max(unhappy, 0 if score is None else 1)
            if answers >= least and least_unhappy <= unhappy:
                told: Given = {"previous_score": score, "previous_segment": segment}
                told = {name: value for name, value in told.items() if value is not None}
                numbered = {"answers": answers, "detractor_answers": unhappy, "open_cases": cases}
                return told | {name: count for name, count in numbered.items() if count}
        return None


_NOTHING = object()


def _bits(mask: int) -> Iterator[int]:
    return (number for number in range(mask.bit_length()) if mask >> number & 1)


class _One(View):
    """One value, whatever the field is called."""

    def __init__(self, value: Any) -> None:
        self._value = None if value in ("", ()) else value

    def value(self, field: str) -> Any:
        return self._value

    def seen(self, condition: Condition) -> Any:
        return self._value

    @property
    def language(self) -> str | None:
        return None

    def folded(self, field: str) -> str:
        return fold(str(self._value)).strip()


def _fit(literals: Sequence[Literal], value: Any) -> bool:
    view = _One(value)
    return all(holds(one.condition, view) is one.wanted for one in literals)


def _language_of(literals: Sequence[Literal], text: Any) -> Given:
    """In which language an answer has to be so that this text says what is wanted."""
    wanted = [o.condition for o in literals if o.wanted and o.condition.operator == "mentions"]
    words = [word for condition in wanted for word in condition.probe if word.language]
    said = [word.language for word in words if word.is_in(fold(str(text)).strip())]
    return {"language": said[0]} if said else {}


def _counts(literals: Sequence[Literal], named: Sequence[Literal] = ()) -> list[int]:
    """What fits, of the numbers that these or `named` compare with: one count bounds another."""
    tried = {int(number) for number in numbers((*literals, *named)) if number >= 0} | {0, 1, 2}
    return [number for number in sorted(tried) if _fit(literals, number)]


def _contradicts_itself(branch: Branch) -> bool:
    """The same condition wanted and refused: that needs no value to be seen."""
    seen: list[tuple[str, str, Any, bool]] = []
    for condition, wanted in branch:
        said = (condition.field, condition.operator, condition.wanted)
        if (*said, not wanted) in seen:
            return True
        seen.append((*said, wanted))
    return False


def _put(given: Given, field: str, value: Any) -> None:
    if value is None or value is _NOTHING or value == ():
        return
    group, _, name = field.partition(".")
    shown = list(value) if isinstance(value, tuple) else plain_number(value)
    if name:
        given.setdefault(group, {})[name] = shown
    else:
        given[field] = shown


def shown(value: Any) -> str:
    """An answer as an author would write it into `examples`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not value.replace(" ", "").replace("-", "").isalpha():
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
