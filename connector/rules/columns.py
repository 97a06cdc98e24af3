"""One field against the rows of all rules at once.

A row is a bit, and stands for lines that must all hold. A column takes the facts and gives the rows
whose lines about its field hold; rows that ask nothing of the field are always among them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from operator import or_
from typing import Any

from connector.domain import Facts
from connector.rules.fields import present, reader
from connector.rules.formula import Literal
from connector.rules.match import as_text, holds_missing, keys
from connector.rules.model import Condition
from connector.rules.operands import as_number
from connector.rules.words import Finder, Word

Column = Callable[[Facts], int]
Asked = Sequence[tuple[int, Literal]]  # a row, and one of its lines about the field

_ENDLESS = float("inf")
_COMPARISONS = ("at_most", "at_least", "between")


def columns(field: str, asked: Asked, every: int) -> list[tuple[int, Column]]:
    """The columns that judge a field, each with the rows that ask something of it.

    `matches` is judged only by whether there is a text at all: what the pattern says is left open.
    """
    words = [one for one in asked if one[1].condition.operator == "mentions"]
    others = [one for one in asked if one[1].condition.operator != "mentions"]
    found: list[tuple[int, Column]] = []
    if others:
        make = _tags if others[0][1].condition.type == "tags" else _values
        found.append((_rows(others), make(field, others, every)))
    if words:
        found.append((_rows(words), _words(field, words, every)))
    return found


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


def _tags(field: str, asked: Asked, every: int) -> Column:
    read, members = reader(field), _members(asked)
    missing, fine = every & ~_failing_missing(asked), every & ~_failing_present(asked)

    def column(facts: Facts) -> int:
        seen = present(read(facts))
        if seen is None:
            return missing
        return fine & ~members.failing(keys("tags", seen))

    return column


def _words(field: str, asked: Asked, every: int) -> Column:
    read, members = reader(field), _Members()
    words: dict[str, Word] = {}
    for row, one in asked:
        for word in one.condition.probe:
            words.setdefault(word.written, word)
        members.add(row, [word.written for word in one.condition.probe], one.holds)
    finder = Finder(words.values())
    missing, silent = every & ~_failing_missing(asked), every & ~members.failing(())

    def column(facts: Facts) -> int:
        seen = present(read(facts))
        if seen is None:
            return missing
        found = finder.find(as_text(seen))
        if not found:
            return silent
        return every & ~members.failing([word.written for word in found])

    return column


def _values(field: str, asked: Asked, every: int) -> Column:
    type, read, rows = asked[0][1].condition.type, reader(field), _Ready(asked, every)
    if type in ("score", "number", "count"):

        def number_column(facts: Facts) -> int:
            value = read(facts)
            number = as_number(value)
            return rows.of(value) if number is None else rows.of_number(number)

        return number_column

    # Values spelled as in the rules, the usual case, need no folding.
    spelled = {value: rows.of(value) for value in (None, "", *_wanted_texts(asked))}

    def column(facts: Facts) -> int:
        value = read(facts)
        found = spelled.get(value)
        return rows.of(value) if found is None else found

    return column


def _wanted_texts(asked: Asked) -> Iterator[str]:
    for _, one in asked:
        wanted = one.condition.wanted
        values = wanted if isinstance(wanted, list) else [wanted]
        yield from (value for value in values if isinstance(value, str))


class _Ready:
    """The rows for every value that a rule names, and for every stretch of numbers between two."""

    def __init__(self, asked: Asked, every: int) -> None:
        self._type = asked[0][1].condition.type
        self._missing = every & ~_failing_missing(asked)
        members, present_rows = _members(asked), every & ~_failing_present(asked)
        spans = [one for one in asked if one[1].condition.operator in _COMPARISONS]
        no_number = present_rows & ~_rows([one for one in spans if one[1].holds])
        self._other = no_number & ~members.failing(())
        self._texts = {
            key: no_number & ~members.failing(keys(self._type, key))
            for key in members.keys
            if isinstance(key, str)
        }
        self._points, failing = _numbers(spans, members)
        self._numbers = [present_rows & ~rows for rows in failing]

    def of(self, value: Any) -> int:
        seen = present(value)
        if seen is None:
            return self._missing
        for key in keys(self._type, seen):
            if isinstance(key, float):
                return self.of_number(key)
            rows = self._texts.get(key)
            if rows is not None:
                return rows
        return self._other

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
