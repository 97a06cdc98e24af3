"""The stretch that is read twice and handed on once."""

from __future__ import annotations

from datetime import timedelta

from connector.sources.overlap import Overlap, time_of

SECOND = 10**9
TEN_SECONDS = timedelta(seconds=10)


def at(**seconds: float) -> dict[str, int]:
    return {mark: int(when * SECOND) for mark, when in seconds.items()}


def test_without_a_past_everything_is_news() -> None:
    assert Overlap().is_news(5, "a")


def test_a_mark_that_was_seen_is_no_news_and_neither_is_a_settled_time() -> None:
    overlap = Overlap().moved(at(a=100, b=95, old=50), TEN_SECONDS)
    assert overlap.floor == 90 * SECOND
    assert overlap.seen == {"a", "b"}
    assert not overlap.is_news(100 * SECOND, "a")
    assert overlap.is_news(100 * SECOND, "a revised")
    assert overlap.is_news(95 * SECOND, "appeared late")
    assert not overlap.is_news(90 * SECOND, "settled")


def test_the_stretch_never_moves_back() -> None:
    overlap = Overlap().moved(at(a=100), TEN_SECONDS)
    assert overlap.moved(at(b=20), TEN_SECONDS).floor == 90 * SECOND
    assert overlap.moved({}, TEN_SECONDS) == overlap


def test_a_full_stretch_becomes_shorter_and_forgets_nothing_after_its_floor() -> None:
    read = at(**{f"m{n}": 100 + n / 1000 for n in range(500)})
    overlap = Overlap().moved(read, TEN_SECONDS, most_marks=100)
    assert len(overlap.seen) == 100
    for mark, when in read.items():
        assert not overlap.is_news(when, mark)
    newest = max(read.values())
    assert overlap.is_news(newest, "of the same moment")


def test_the_newest_moment_is_kept_whole_however_full_it_is() -> None:
    read = dict.fromkeys((f"m{n}" for n in range(500)), 100 * SECOND)
    overlap = Overlap().moved(read, TEN_SECONDS, most_marks=100)
    assert len(overlap.seen) == 500
    assert overlap.is_news(100 * SECOND, "of the same moment")


def test_the_cursor_is_equal_for_equal_stretches() -> None:
    one, two = Overlap(seen=frozenset("abc")), Overlap(seen=frozenset("cab"))
    assert one.model_dump_json() == two.model_dump_json() == '{"floor":null,"seen":["a","b","c"]}'


def test_a_strange_time_is_now_and_the_future_is_too() -> None:
    assert time_of("2026-01-03T00:00:00Z", 2 * 10**18) == 1767398400 * SECOND
    for strange in (None, "", "soon", "2099-01-01T00:00:00Z", [], True):
        assert time_of(strange, 1767398400 * SECOND) == 1767398400 * SECOND
