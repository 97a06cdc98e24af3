"""One field against the rows of all rules at once.

A row is a bit, and stands for lines that must all hold. A column turns the value of a field into
the rows whose lines about it hold; rows that ask nothing of the field are always among them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from operator import or_
from typing import Any, NamedTuple

from connector.domain import Facts
from connector.languages import base
from connector.rules.fields import present, reader
from connector.rules.formula import Literal
from connector.rules.match import as_text, holds_missing, keys
from connector.rules.model import Condition
from connector.rules.operands import as_number
from connector.rules.words import Finder, Word

Judge = Callable[[Any], int]
Asked = Sequence[tuple[int, Literal]]  # a row, and one of its lines about the field

_ENDLESS = float("inf")
_COMPARISONS = ("at_most", "at_least", "between")
_SMALL = 101  # scores and counts below it lie ready
_REMEMBERED = 1_000  # other texts of a field, each of at most so many characters
_SHORT = 60


class Column(NamedTuple):
    """How to take the value, its rows where they lie ready, and how to find them for others.

    `asked` are the rows that ask something of the field.
    """

    asked: int
    read: Callable[[Facts], Any]
    ready: Mapping[Any, int]
    judge: Judge


def columns(asked: Asked, every: int) -> list[Column]:
    """The columns that judge one field: its words apart from the rest.

    `matches` is judged only by whether there is a text at all: what the pattern says is left open.
    """
    words = [one for one in asked if one[1].condition.operator == "mentions"]
    others = [one for one in asked if one[1].condition.operator != "mentions"]
    read = _reader(asked[0][1].condition)
    found: list[Column] = []
    if others:
        missing = every & ~_failing_missing(others)
        ready, judge = _values(others, every, missing)
        ready |= dict.fromkeys((None, "", ()), missing)
        found.append(Column(_rows(others), read, ready, judge))
    if words:
        found.append(_words(words, every, read))
    return found


def _reader(condition: Condition) -> Callable[[Facts], Any]:
    book, field = condition.book, condition.field
    return reader(field) if book is None else lambda facts: book.value(field, facts)


def _rows(asked: Asked) -> int:
    rows = 0
    for row, _ in asked:
        rows |= row
    return rows


def _failing_missing(asked: Asked) -> int:
    return _rows([(r, one) for r, one in asked if holds_missing(one.condition) is not one.holds])


def _failing_present(asked: Asked) -> int:
    return _rows(
        [
            (row, one)
            for row, one in asked
            if one.condition.operator == "exists" and one.condition.probe is not one.holds
        ]
    )


class _Members:
    """Rows that want one of some keys, and rows that want none of them.

    A row that wants twice (`in` here, `is` there) takes a place of its own each time.
    """

    def __init__(self) -> None:
        self.keys: set[Any] = set()
        self._barred: defaultdict[Any, int] = defaultdict(int)
        self._places: list[tuple[int, defaultdict[Any, int]]] = []

    def add(self, row: int, wanted: Iterable[Any], has_to_be: bool) -> None:
        self.keys.update(wanted)
        if has_to_be:
            number = next((n for n, (r, _) in enumerate(self._places) if not r & row), None)
            if number is None:
                number = len(self._places)
                self._places.append((0, defaultdict(int)))
            rows, table = self._places[number]
            self._places[number] = (rows | row, table)
        else:
            table = self._barred
        for key in wanted:
            table[key] |= row

    def failing(self, seen: Iterable[Any]) -> int:
        """The rows that do not hold where exactly these keys are there."""
        failing = 0
        for key in seen:
            failing |= self._barred.get(key, 0)
        for rows, table in self._places:
            held = 0
            for key in seen:
                held |= table.get(key, 0)
            failing |= rows & ~held
        return failing


def _members(asked: Asked) -> _Members:
    members = _Members()
    for row, one in asked:
        if one.condition.operator in ("is", "in", "not", "mentions"):
            members.add(row, one.condition.probe, one.holds is (one.condition.operator != "not"))
    return members


def _words(asked: Asked, every: int, read: Callable[[Facts], Any]) -> Column:
    missing = every & ~_failing_missing(asked)
    members = _Members()
    words: dict[tuple[str, str], Word] = {}
    for row, one in asked:
        words |= {word.key: word for word in one.condition.probe}
        members.add(row, [word.key for word in one.condition.probe], one.holds)

    def rows(finder: Finder, text: Any) -> int:
        found = finder.find(as_text(text))
        if not found:
            return missing  # a text without any of the words is like no text
        return every & ~members.failing([word.key for word in found])

    plain = Finder([word for word in words.values() if not word.language])
    languages = {word.language for word in words.values()} - {""}
    if not languages:
        ready = dict.fromkeys((None, "", ()), missing)
        return Column(_rows(asked), read, ready, lambda value: rows(plain, value))
    finders = {
        language: Finder((w for w in words.values() if w.language in ("", language)), language)
        for language in languages
    }

    def judge(seen: tuple[Any, str]) -> int:
        value, language = seen
        if present(value) is None:
            return missing
        return rows(finders.get(base(language), plain), value)

    return Column(_rows(asked), lambda facts: (read(facts), facts.language), {}, judge)


def _values(asked: Asked, every: int, missing: int) -> tuple[dict[Any, int], Judge]:
    type, members = asked[0][1].condition.type, _members(asked)
    fine = every & ~_failing_present(asked)
    if type in ("tags", "topics"):
        return {}, lambda value: fine & ~members.failing(keys(type, value))
    table = _Table(asked, members, fine, missing)
    if type in ("score", "count"):  # whole numbers, mostly small
        return {number: table.of_number(number) for number in range(_SMALL)}, table.of_number_field
    if type == "number":
        return {}, table.of_number_field
    # Values spelled as in the rules, the usual case, need no folding, nor those that came before.
    ready = {text: table.of(text) for text in _wanted_texts(asked) if present(text)}
    return ready, _remembering(ready, table.of)


def _remembering(ready: dict[Any, int], judge: Judge) -> Judge:
    most = len(ready) + _REMEMBERED

    def remembering(value: Any) -> int:
        rows = judge(value)
        if isinstance(value, str) and len(value) <= _SHORT and len(ready) < most:
            ready[value] = rows
        return rows

    return remembering


def _wanted_texts(asked: Asked) -> Iterator[str]:
    for _, one in asked:
        wanted = one.condition.wanted
        values = wanted if isinstance(wanted, list) else [wanted]
        yield from (value for value in values if isinstance(value, str))


class _Table:
    """The rows for every value that a rule names, and for every stretch of numbers between two."""

    def __init__(self, asked: Asked, members: _Members, fine: int, missing: int) -> None:
        self._type, self._missing = asked[0][1].condition.type, missing
        spans = [one for one in asked if one[1].condition.operator in _COMPARISONS]
        no_number = fine & ~_rows([one for one in spans if one[1].holds])
        self._other = no_number & ~members.failing(())
        self._texts = {
            key: no_number & ~members.failing(keys(self._type, key))
            for key in members.keys
            if isinstance(key, str)
        }
        self._points, failing = _numbers(spans, members)
        self._numbers = [fine & ~rows for rows in failing]

    def of(self, value: Any) -> int:
        if present(value) is None:
            return self._missing
        for key in keys(self._type, value):
            if isinstance(key, float):
                return self.of_number(key)
            rows = self._texts.get(key)
            if rows is not None:
                return rows
        return self._other

    def of_number_field(self, value: Any) -> int:
        number = as_number(value)
        return self.of(value) if number is None else self.of_number(number)

    def of_number(self, number: float) -> int:
        points = self._points
        place = bisect_left(points, number)
        exactly = place < len(points) and points[place] == number
        return self._numbers[2 * place + exactly]


def _numbers(spans: Asked, members: _Members) -> tuple[list[float], list[int]]:
    """The numbers that rules name, in order, and the rows that fail below the first, at it, between
    it and the second, and so on."""
    named = {end for _, one in spans for end in _span(one.condition) if abs(end) != _ENDLESS}
    points = sorted(named | {key for key in members.keys if isinstance(key, float)})
    place = {point: 2 * number + 1 for number, point in enumerate(points)}
    size = 2 * len(points) + 1
    place |= {-_ENDLESS: 0, _ENDLESS: size - 1}
    failing = [members.failing((points[n // 2],) if n % 2 else ()) for n in range(size)]
    fails_before, fails_from = [0] * (size + 1), [0] * (size + 1)
    for row, one in spans:
        low, high = _span(one.condition)
        begin, end = place[low], place[high] + 1
        if one.holds:
            fails_before[begin] |= row
            fails_from[end] |= row
        elif begin == 0:
            fails_before[end] |= row
        elif end == size:
            fails_from[begin] |= row
        else:
            for number in range(begin, end):
                failing[number] |= row
    before = accumulate(reversed(fails_before), or_)  # the first of it is behind the last place
    after = accumulate(fails_from, or_)
    swept = zip(failing, reversed(list(before)[:-1]), after, strict=False)
    return points, [rows | left | right for rows, left, right in swept]


def _span(condition: Condition) -> tuple[float, float]:
    if condition.operator == "at_most":
        return -_ENDLESS, condition.probe
    if condition.operator == "at_least":
        return condition.probe, _ENDLESS
    low, high = condition.probe
    return low, high
