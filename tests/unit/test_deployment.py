"""compose.yaml, Dockerfile and the systemd units of the docs, as far as can be told without them
running: there is no container engine in the tests."""

from __future__ import annotations

import configparser
import fnmatch
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from connector.cli import cli

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "compose.yaml"
OURS = ("receiver", "worker", "beat")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OPERATING = (ROOT / "docs/operating.md").read_text()
STYLE = "{extends: default, rules: {line-length: {max: 100}, document-start: disable}}"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(COMPOSE.read_text())["services"]
    return loaded


@pytest.mark.parametrize(
    "linter",
    [
        ("check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
        ("yamllint", "--strict", "-d", STYLE),
    ],
    ids=lambda linter: linter[0],
)
def test_the_linters_have_nothing_against_the_compose_file(linter):
    command = [sys.executable, "-m", *linter, str(COMPOSE)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def parse(words: list[str]) -> None:
    """Raises UsageError for a command or an option that does not exist."""
    name, *rest = words
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, name
    command.make_context(name, rest)


@pytest.mark.parametrize("name", OURS)
def test_every_process_is_a_command_that_exists(services, name):
    parse(services[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_every_process_is_watched_and_can_harm_little(services, name):
    service = services[name]
    assert service["healthcheck"]["test"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["restart"] == "unless-stopped"
    assert all(mount.endswith(":ro") for mount in service["volumes"])


def test_no_secret_stands_in_the_compose_file(services):
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|URL|TOKEN|KEY|SECRET", name):
                assert "${" in value, name
    assert "env_file" not in services["beat"]  # it calls no vendor


def test_every_published_port_is_for_this_machine_only(services):
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_image_names_its_version(services):
    foreign = [s["image"] for s in services.values() if not s["image"].startswith("nps-")]
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert all(re.search(r":\d", image) for image in [*foreign, *bases])


def test_the_image_runs_as_nobody_special():
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    user = re.search(r"^USER (\d+):(\d+)$", last_stage, re.MULTILINE)
    assert user
    assert int(user[1]) > 0
    assert last_stage.index("USER") < last_stage.index("ENTRYPOINT")


def test_the_image_holds_what_is_locked_and_what_the_wheel_needs():
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    assert all((ROOT / name).exists() for name in names)
    project = (ROOT / "pyproject.toml").read_text()
    forced = re.findall(r'^"([^"]+)" = "connector/shipped/', project, re.MULTILINE)
    assert {path.split("/")[0] for path in forced} <= set(names)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert all(f"!{name}" in ignored for name in names)


@pytest.mark.parametrize("secret", [".env", "config/.env", "config/connector.db", ".git/config"])
def test_no_secret_and_no_database_gets_into_the_image(secret):
    taken = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        anywhere = pattern.startswith("**/") and fnmatch.fnmatch(Path(secret).name, pattern[3:])
        if anywhere or fnmatch.fnmatch(secret, pattern) or secret.startswith(f"{pattern}/"):
            taken = line.startswith("!")
    assert not taken


UNITS = re.findall(r"```ini\n# (\S+\.service)\n(.*?)```", OPERATING, re.DOTALL)


@pytest.mark.parametrize(("name", "content"), UNITS, ids=[name for name, _ in UNITS])
def test_the_units_of_the_docs_start_commands_that_exist(name, content):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign, assignment] # systemd minds capitals
    unit.read_string(content)
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/connector")
    parse(words)
    assert unit["Service"]["Restart"] == "always"
    assert unit["Service"]["User"] != "root"


def test_the_docs_show_a_unit_for_every_process():
    shown = {name.partition(".")[0].removeprefix("connector-").rstrip("@") for name, _ in UNITS}
    assert {"connector", "web", "worker", "beat"} == shown


def test_every_metric_is_explained_in_the_docs():
    source = (ROOT / "connector/web/metrics.py").read_text()
    names = set(re.findall(r'"(connector_\w+)"', source))
    assert len(names) > 10
    for name in names:
        assert f"`{name}" in OPERATING, name


def test_click_is_what_this_test_believes_it_is():
    with pytest.raises(click.UsageError):
        parse(["worker", "--no-such-option"])
