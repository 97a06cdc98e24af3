"""Lift: no effect raises an alarm in at most 5 % of years, a real one is found; forecasts keep
their promise for bursts too."""

from __future__ import annotations

import random

import pytest

from connector.numbers.forecast import backtest, usual
from connector.numbers.lift import Arm, answered_again, next_score
from connector.numbers.means import Sums

SCORES = (0, 0, 2, 3, 5, 5, 6, 7, 8, 8, 9, 10, 10)
ALARMS = ("higher", "lower")


def drawn_year(rng, a_week, share, again=0.4, shift=0):
    """After each of 52 weeks: (acted, held out), as they have grown by then."""
    sides = {True: (0, Sums()), False: (0, Sums())}
    for _ in range(52):
        for _ in range(a_week):
            acted = rng.random() >= share
            customers, sums = sides[acted]
            if rng.random() < again:
                score = rng.choice(SCORES)
                sums = sums.plus(min(score + (shift if acted else 0), 10))
            sides[acted] = (customers + 1, sums)
        yield Arm(*sides[True]), Arm(*sides[False])


@pytest.mark.parametrize(("a_week", "share"), [(40, 0.1), (40, 0.5), (150, 0.1)])
def test_at_most_5_percent_of_years_without_an_effect_raise_an_alarm(a_week, share):
    rng, runs, alarms = random.Random(a_week), 100, 0
    for _ in range(runs):
        alarms += any(
            next_score(*arms).word in ALARMS or answered_again(*arms).word in ALARMS
            for arms in drawn_year(rng, a_week, share)
        )
    assert alarms / runs <= 0.05


def test_a_real_effect_is_found_and_said_with_its_sign():
    *_, (acted, held_out) = drawn_year(random.Random(1), 60, 0.3, shift=2)
    found = next_score(acted, held_out)
    assert found.word == "higher"
    assert 0 < found.low < found.difference < found.high
    assert next_score(held_out, acted).word == "lower"


def test_few_customers_are_too_few_to_say():
    many, few = Sums(40, 200, 1_200), Sums(29, 150, 900)
    assert next_score(Arm(100, many), Arm(100, few)).word == "too few to say"
    assert answered_again(Arm(100, many), Arm(29, Sums())).word == "too few to say"
    assert answered_again(Arm(100, many), Arm(100, few)).word == "no evidence of a difference"
    assert next_score(Arm(100, many), Arm(100, many), least=50).word == "too few to say"


def bursts(rng, weeks):
    return [rng.choice((2, 3, 3, 4, 5)) * (8 if rng.random() < 0.08 else 1) for _ in range(weeks)]


def test_nine_of_ten_days_keep_to_the_p90_though_cases_come_in_bursts():
    rng, kept, days = random.Random(3), 0, 0
    for _ in range(60):
        checked = backtest(bursts(rng, 60))
        kept, days = kept + checked.kept, days + checked.days
    assert 0.89 <= kept / days <= 0.97


def test_a_weekday_seen_seldom_foretells_nothing():
    assert usual([3] * 7) == (7, None, None, None)
    assert usual([1, 2, 3, 4, 5, 6, 7, 8, 9]) == (9, 5, 9, 9)
    assert backtest([3] * 8) == (0, 0)
    assert usual([100] * 30 + [1] * 26).p95 == 1  # what is older than half a year says little
