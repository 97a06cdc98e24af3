"""The docs are true: every setting and command stands in them, and what they show exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import click
import pytest

from connector.cli import cli
from connector.config import AlarmChannel, DigestMail, Receiver, _File
from connector.domain import Survey
from connector.ports import SinkSettings, SourceSettings
from connector.store.alarms import AlarmKind

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(group: click.Group, prefix: str = "connector") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, f"{prefix} {name}")
        else:
            found[f"{prefix} {name}"] = command
    return found


COMMANDS = commands(cli)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_line(command):
    assert f"`{command}" in (ROOT / "docs/commands.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_a_page_shows_exists(page):
    for words in re.findall(r"\bconnector ((?:--config \S+ )?[a-z][^`\n#|)]*)", page.read_text()):
        shown = words.split()
        while shown and shown[0].startswith("--"):
            shown = shown[2:]
        name = next(
            (n for n in (" ".join(shown[:2]), shown[0]) if f"connector {n}" in COMMANDS), None
        )
        if name is None:
            assert not looks_like_a_command(shown), f"{page.name}: connector {words}"
            continue
        command = COMMANDS[f"connector {name}"]
        options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
        for option in (w for w in shown if re.fullmatch(r"--[a-z-]+", w)):
            assert option in options, f"{page.name}: connector {words}"


def looks_like_a_command(words: list[str]) -> bool:
    """Prose such as `connector in a process` is none; a group's name or an option makes one."""
    groups = {name.split()[1] for name in COMMANDS}
    return words[0] in groups or any(word.startswith("--") for word in words)


@pytest.mark.parametrize(
    "model", [_File, Receiver, AlarmChannel, DigestMail, Survey, SourceSettings, SinkSettings]
)
def test_every_setting_is_explained(model):
    page = (ROOT / "docs/configuration.md").read_text()
    for field in model.model_fields:
        if (model, field) == (Survey, "id"):
            continue  # the key of the survey, not a setting in it
        assert re.search(rf"[`{{ ,]{field}[`}},]", page), f"{model.__name__}.{field}"


def test_every_kind_of_alarm_says_what_to_do():
    page = (ROOT / "docs/operating.md").read_text()
    told = set(re.findall(r"^\| `([a-z_-]+)` \|", page.partition("### Alarms")[2], re.MULTILINE))
    assert told == set(get_args(AlarmKind))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
