"""The limiter as a pure thing: never too many, whoever asks in whatever order; what it believes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.limits import (
    Allowance,
    Bill,
    Heard,
    Limit,
    Meter,
    Quota,
    pace,
    parse_limit,
    parse_share,
    usable,
)
from connector.sinks.hubspot.limits import heard as hubspot
from connector.sinks.salesforce.limits import heard as salesforce
from connector.sinks.zendesk.limits import heard as zendesk

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

limits = st.builds(
    Limit,
    calls=st.integers(1, 100_000),
    seconds=st.sampled_from([0.25, 1.0, 10.0, 60.0, 3600.0, 86_400.0]),
)
shares = st.integers(1, 100).map(lambda percent: percent / 100)
# Each taker comes so much later than the one before (in parts of the window) and wants so many.
takers = st.lists(st.tuples(st.floats(0, 0.7), st.integers(1, 300)), min_size=1, max_size=60)


def granted(
    limit: Limit, share: float, asked: list[tuple[float, int]]
) -> list[tuple[datetime, int]]:
    """Who got how many calls and when, where each taker gets what is ready and no more."""
    keep, now, free_at = pace(limit, share), NOON, None
    got: list[tuple[datetime, int]] = []
    for part, wanted in asked:
        now += part * keep.window
        calls = min(wanted, keep.ready(free_at, now))
        if calls:
            free_at = keep.after(free_at, calls, now)
            got.append((now, calls))
    return got


@settings(deadline=None)
@given(limits, shares, takers)
def test_in_no_window_are_more_calls_made_than_our_share(limit, share, asked):
    got, window = granted(limit, share, asked), timedelta(seconds=limit.seconds)
    for first, (start, _) in enumerate(got):
        within = sum(calls for at, calls in got[first:] if at - start < window)
        assert within <= usable(limit, share)


@settings(deadline=None)
@given(limits, shares, takers)
def test_in_no_time_are_more_calls_made_than_rate_and_burst_allow(limit, share, asked):
    got, keep = granted(limit, share, asked), pace(limit, share)
    for first, (start, _) in enumerate(got):
        count = 0
        for at, calls in got[first:]:
            count += calls
            assert count <= keep.burst + (at - start) / keep.interval


@given(limits, shares, st.integers(1, 300))
def test_what_is_ready_when_it_says_so_was_not_ready_before(limit, share, wanted):
    keep = pace(limit, share)
    free_at = keep.after(None, keep.burst, NOON)
    at = keep.when(free_at, wanted, NOON)
    assert keep.ready(free_at, at) == min(wanted, keep.burst)
    assert keep.ready(free_at, at - timedelta(microseconds=1)) < min(wanted, keep.burst)


@given(limits, shares, st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_a_clock_that_is_set_back_costs_two_windows_at_most(limit, share, back):
    keep = pace(limit, share)
    free_at = keep.after(None, keep.burst, NOON)
    now = NOON - back
    at = keep.when(free_at, 1, now)
    assert at <= now + 2 * keep.window
    assert keep.ready(free_at, at) >= 1 or keep.ready(free_at, now) >= 1


@given(limits, shares, st.integers(-(10**9), 10**9))
def test_whatever_a_vendor_says_is_left_we_wait_a_window_at_most_and_gain_nothing(
    limit, share, spare
):
    keep = pace(limit, share)
    free_at = keep.after(None, 1, NOON)
    told = keep.lowered(free_at, spare, NOON)
    assert keep.ready(told, NOON) <= min(keep.ready(free_at, NOON), max(spare, 0))
    assert keep.ready(told, NOON + keep.window) >= 1


def test_after_a_quiet_night_a_burst_is_ready_and_not_more():
    keep = pace(Limit(200, 60), 0.8)
    assert keep.burst == 16
    assert keep.ready(NOON - timedelta(hours=9), NOON) == 16


def test_a_debt_is_worked_off_before_the_next_call():
    keep = pace(Limit(200, 60), 0.8)
    free_at = keep.after(None, 16 + 4, NOON)
    assert keep.ready(free_at, NOON + 4 * keep.interval - SECOND / 1000) == 0
    assert keep.ready(free_at, NOON + 5 * keep.interval) >= 1


# -- what a round costs ----------------------------------------------------------------------------


@dataclass
class Row:
    amends: int | None = None


def test_a_claim_is_as_large_as_the_calls_that_are_ready():
    each, batch = Allowance(), Allowance(per_batch=2, per_action=0)
    assert [each.actions(ready, 100) for ready in (1, 7, 300)] == [1, 7, 100]
    assert (each.least, batch.least) == (1, 2)
    assert batch.actions(2, 100) == 100
    assert batch.calls([Row()] * 100) == 2
    assert Allowance(per_note=4).calls([Row(), Row(), Row(amends=1)]) == 6


# -- the meter -------------------------------------------------------------------------------------


def meter(**more) -> Meter:
    return Meter(Allowance(Limit(200, 60), read=zendesk), **more)


def begin(one: Meter, calls: int, learned: Limit | None = None) -> None:
    keep = pace(one.limit(learned), one.share)
    one.grant(calls, learned, keep, keep.after(None, calls, NOON))


def says(limit: object, left: object) -> dict[str, str]:
    return {"X-Rate-Limit": str(limit), "X-Rate-Limit-Remaining": str(left)}


def test_calls_beyond_those_claimed_are_owed_and_those_unused_are_not_saved():
    one = meter()
    begin(one, 2)
    for _ in range(5):
        one.call()
    assert one.bill(NOON) == Bill(calls=3)
    assert one.bill(NOON) is None
    begin(one, 9)
    begin(one, 1)
    one.call()
    one.call()
    assert one.bill(NOON) == Bill(calls=1)


def test_a_limit_is_told_once_and_a_higher_one_too():
    one = meter()
    begin(one, 1)
    one.hear(says(700, 650))
    assert one.bill(NOON) == Bill(limit=Limit(700, 60))
    one.hear(says(700, 640))
    assert one.bill(NOON) is None
    one.hear(says(2500, 2400))
    assert one.bill(NOON) == Bill(limit=Limit(2500, 60))


def test_what_others_use_shows_in_what_is_left():
    one = meter()
    begin(one, 1, Limit(200, 60))
    one.hear(says(200, 150))
    assert one.bill(NOON) is None, "enough is left for a burst of ours"
    one.hear(says(200, 45))
    assert one.bill(NOON) == Bill(spare=5), "forty are for others"
    one.hear(says(200, 0))
    assert one.bill(NOON) == Bill(spare=-40)


def test_a_quota_is_told_by_the_percent():
    one = Meter(Allowance(read=salesforce))
    assert not one.limited
    for used, told in ((1, Quota(1000, 1)), (9, None), (10, Quota(1000, 10)), (11, None)):
        one.call()
        one.hear({"Sforce-Limit-Info": f"api-usage={used}/1000"})
        assert one.bill(NOON) == (None if told is None else Bill(quota=told))


def test_the_operator_and_the_vendor_are_both_obeyed():
    own = Limit(30, 60)
    assert meter(own=own).limit(Limit(700, 60)) == own
    assert meter(own=own).limit(Limit(10, 60)) == Limit(10, 60)
    assert Meter(Allowance(), own=own).limit(None) == own
    assert not Meter(Allowance()).limited


# -- what vendors say ------------------------------------------------------------------------------


def test_zendesk_tells_calls_a_minute():
    assert zendesk(says(700, 699)) == Heard(Limit(700, 60), 699)
    listed = {"ratelimit-limit": "700", "ratelimit-remaining": "3", "ratelimit-reset": "41"}
    assert zendesk(listed) == Heard(Limit(700, 60), 3)


def test_hubspot_tells_an_interval_and_a_day():
    said = {"Interval-Milliseconds": "10000", "Max": "190", "Remaining": "188"}
    said |= {"Daily": "650000", "Daily-Remaining": "649000"}
    headers = {f"X-HubSpot-RateLimit-{name}": value for name, value in said.items()}
    assert hubspot(headers) == Heard(Limit(190, 10), 188, Quota(650_000, 1000))
    del headers["X-HubSpot-RateLimit-Interval-Milliseconds"]
    assert hubspot(headers).limit is None


def test_salesforce_tells_the_last_day_of_the_whole_organisation():
    said = {"Sforce-Limit-Info": "api-usage=18/5000; per-app-api-usage=17/250(appName=x)"}
    assert salesforce(said) == Heard(quota=Quota(5000, 18))


@pytest.mark.parametrize("garbage", ["", "-1", "1.5", "many", "1e9", "٣", "9" * 40, "\x00", "0"])
def test_what_is_no_number_was_not_said(garbage):
    assert zendesk(says(garbage, garbage)).limit is None
    names = ("Interval-Milliseconds", "Max", "Daily", "Daily-Remaining")
    told = hubspot({f"X-HubSpot-RateLimit-{name}": garbage for name in names})
    assert (told.limit, told.quota) == (None, None)
    assert salesforce({"Sforce-Limit-Info": f"api-usage={garbage}/{garbage}"}) == Heard()
    assert salesforce({"Sforce-Limit-Info": garbage}) == Heard()


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_header_does_harm(limit, left):
    one = meter()
    begin(one, 1)
    one.hear(says(limit, left))
    one.bill(NOON)


# -- what the operator writes ----------------------------------------------------------------------


def test_limits_and_shares_are_written_as_they_are_said():
    assert parse_limit("200 per 1m") == Limit(200, 60)
    assert parse_limit("10 per 1s") == Limit(10, 1)
    assert (parse_share("80%"), parse_share(" 100 % ")) == (0.8, 1.0)


@pytest.mark.parametrize(
    "text", ["", "200", "0 per 1m", "10 per 0", "10 per minute", "x per 1m", 7]
)
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(ValueError, match="200 per 1m"):
        parse_limit(text)


@pytest.mark.parametrize("text", ["", "0%", "101%", "80", "0.8", 80, 0.8, None])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ValueError, match="80%"):
        parse_share(text)
