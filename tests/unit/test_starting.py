"""A process that stays up starts also while the database is being restarted."""

from __future__ import annotations

import logging

import pytest

from connector.cli.starting import TRIES, once_there
from connector.store.database import StoreDown


class Opening:
    """Fails so many times."""

    def __init__(self, down: int, error: type[Exception] = StoreDown) -> None:
        self.down, self.error, self.tries = down, error, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.tries <= self.down:
            raise self.error("the database cannot be reached")
        return "open"


def test_a_database_that_comes_back_is_waited_for_and_it_is_said_once(caplog):
    opening, slept = Opening(down=3), []
    with caplog.at_level(logging.WARNING):
        assert once_there(opening, slept.append) == "open"
    assert slept == [1.0, 1.0, 1.0]
    assert len(caplog.records) == 1


def test_after_a_minute_it_ends_with_what_is_wrong():
    opening, slept = Opening(down=TRIES + 1), []
    with pytest.raises(StoreDown, match="cannot be reached"):
        once_there(opening, slept.append)
    assert sum(slept) == TRIES - 1


def test_other_mistakes_are_told_at_once():
    opening = Opening(down=1, error=ValueError)
    with pytest.raises(ValueError, match="cannot be reached"):
        once_there(opening, lambda _: None)
    assert opening.tries == 1
