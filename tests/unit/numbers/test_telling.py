"""Figures as people read them."""

from __future__ import annotations

from datetime import date

import pytest

from connector.numbers.change import change
from connector.numbers.score import Counts
from connector.reports.telling import change_words, points, rounded, signed

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("value", "shown", "with_sign"),
    [(-0.3, "0", "0"), (0.0, "0", "0"), (14.6, "15", "+15"), (-15.2, "-15", "-15")],
)
def test_points_are_whole_and_nothing_is_minus_zero(value, shown, with_sign):
    assert (points(value), signed(value)) == (shown, with_sign)
    assert str(rounded(value / 10)) != "-0.0"


def test_no_figure_is_a_dash():
    assert points(None) == "-"


def test_a_verdict_names_both_sides_with_their_n_and_time():
    words = change_words(change([Counts(70, 20, 10)] * 52 + [Counts(30, 20, 50)] * 4), MONDAY)
    assert words.startswith(
        "Fell: -20 in the 4 weeks to 2026-11-22 (n 400) against 60 in up to 52 weeks before them "
        "(n 5,200); difference -80, interval -9"
    )


def test_too_few_says_how_many_there_are():
    words = change_words(change([Counts(5, 3, 2)]), MONDAY)
    assert words == (
        "Too few to say: 10 answers in the 4 weeks to 2026-11-22, 0 in the year before them."
    )
