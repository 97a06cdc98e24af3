"""Which decisions are there to be seen for good, as seen by one look after the other."""

from __future__ import annotations

from connector.store.horizons import Horizon, Place, further


def test_what_was_seen_is_settled_once_all_that_ran_then_is_over():
    place = further(Place(), Horizon(7, xmax=100, xmin=90))
    assert place == Place(0, seen_number=7, seen_xid=100)
    assert further(place, Horizon(8, xmax=110, xmin=99)) == place, "one of then may still commit 6"
    assert further(place, Horizon(9, xmax=110, xmin=100)) == Place(7, 9, 110)


def test_where_one_writes_at_a_time_all_that_is_seen_is_settled():
    assert further(Place(3), Horizon(9)).number == 9


def test_what_another_server_counted_settles_nothing():
    place = Place(7, seen_number=9, seen_xid=5_000)
    assert further(place, Horizon(9, xmax=800, xmin=800)) == Place(7, 9, 800)
