"""Earlier answers worth trying where conditions look back for a time.

How the parts of a past hang together over several times is not worked out: what no value of a field
by itself, nor any score of today, can satisfy is impossible; everything else is only tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector.domain import MOST_PAST
from connector.rules import spans
from connector.rules.lint.branches import Literal
from connector.rules.lint.candidates import numbers, plain_number
from connector.rules.written import PastText

_MOST_TRIED = 150
Fields = Mapping[str, Sequence[Literal]]
Past = list[PastText]


def looks_back(field: str) -> bool:
    """Does this part of the history depend on when earlier answers were given?"""
    return spans.reader_of(field) is not None


def values(field: str, literals: Sequence[Literal], largest: int) -> Sequence[Any]:
    """All that such a field can be, as far as it makes a difference. `largest`: how far a score can
    have fallen."""
    name = spans.plain(field)
    if name in spans.COUNTS:
        return range(MOST_PAST + 1)
    if name == spans.DROP:
        return (None, *range(largest + 1))
    return (None, *(int(number) for number in numbers(literals) if number >= 0))


def pasts(fields: Fields, score: int | None, scores: Sequence[int]) -> Iterator[Past]:
    """Some pasts, the simple ones first; `scores` are those of the survey."""
    blocks = list(
        itertools.product(_counts(fields), _scores(fields, score, scores), [*_days(fields)])
    )
    pairs = itertools.permutations(blocks, 2)
    tried: Iterator[tuple[Any, ...]] = itertools.chain([()], ((one,) for one in blocks), pairs)
    for some in itertools.islice(tried, _MOST_TRIED):
        yield [
            PastText.model_construct(score=of, days_ago=plain_number(days))
            for count, of, days in some
            for _ in range(count)
        ]


def _counts(fields: Fields) -> list[int]:
    named = [
        int(number)
        for name, literals in fields.items()
        if spans.plain(name) in spans.COUNTS
        for number in numbers(literals)
    ]
    return sorted({1, *(number for number in named if 0 < number <= MOST_PAST)})


def _scores(fields: Fields, score: int | None, scores: Sequence[int]) -> list[int]:
    """The ends of the scale, what is asked for, and what has fallen so far as is asked for."""
    found = {scores[0], scores[-1]}
    for name, literals in fields.items():
        field = spans.plain(name)
        if field == spans.DROP and score is not None:
            found |= {score + int(number) for number in numbers(literals)}
        elif field == "history.previous_score":
            found |= {int(number) for number in numbers(literals)}
        elif field == "history.previous_segment":
            found |= set(scores)
    return sorted(found & set(scores), reverse=True)


def _days(fields: Fields) -> Iterator[float]:
    """Just within each time, and after it."""
    found = {1.0}
    for name, literals in fields.items():
        within = spans.span_of(name)
        if within is not None:
            days = within.total_seconds() / 86_400
            found |= {days, days + 1}
        if name == spans.DAYS_SINCE_ANSWER:
            found |= {number for number in numbers(literals) if number >= 0}
    yield from sorted(found)
