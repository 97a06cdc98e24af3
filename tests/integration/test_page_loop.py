"""The page Loop: what `connector report loop` prints, for people with a browser."""

from __future__ import annotations

import pytest

from tests.integration.loop_world import Cases
from tests.integration.web_visitor import signed_in


def test_it_shows_what_the_report_says_and_escapes_what_comes_from_outside(world):
    cases = Cases(world)
    cases.add(times=40, touched=2, team="North", cause="<script>price")
    cases.add(times=35, closed=90, team="<b>South", cause="<script>price", action_taken="refund")
    cases.add(5, times=3, team=None)
    answer = signed_in(world, "viewer").get("/loop?weeks=13&by=team")
    assert answer.status_code == 200
    page = " ".join(answer.text.split())
    assert "<dd>51 %</dd>" in page  # 40 of 78 on time
    assert "40 of 78 due" in page
    assert "2026-W46" in page
    assert "&lt;b&gt;South" in page
    assert "&lt;script&gt;price" in page
    assert "<script>price" not in page
    assert "3.8 d" in page
    assert "A place is what the cases allow" in page


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_what_cannot_be_asked_for_is_not_found_and_without_cases_it_says_so(world):
    visitor = signed_in(world, "viewer")
    assert "There are no such cases." in visitor.get("/loop").text
    for query in ("weeks=5", "by=customer", "survey=other"):
        assert visitor.get(f"/loop?{query}").status_code == 404
