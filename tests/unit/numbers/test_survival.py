"""Percentiles of times of which some are not over yet: published examples, a slow reference, and
simulations in which the truth is known."""

from __future__ import annotations

import random
from fractions import Fraction
from math import inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.numbers.survival import Waited, quantiles

# Weeks in remission on 6-MP (Freireich and others 1963, in Cox, Oakes: Survival Data, 1.1).
# R, survfit(…, conf.type = "log-log"): median 23, 95 % interval 13 to NA.
ENDED = (6, 6, 6, 7, 10, 13, 16, 22, 23)
WAITING = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
REMISSION = [Waited(t, 1, 0) for t in ENDED] + [Waited(t, 0, 1) for t in WAITING]


def reference(waited, share):
    """Straight from the definition, with fractions, one by one."""
    left = Fraction(1)
    for time in sorted({one.time for one in waited if one.ended and one.time < inf}):
        at_risk = sum(one.ended + one.waiting for one in waited if one.time >= time)
        ended = sum(one.ended for one in waited if one.time == time)
        left *= 1 - Fraction(ended, at_risk)
        if left <= 1 - share:
            return time
    return None


def test_the_published_example_of_remission_times():
    quarter, half, most = quantiles(REMISSION, (0.25, 0.5, 0.9))
    assert (half.value, half.low, half.high) == (23, 13, None)
    assert quarter.value == 13
    assert (most.value, most.high) == (None, None)


@pytest.mark.parametrize(
    ("share", "week"),
    # S(t) as printed by Cox and Oakes: 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448
    [(0.142, 6), (0.19, 7), (0.24, 10), (0.3, 13), (0.37, 16), (0.46, 22), (0.55, 23)],
)
def test_the_published_curve_falls_where_it_is_printed(share, week):
    assert quantiles(REMISSION, (share,))[0].value == week


WAITS = st.lists(
    st.builds(
        Waited,
        st.sampled_from([0.0, 1.0, 2.0, 3.5, 8.0, 40.0, inf]),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=12,
)


@given(WAITS, st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(19, 20)]))
def test_it_is_what_the_definition_says(waited, share):
    waited = [w if w.time < inf else Waited(inf, 0, w.waiting) for w in waited]
    found = quantiles(waited, (float(share),))[0]
    assert found.value == reference(waited, share)
    ordered = [inf if v is None else v for v in (found.low, found.value, found.high)]
    assert ordered == sorted(ordered)


def test_without_anything_nothing_is_reached():
    assert quantiles([], (0.5,)) == [(0.5, None, None, None)]
    assert quantiles([Waited(3, 0, 5)], (0.5,))[0].value is None


def test_where_nothing_waits_it_is_the_plain_percentile():
    waited = [Waited(float(n), 1, 0) for n in range(1, 101)]
    assert [q.value for q in quantiles(waited, (0.5, 0.9, 0.95))] == [50, 90, 95]


def drawn(rng, n, mean, longest):
    """Times of which those are cut that began only a while ago."""
    waited = []
    for _ in range(n):
        time, seen = rng.expovariate(1 / mean), rng.uniform(0, longest)
        waited.append(Waited(time, 1, 0) if time <= seen else Waited(seen, 0, 1))
    return waited


def test_percentiles_are_unbiased_though_half_of_all_still_wait():
    rng, runs, truth = random.Random(4), 400, 10 * log(2)
    found, naive = [], []
    for _ in range(runs):
        waited = drawn(rng, 300, 10, 16)
        found.append(quantiles(waited, (0.5,))[0].value)
        over = sorted(one.time for one in waited if one.ended)
        naive.append(over[len(over) // 2])
    assert abs(sum(found) / runs - truth) < 0.03 * truth
    assert sum(naive) / runs < 0.6 * truth  # what leaving out those who wait would say


@pytest.mark.parametrize("n", [50, 200])
@pytest.mark.parametrize("longest", [30, 100])
def test_the_interval_of_the_median_holds_the_truth_in_95_of_100_cases(n, longest):
    rng, runs, truth = random.Random(n + longest), 1_000, 10 * log(2)
    hits = 0
    for _ in range(runs):
        one = quantiles(drawn(rng, n, 10, longest), (0.5,))[0]
        hits += (one.low or 0) <= truth <= (inf if one.high is None else one.high)
    assert 0.935 <= hits / runs <= 0.975
