"""Shares and means: published examples, how often intervals hold the truth, places."""

from __future__ import annotations

import random
from math import comb, sqrt
from statistics import mean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.numbers.means import Sums, mean_difference
from connector.numbers.ranking import Place, places_of_shares, told_apart
from connector.numbers.shares import Share, share_difference, share_interval


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_published_examples_of_one_share(count, n, low, high):
    found = share_interval(count, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    # Newcombe 1998, "Interval estimation for the difference", table II, method 10
    [
        (Share(56, 70), Share(48, 80), 0.0524, 0.3339),
        (Share(9, 10), Share(3, 10), 0.1705, 0.8090),
        (Share(5, 56), Share(0, 29), -0.0381, 0.1926),
        (Share(10, 10), Share(0, 20), 0.6791, 1.0),
    ],
)
def test_the_published_examples_of_a_difference(one, other, low, high):
    found = share_difference(one, other)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def binomial(n, share):
    return [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]


SHARES = [step / 40 for step in range(4, 37)]


@pytest.mark.parametrize("n", [30, 50, 100, 200])
def test_one_share_holds_the_truth_in_95_of_100_cases_and_nowhere_in_much_fewer(n):
    """Worked out exactly. Counts are whole numbers, so it goes up and down with the true share."""
    found = [
        sum(
            weight
            for k, weight in enumerate(binomial(n, share))
            if share_interval(k, n).low <= share <= share_interval(k, n).high
        )
        for share in SHARES
    ]
    assert 0.94 <= mean(found) <= 0.957
    assert min(found) >= 0.92


@pytest.mark.parametrize(("mine", "theirs"), [(0.5, 0.5), (0.9, 0.7), (0.3, 0.5)])
@pytest.mark.parametrize(("n", "m"), [(30, 30), (40, 80)])
def test_a_difference_holds_the_truth_in_94_to_97_of_100_cases(n, m, mine, theirs):
    hit = 0.0
    others = list(enumerate(binomial(m, theirs)))
    for k, weight in enumerate(binomial(n, mine)):
        for j, other in others:
            if weight * other > 1e-9:
                found = share_difference(Share(k, n), Share(j, m))
                hit += weight * other * (found.low <= mine - theirs <= found.high)
    assert 0.94 <= hit <= 0.97


def test_nobody_is_ranked_by_chance_and_the_clearly_better_is():
    assert places_of_shares([Share(45, 50), Share(42, 50)]) == [(1, 2), (1, 2)]
    assert places_of_shares([Share(98, 100), Share(50, 100), Share(90, 100)]) == [
        Place(1, 2),
        Place(3, 3),
        Place(1, 2),
    ]
    assert not told_apart(places_of_shares([Share(45, 50), Share(42, 50)]))


def test_equal_teams_are_told_apart_in_at_most_5_of_100_cases():
    rng, runs, wrong = random.Random(5), 300, 0
    for _ in range(runs):
        teams = [Share(sum(rng.random() < 0.8 for _ in range(60)), 60) for _ in range(8)]
        wrong += told_apart(places_of_shares(teams))
    assert wrong / runs <= 0.05


def sums(figures):
    found = Sums()
    for figure in figures:
        found = found.plus(figure)
    return found


def test_welchs_published_example():
    """Snedecor, Cochran: Statistical Methods; sleep data of Student 1908, as R's t.test prints it:
    t = -1.8608, df = 17.776, 95 % interval -3.3654832 to 0.2054832."""
    one = sums((0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0))
    other = sums((1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4))
    found = mean_difference(one, other)
    assert (round(found.low, 2), round(found.high, 2)) == (-3.37, 0.21)


@given(st.lists(st.integers(0, 10), min_size=2), st.lists(st.integers(0, 10), min_size=2))
def test_the_middle_is_the_difference_and_the_width_that_of_the_spread(one, other):
    found = mean_difference(sums(one), sums(other))
    spread = sqrt(variance(one) / len(one) + variance(other) / len(other))
    if not spread:
        assert found is None
        return
    assert (found.low + found.high) / 2 == pytest.approx(mean(one) - mean(other))
    assert found.high - found.low > 2 * 1.95 * spread


def test_too_few_figures_say_nothing():
    assert mean_difference(Sums(), sums((1, 2))) is None
    assert mean_difference(sums((5,)), sums((1, 2))) is None
    assert mean_difference(sums((5, 5)), sums((5, 5))) is None
