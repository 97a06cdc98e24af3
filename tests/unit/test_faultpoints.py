"""The chaos suite's points do what their plan says, once, and nothing without one."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import faultpoints
from connector.ports import Capabilities


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    signals: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _pid, which: signals.append(which))
    return signals


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    path = tmp_path / "plan.json"

    def write(**content: Any) -> Path:
        path.write_text(json.dumps(content))
        monkeypatch.setattr(faultpoints, "_plan", path)
        monkeypatch.setattr(faultpoints, "_visits", {})
        return path

    return write


def point(**more: Any) -> dict[str, Any]:
    return {"id": "p1", "at": "sent", "of": "desk", "do": "kill", **more}


def test_without_a_plan_nothing_happens_and_nothing_changes(killed):
    usual = Capabilities(key_lifetime=timedelta(hours=1))
    faultpoints.reach("sent", "desk")
    assert not faultpoints.broken("key")
    assert faultpoints.seconds("lease", 300) == 300
    assert faultpoints.hurried(usual) is usual
    assert killed == []


def test_a_point_fires_once_and_leaves_its_process_id(plan, killed):
    path = plan(points=[point()])
    for _ in range(3):
        faultpoints.reach("sent", "desk")
    assert killed == [signal.SIGKILL]
    assert Path(f"{path}.p1").read_text() == str(os.getpid())


def test_a_point_waits_for_its_place_its_sink_and_its_turn(plan, killed):
    plan(points=[point(skip=1, do="stop")])
    faultpoints.reach("sending", "desk")
    faultpoints.reach("sent", "chat")
    faultpoints.reach("sent", "desk")
    assert killed == []
    faultpoints.reach("sent", "desk")
    assert killed == [signal.SIGSTOP]


def test_who_is_stopped_at_a_point_is_not_killed_there_as_well(plan, killed):
    plan(points=[point(do="stop"), point(id="p2")])
    faultpoints.reach("sent", "desk")
    assert killed == [signal.SIGSTOP]
    faultpoints.reach("sent", "desk")
    assert killed == [signal.SIGSTOP, signal.SIGKILL]


def test_a_plan_hurries_what_is_not_zero_and_breaks_what_it_names(plan):
    plan(broken=["fence"], seconds={"lease": 4, "key_lifetime": 5, "look_again_after": 2})
    hurried = faultpoints.hurried(Capabilities(key_lifetime=timedelta(hours=1)))
    assert hurried == Capabilities(key_lifetime=timedelta(seconds=5))
    assert faultpoints.seconds("lease", 300) == 4
    assert faultpoints.broken("fence")
    assert not faultpoints.broken("key")
