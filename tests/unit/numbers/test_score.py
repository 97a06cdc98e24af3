"""Intervals hold what they promise, on a grid, at the edges and in published examples."""

from __future__ import annotations

import random
from math import sqrt
from statistics import mean

import pytest

from connector.numbers.quantiles import normal, student
from connector.numbers.score import Counts, difference_interval, nps, nps_interval
from connector.numbers.shares import share_interval
from tests.unit.numbers.trinomial import Weeks, outcomes

POPULATIONS = {
    "usual": (0.5, 0.3, 0.2),
    "even": (1 / 3, 1 / 3, 1 / 3),
    "good": (0.7, 0.2, 0.1),
    "bad": (0.2, 0.3, 0.5),
    "split": (0.45, 0.1, 0.45),
    "excellent": (0.85, 0.12, 0.03),
}


def true_nps(shares):
    return 100 * (shares[0] - shares[2])


def covered(interval, truth):
    return interval.low <= truth <= interval.high


def coverage(n, shares):
    """Exactly: the chance that n answers give an interval with the truth in it."""
    truth = true_nps(shares)
    return sum(w for c, w in outcomes(n, shares) if covered(nps_interval(c), truth))


def test_the_interval_covers_the_truth_in_95_of_100_cases_over_the_grid():
    grid = {
        (name, n): coverage(n, shares)
        for name, shares in POPULATIONS.items()
        for n in (20, 30, 50, 100)
    }
    outside = {cell: found for cell, found in grid.items() if not 0.94 <= found <= 0.97}
    assert not outside
    assert 0.945 <= mean(grid.values()) <= 0.955


@pytest.mark.parametrize("name", ["usual", "excellent"])
def test_simulated_answers_of_a_large_survey_agree(name):
    rng, runs = random.Random(2), 4_000
    tens, truth = Weeks(10, POPULATIONS[name]), true_nps(POPULATIONS[name])
    hits = 0
    for _ in range(runs):
        drawn = Counts(*map(sum, zip(*tens.draw(rng, 100), strict=True)))
        hits += covered(nps_interval(drawn), truth)
    assert 0.94 <= hits / runs <= 0.97


def test_the_plain_interval_would_not_hold_for_few_answers():
    """Why three answers are added: the excellent company with 20 answers."""
    shares = POPULATIONS["excellent"]
    truth, plain = true_nps(shares) / 100, 0.0
    for counts, chance in outcomes(20, shares):
        score = (counts.promoters - counts.detractors) / 20
        variance = (counts.promoters + counts.detractors) / 20 - score**2
        plain += chance * (abs(score - truth) <= 1.96 * sqrt(variance / 20))
    assert plain < 0.92
    assert coverage(20, shares) > 0.94


def test_a_published_example_of_the_standard_error():
    """1/2 promoters, 1/3 passives, 1/6 detractors: NPS 33.3, and 4.1 points of standard error
    for 324 answers (https://stats.stackexchange.com/q/18603)."""
    counts = Counts(162, 108, 54)
    found = nps_interval(counts)
    assert nps(counts) == pytest.approx(100 / 3)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(4.1, abs=0.05)


def test_a_published_formula_for_the_number_of_answers():
    """n = s2 Z2 / d2 - 3 answers are what an interval of ± d needs
    (https://measuringu.com/nps-sig-test-sample-size/): the three that the adjusted Wald adds."""
    counts = Counts(40, 30, 30)
    found = nps_interval(counts)
    reach = (found.high - found.low) / 200
    promoters, detractors = 40.75 / 103, 30.75 / 103
    variance = promoters + detractors - (promoters - detractors) ** 2
    assert variance * normal(0.95) ** 2 / reach**2 - 3 == pytest.approx(counts.n)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        (Counts(50, 30, 20), 14.0, 44.3),  # by hand: 100 (30/103 ± 1.96 sqrt((71.5/103 - …)/103))
        (Counts(10, 0, 0), 47.5, 100.0),  # 10/13 ± 0.294, cut at 100
        (Counts(0, 0, 10), -100.0, -47.5),
        (Counts(0, 10, 0), -18.5, 18.5),
    ],
)
def test_intervals_worked_out_by_hand(counts, low, high):
    assert nps_interval(counts) == pytest.approx((low, high), abs=0.15)


def test_nobody_answered_nothing_is_said():
    assert nps(Counts()) is None
    assert nps_interval(Counts()) is None
    assert difference_interval(Counts(), Counts(1, 1, 1)) is None
    assert difference_interval(Counts(1, 1, 1), Counts()) is None
    assert share_interval(0, 0) is None


def test_more_confidence_is_a_wider_interval():
    narrow, wide = (nps_interval(Counts(50, 30, 20), level) for level in (0.8, 0.999))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_difference_is_the_same_from_both_sides():
    one, other = Counts(50, 30, 20), Counts(20, 30, 50)
    forth, back = difference_interval(one, other), difference_interval(other, one)
    assert forth.low == pytest.approx(-back.high)
    assert forth.low > 0


@pytest.mark.parametrize(
    ("confidence", "freedom", "table"),
    [(0.95, 10, 2.228), (0.95, 30, 2.042), (0.999, 30, 3.646), (0.99, 120, 2.617)],
)
def test_student_agrees_with_the_tables(confidence, freedom, table):
    assert student(confidence, freedom) == pytest.approx(table, rel=0.002)
    assert student(confidence, 1e9) == pytest.approx(normal(confidence))


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (6, 32, 0.0889, 0.3531),
    ],
)
def test_shares_agree_with_the_examples_of_newcombe(count, n, low, high):
    """https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I;
    the last is from a published calculation in R."""
    assert share_interval(count, n) == pytest.approx((low, high), abs=0.00006)


def test_a_share_of_all_ends_at_one():
    assert share_interval(20, 20).high == 1.0
    assert share_interval(20, 20).low == pytest.approx(1 - 0.1611, abs=0.0001)
