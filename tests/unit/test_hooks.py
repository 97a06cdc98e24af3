"""What other repositories refer to: the pre-commit hook and the GitHub Action."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from connector.cli import cli

ROOT = Path(__file__).parents[2]


def read(name: str) -> Any:
    return YAML(typ="safe").load((ROOT / name).read_text("utf-8"))


def test_the_action_is_one() -> None:
    """By GitHub's own schema of actions."""
    judge = [sys.executable, "-m", "check_jsonschema"]
    subprocess.run(
        [*judge, "--builtin-schema", "vendor.github-actions", str(ROOT / "action.yml")],
        check=True,
        capture_output=True,
    )


def test_the_action_runs_no_text_that_somebody_typed_into_an_input() -> None:
    action = read("action.yml")
    assert all("${{" not in step.get("run", "") for step in action["runs"]["steps"])
    given = {name for step in action["runs"]["steps"] for name in _inputs(step)}
    assert given == set(action["inputs"])


def _inputs(step: dict[str, Any]) -> list[str]:
    text = str(step.get("env", "")) + str(step.get("with", ""))
    return re.findall(r"inputs\.([a-z-]+)", text)


def test_the_hook_is_one() -> None:
    """https://pre-commit.com/#creating-new-hooks"""
    (hook,) = read(".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert (hook["id"], hook["language"]) == ("connector-rules", "python")
    assert hook["pass_filenames"] is False


@pytest.mark.parametrize(
    ("file", "matters"),
    [
        ("rules.yaml", True),
        ("config/connector.yaml", True),
        ("config/templates/thank_you/pt-BR.html", True),
        ("config/rules.schema.json", False),
        ("docs/rules.md", False),
    ],
)
def test_the_hook_runs_for_the_files_that_it_reads(file: str, matters: bool) -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    assert bool(re.search(hook["files"], file)) is matters


def test_the_hook_calls_a_command_that_exists() -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    program, *words = hook["entry"].split()
    assert program == "connector"
    with cli.make_context("connector", words[:-1]) as context:
        group = cli.get_command(context, words[0])
        assert group is not None
    assert words == ["rules", "check", "--offline"]
