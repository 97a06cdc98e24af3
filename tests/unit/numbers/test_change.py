"""The verdict on change: false alarms stay rare over a year of looks, real falls are noticed."""

from __future__ import annotations

import random
from statistics import median

import pytest

from connector.numbers.change import BEFORE, CONFIDENCE, LOOKS, WINDOWS, change
from connector.numbers.score import Counts, difference_interval
from tests.unit.numbers.trinomial import Weeks, outcomes

USUAL = (0.5, 0.3, 0.2)
ALARMS = ("fell", "rose")


def alarm_in_a_year(weeks, first):
    """Does any of the 52 looks after the first weeks raise an alarm?"""
    return any(change(weeks[:look]).word in ALARMS for look in range(first + 1, first + LOOKS + 1))


@pytest.mark.parametrize(
    ("n", "shares", "first"),
    [
        (100, USUAL, 0),  # a survey that begins
        (100, USUAL, BEFORE),
        (30, (1 / 3, 1 / 3, 1 / 3), BEFORE),
        (40, (0.9, 0.07, 0.03), BEFORE),
    ],
)
def test_at_most_5_percent_of_years_without_a_change_raise_an_alarm(n, shares, first):
    rng, runs = random.Random(7 + n), 200
    drawn = Weeks(n, shares)
    alarms = sum(alarm_in_a_year(drawn.draw(rng, first + LOOKS), first) for _ in range(runs))
    assert alarms / runs <= 0.05


def test_one_look_at_few_answers_keeps_to_its_share():
    """Worked out exactly, 30 against 30; the normal distribution takes 1.4 times as much."""
    alarms = 0.0
    drawn = outcomes(30, USUAL)
    for after, one in drawn:
        for before, other in drawn:
            apart = after.promoters - after.detractors - before.promoters + before.detractors
            if apart > 15 and one * other > 1e-9:  # half of them: the other half mirrors it
                found = difference_interval(after, before, CONFIDENCE)
                alarms += one * other * (found.low > 0)
    assert 0.1 < 2 * alarms / (1 - CONFIDENCE) < 1


def test_a_95_percent_test_each_week_would_raise_one_in_most_years():
    rng, runs, alarms = random.Random(3), 100, 0
    drawn = Weeks(100, USUAL)
    for _ in range(runs):
        weeks = drawn.draw(rng, BEFORE + LOOKS)
        for look in range(BEFORE + 1, BEFORE + LOOKS + 1):
            new, old = (
                Counts(*map(sum, zip(*some, strict=True)))
                for some in (weeks[look - 4 : look], weeks[look - 4 - 48 : look - 4])
            )
            found = difference_interval(new, old, 0.95)
            if found.low > 0 or found.high < 0:
                alarms += 1
                break
    assert alarms / runs > 0.5


@pytest.mark.parametrize(
    ("n", "fall", "weeks"), [(100, 15, (3, 6)), (100, 25, (2, 4)), (300, 15, (1, 4))]
)
def test_a_real_fall_is_noticed_within_weeks(n, fall, weeks):
    rng, runs, noticed = random.Random(11), 100, []
    half = fall / 200
    before, after = Weeks(n, USUAL), Weeks(n, (0.5 - half, 0.3, 0.2 + half))
    for _ in range(runs):
        series = before.draw(rng, BEFORE) + after.draw(rng, LOOKS)
        looks = range(1, LOOKS + 1)
        told = (k for k in looks if change(series[: BEFORE + k]).word == "fell")
        noticed.append(next(told, LOOKS + 1))
    assert weeks[0] <= median(noticed) <= weeks[1]


def test_the_5_percent_are_shared_out_over_looks_and_windows():
    assert (1 - CONFIDENCE) * LOOKS * len(WINDOWS) == pytest.approx(0.05)


def test_few_answers_raise_no_alarm_however_bad_they_are():
    weeks = [Counts(30, 0, 0)] * 20 + [Counts(0, 0, 7)] * 4  # 28 in the last four weeks
    found = change(weeks)
    assert found.every[0].word == "too few to say"
    assert found.every[0].difference is None
    assert change([Counts(0, 0, 500)]).word == "too few to say"  # nothing to compare it with
    assert change([]).word == "too few to say"


def test_who_asks_for_fewer_answers_gets_30_all_the_same():
    weeks = [Counts(30, 0, 0)] * 20 + [Counts(0, 0, 7)] * 4
    assert change(weeks, least=5).every[0].word == "too few to say"
    assert change(weeks, least=400).every[1].word == "too few to say"


def test_it_says_fell_and_rose_with_the_difference_and_its_interval():
    good, bad = Counts(70, 20, 10), Counts(30, 20, 50)
    fell = change([good] * 30 + [bad] * 4).told
    assert (fell.word, fell.weeks) == ("fell", 4)
    assert fell.difference == pytest.approx(-80)
    assert -200 <= fell.low < fell.difference < fell.high < 0
    assert (fell.after.n, fell.before.n) == (400, 3000)
    rose = change([bad] * 30 + [good] * 4).told
    assert rose.word == "rose"
    assert rose.low > 0


def test_no_evidence_is_no_proof_and_says_how_large_a_change_could_hide():
    found = change([Counts(5, 3, 2)] * 60).told
    assert found.word == "no evidence of change"
    assert found.difference == 0
    assert found.low < -25 < 25 < found.high


def test_a_slow_fall_is_told_by_the_longer_window():
    better, worse = Counts(50, 30, 20), Counts(44, 30, 26)
    found = change([better] * 52 + [worse] * 13)
    assert found.every[0].word == "no evidence of change"
    assert (found.word, found.told.weeks) == ("fell", 13)


def test_only_the_year_before_is_compared():
    old = [Counts(100, 0, 0)] * 40
    assert change(old + [Counts(50, 30, 20)] * (52 + 13)).word == "no evidence of change"
