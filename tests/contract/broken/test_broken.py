"""Does the contract bite? Each broken adapter fails its own check, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.sandbox import Sandbox
from tests.contract import (
    sink_following,
    sink_listing,
    sink_news,
    sink_recovery,
    sink_troubles,
    source_checks,
    source_polling,
)
from tests.contract.broken import broken_sinks, broken_sources
from tests.contract.sink_harness import SINKS
from tests.contract.source_bench import SourceBench
from tests.contract.source_harness import SOURCES

OF_SOURCES = [
    (broken_sources.RepeatsTheBoundaryRow, "check_every_answer_arrives_exactly_once"),
    (broken_sources.StopsAtPageOne, "check_all_pages_are_read"),
    (broken_sources.TreatsZeroAsNoScore, "check_a_score_of_zero_is_a_score"),
    (broken_sources.HasNoTimeout, "check_every_request_ends_in_time"),
]
OF_SINKS = [
    (broken_sinks.RendersAnewOnRetry, "check_a_second_try_sends_the_same_bytes"),
    (broken_sinks.SwallowsAnItem, "check_one_refused_item_costs_only_itself"),
    (broken_sinks.RetriesAPost, "check_one_write_goes_over_the_wire"),
    (broken_sinks.LogsTheToken, "check_nothing_secret_or_personal_is_said"),
    (broken_sinks.ListsTheFirstPageOnly, "check_every_page_is_listed"),
]
OF_FOLLOWERS = [
    (broken_sinks.TakesTheDeletedForOpen, "check_what_was_deleted_there_is_gone"),
    (broken_sinks.FollowsTheFirstPageOnly, "check_a_stop_between_pages_loses_nothing"),
    (broken_sinks.StopsAtABadCursor, "check_an_unusable_cursor_begins_anew"),
    (broken_sinks.MarksWhatItHasSeen, "check_following_writes_nothing"),
    (broken_sinks.ForgetsTheTimeOfAWebhook, "check_an_old_webhook_is_not_believed"),
]
SOURCE_CHECKS = [*source_checks.CHECKS, *source_polling.CHECKS]
PORTS = (sink_following.CHECKS, sink_news.CHECKS)
SINK_CHECKS = [*sink_recovery.CHECKS, *sink_troubles.CHECKS, *sink_listing.CHECKS]


def failed(checks: list[Callable[[Any], None]], bench: Callable[[], Any]) -> dict[str, str]:
    """The checks that do not hold, and what they say."""
    found = {}
    for check in checks:
        try:
            check(bench())
        except (AssertionError, pytest.fail.Exception) as said:
            found[check.__name__] = str(said)
    return found


@pytest.mark.parametrize(("broken", "own"), OF_SOURCES)
def test_a_broken_source_fails_its_own_check_alone(sandbox: Sandbox, broken: Any, own: str) -> None:
    harness = SOURCES[broken.type]
    found = failed(SOURCE_CHECKS, lambda: SourceBench(harness, sandbox, broken))
    assert [own] == list(found), found


@pytest.mark.parametrize(("broken", "own"), OF_SINKS)
def test_a_broken_sink_fails_its_own_check_alone(
    new_bench: Callable[..., Any], broken: Any, own: str
) -> None:
    harness = SINKS[broken.kind]
    checks = [c for c in SINK_CHECKS if c.__name__.removeprefix("check_") not in harness.exempt]
    found = failed(checks, lambda: new_bench(harness, broken, every=4))
    assert [own] == list(found), found


@pytest.mark.parametrize(("broken", "own"), OF_FOLLOWERS)
def test_a_sink_that_follows_badly_fails_its_own_check_alone(
    new_bench: Callable[..., Any], broken: Any, own: str
) -> None:
    of_the_same_port = next(one for one in PORTS if own in [check.__name__ for check in one])
    found = failed(of_the_same_port, lambda: new_bench(SINKS[broken.kind], broken))
    assert [own] == list(found), found
