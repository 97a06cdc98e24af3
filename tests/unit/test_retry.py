"""The retry policy as a table: it is pure, so nothing has to wait or fail for real."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.ports import Capabilities
from connector.retry import Park, Wait, after_failure, recovery

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FINDS = Capabilities(can_find=True)
KEYED = Capabilities(key_lifetime=timedelta(minutes=110), can_find=True)
BLIND = Capabilities()


def next_step(error, attempts=1, capabilities=FINDS, age=timedelta(0), jitter=1.0):
    return after_failure(error, attempts, NOW - age, capabilities, NOW, jitter)


@pytest.mark.parametrize(
    ("error", "capabilities", "step"),
    [
        (Refused("no"), FINDS, Park()),
        (Refused("no"), BLIND, Park()),
        (LookFirst("?"), BLIND, Park("in_doubt")),
        (LookFirst("?"), FINDS, Wait(NOW + timedelta(seconds=5))),
        (LookFirst("?"), KEYED, Wait(NOW + timedelta(seconds=5))),
        (TryLater("busy"), FINDS, Wait(NOW + timedelta(seconds=5))),
        (TryLater("429", 40, account_wide=True), FINDS, Wait(NOW + timedelta(seconds=40), True)),
        (TryLater("now", 0), FINDS, Wait(NOW)),
        (Paused("401"), FINDS, Wait(NOW + timedelta(minutes=5), True)),
        (Paused("quota", NOW + timedelta(hours=9)), FINDS, Wait(NOW + timedelta(hours=9), True)),
        (ConnectorError("a mistake of ours"), FINDS, Park()),
        (ZeroDivisionError(), FINDS, Park()),
    ],
)
def test_each_error_has_its_next_step(error, capabilities, step):
    assert next_step(error, capabilities=capabilities) == step


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 5), (2, 10), (3, 20), (8, 640), (11, 3600), (500, 3600)]
)
def test_waits_double_up_to_an_hour(attempts, seconds):
    assert next_step(TryLater("busy"), attempts) == Wait(NOW + timedelta(seconds=seconds))


def test_jitter_spreads_what_failed_together():
    assert next_step(TryLater("busy"), jitter=0.5) == Wait(NOW + timedelta(seconds=2.5))
    assert next_step(TryLater("busy", 40), jitter=0.5) == Wait(NOW + timedelta(seconds=40))


@pytest.mark.parametrize(
    ("capabilities", "sent_ago", "restored_ago", "way"),
    [
        (KEYED, 60, None, "send"),
        (KEYED, 60, 30, "find"),  # other bytes may have gone out under that key since
        (KEYED, 60, 60, "find"),
        (KEYED, 20, 30, "send"),  # by us, after the restore
        (FINDS, 20, 30, "find"),
        (BLIND, 60, 30, "doubt"),
    ],
)
def test_of_what_was_sent_before_a_restore_a_key_is_not_enough(
    capabilities, sent_ago, restored_ago, way
):
    restored_at = None if restored_ago is None else NOW - timedelta(minutes=restored_ago)
    sent_at = NOW - timedelta(minutes=sent_ago)
    assert recovery(capabilities, sent_at, NOW, restored_at) == way


def test_after_three_days_of_trying_a_person_is_told():
    almost = timedelta(days=3) - timedelta(seconds=1)
    assert isinstance(next_step(TryLater("busy"), age=almost), Wait)
    assert next_step(TryLater("busy"), age=timedelta(days=3)) == Park()


def test_a_paused_account_never_parks_its_actions():
    assert isinstance(next_step(Paused("401"), age=timedelta(days=30)), Wait)


@pytest.mark.parametrize(
    ("capabilities", "minutes", "way"),
    [
        (KEYED, 0, "send"),
        (KEYED, 109.9, "send"),
        (KEYED, 110, "find"),
        (FINDS, 0, "find"),
        (BLIND, 0, "doubt"),
        (Capabilities(key_lifetime=timedelta(minutes=1)), 2, "doubt"),
    ],
)
def test_an_unheard_send_is_settled_by_key_then_look_up_then_doubt(capabilities, minutes, way):
    assert recovery(capabilities, NOW - timedelta(minutes=minutes), NOW) == way
