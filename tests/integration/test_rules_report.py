"""`connector rules report`: live rules, and each shadow as if it alone were live too."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from connector.cli.rules import replays
from tests.integration.conftest import RULES

Report = Callable[..., Any]
SHADOWS = RULES.replace(
    "default:",
    """  - id: passive-call
    status: shadow
    when: {segment: passive}
    then: [{zendesk.ticket: {group: Care}}]
  - id: passive-mail-only
    status: shadow
    stop: true
    when: {segment: passive}
    then: [{slack.message: {channel: "#passives", text: Look}}]
  - id: unborn
    status: draft
    when: {}
    then: [{log: {}}]
default:""",
)


@pytest.fixture
def report(make_world, connector, monkeypatch) -> Report:
    """`report(rules, "--json")` after two detractors and three passives."""

    def call(rules: str, *words: str) -> tuple[int, str, str]:
        world = make_world(rules, added_before=timedelta(days=30))
        for number, score in enumerate((4, 4, 8, 8, 8)):
            person = {"email": f"p{number}@example.com", "name": f"P{number}"}
            world.answer(id=str(number), score=score, **person)
        monkeypatch.chdir(world.workspace.settings.directory)
        monkeypatch.setattr(replays, "utc_now", lambda: world.now + timedelta(minutes=1))
        return connector("rules", "report", *words)

    return call


def test_each_shadow_is_judged_as_if_it_alone_were_live(report: Report) -> None:
    code, out, _ = report(SHADOWS, "--json")
    told = json.loads(out)
    assert code == 0
    rules = {one["rule"]: one for one in told["rules"]}
    assert rules["thanks"]["counts"] == {"answers": 3, "email.thank_you": 3}
    assert rules["detractor"]["counts"] == {"answers": 2, "zendesk.ticket": 2}
    assert (rules["passive-call"]["status"], rules["unborn"]["status"]) == ("shadow", "draft")
    assert rules["passive-call"]["counts"] == {"answers": 3}  # it asked for nothing
    call, alert = told["shadows"]
    assert call["counts"] == {"answers": 3, "zendesk.ticket": 3}
    assert call["changes"] == [
        {"change": "appears", "kind": "zendesk.ticket", "count": 3},
        {"change": "disappears", "kind": "email.thank_you", "count": 3},
    ]
    assert alert["counts"] == {"answers": 3, "slack.message": 3}
    assert alert["changes"] == [{"change": "appears", "kind": "slack.message", "count": 3}]


def test_people_see_what_it_would_change_and_for_whom(report: Report) -> None:
    code, out, _ = report(SHADOWS, "--limit", "1")
    assert code == 0
    assert "replayed over 5 answers" in out
    assert "If passive-call were live:" in out
    assert "3 zendesk.ticket appear, 3 email.thank_you disappear." in out
    assert "and 5 more: --limit" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["passive-call", "shadow", "zendesk.ticket", "3"] in lines
    assert ["detractor", "live", "zendesk.ticket", "2"] in lines
    assert ["unborn", "draft", "answers", "0"] in lines


def test_without_shadows_it_says_how_to_have_one(report: Report) -> None:
    code, out, _ = report(RULES)
    assert code == 0
    assert "No rule is a shadow: write status: shadow" in out


def test_who_is_held_out_is_counted_beside_what_was_made(report: Report) -> None:
    rules = RULES.replace("  - id: thanks\n", "  - id: thanks\n    holdout: 60%\n")
    told = json.loads(report(rules, "--json")[1])
    counts = {one["rule"]: one["counts"] for one in told["rules"]}["thanks"]
    assert counts["answers"] == 3
    assert counts.get("held out", 0) + counts.get("email.thank_you", 0) == 3


def test_it_writes_nothing(report: Report, make_world) -> None:
    assert report(SHADOWS)[0] == 0
    world = make_world(SHADOWS, added_before=timedelta(days=30))
    assert {row.kind for row in world.actions()} == {"zendesk.ticket", "email.thank_you"}
