"""Groups are ranked only where their answers can tell them apart."""

from __future__ import annotations

import random

from connector.numbers.ranking import Place, places, told_apart
from connector.numbers.score import Counts
from tests.unit.numbers.trinomial import Weeks


def test_equal_groups_cannot_be_told_apart():
    found = places([Counts(50, 30, 20), Counts(52, 28, 20), Counts(48, 30, 22)])
    assert found == [Place(1, 3)] * 3
    assert not told_apart(found)


def test_separate_groups_have_their_place_and_close_ones_share_it():
    best, middle, alike = Counts(800, 150, 50), Counts(500, 300, 200), Counts(510, 290, 200)
    worst = Counts(200, 300, 500)
    found = places([middle, best, worst, alike])
    assert found == [Place(2, 3), Place(1, 1), Place(4, 4), Place(2, 3)]
    assert told_apart(found)


def test_one_group_alone_or_none_is_no_ranking():
    assert places([]) == []
    assert places([Counts(5, 3, 2)]) == [Place(1, 1)]
    assert not told_apart(places([Counts(5, 3, 2)]))


def test_ten_equal_teams_are_ranked_in_at_most_5_percent_of_cases():
    """Without care for the 45 pairs somebody would be best or worst in most of them."""
    rng, runs = random.Random(5), 200
    drawn = Weeks(50, (0.5, 0.3, 0.2))
    ranked = sum(told_apart(places(drawn.draw(rng, 10))) for _ in range(runs))
    assert ranked / runs <= 0.05
