"""Times on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from connector.cli.moments import MOMENT


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T03:00", datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("2026-11-20 03:00:30", datetime(2026, 11, 20, 3, 0, 30, tzinfo=UTC)),
        ("2026-11-20T03:00Z", datetime(2026, 11, 20, 3, tzinfo=UTC)),
        ("2026-11-20T03:00+02:00", datetime(2026, 11, 20, 1, tzinfo=UTC)),
    ],
)
def test_a_date_or_a_time_is_utc_unless_it_says_otherwise(said: str, meant: datetime) -> None:
    assert MOMENT.convert(said, None, None) == meant


@pytest.mark.parametrize(("said", "ago"), [("6h", 6), ("7d", 168), ("1h 30m", 1.5)])
def test_or_how_long_ago(said: str, ago: float) -> None:
    expected = datetime.now(UTC) - timedelta(hours=ago)
    assert abs(MOMENT.convert(said, None, None) - expected) < timedelta(minutes=1)


@pytest.mark.parametrize("said", ["", "yesterday", "2026-13-01", "2999-01-01", "-3h", "20261399"])
def test_anything_else_is_refused_with_what_is_allowed(said: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write 2026-11-24|has not come yet"):
        MOMENT.convert(said, None, None)
