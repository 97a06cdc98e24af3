"""`connector init`, and the configuration that comes with the connector."""

from __future__ import annotations

import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from connector import catalog, cli
from connector.cli import shipped
from connector.config import load
from connector.documents import read
from connector.environment import dotenv, placeholders

ROOT = Path(__file__).parents[2]


def run(*words: str) -> int:
    """The exit code; what is printed is left to capsys."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    return ended.value.code if isinstance(ended.value.code, int) else 1


def written(directory: Path) -> dict[str, bytes]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def with_schema(files: dict[str, bytes]) -> dict[str, bytes]:
    """And what editors need, made from the configuration; that of the whole is in config/."""
    return {**files, "rules.schema.json": (ROOT / "config" / "rules.schema.json").read_bytes()}


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def test_it_writes_what_is_shipped_and_says_the_next_three_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "new" / "place"
    assert run("init", str(place)) == 0
    assert written(place) == with_schema(shipped.files())
    said = capsys.readouterr().out
    assert [line[:2] for line in said.splitlines() if line[:1].isdigit()] == ["1.", "2.", "3."]
    assert f"connector --config {place / 'connector.yaml'} check" in said


def test_what_it_wrote_is_in_order_as_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("init", str(tmp_path))
    capsys.readouterr()
    config = str(tmp_path / "connector.yaml")
    assert run("--config", config, "check", "--no-secrets") == 0
    assert capsys.readouterr() == ("Everything is in order.\n", "")


@pytest.mark.parametrize("source", [*catalog.source_types(), "app", "archive"])
@pytest.mark.parametrize("sink", catalog.sink_types())
def test_one_source_and_one_sink_are_in_order_as_they_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, sink: str
) -> None:
    assert run("init", str(tmp_path), "--only", f"{source}, {sink}") == 0
    capsys.readouterr()
    config = str(tmp_path / "connector.yaml")
    assert run("--config", config, "check", "--no-secrets") == 0
    assert capsys.readouterr() == ("Everything is in order.\n", "")

    settings = load(tmp_path / "connector.yaml", {}, secrets=False)
    assert {one.type for one in settings.sinks.values()} == {sink}
    assert all(source in (id, one.type) for id, one in settings.sources.items())
    assert (settings.alarms is not None) == (sink == "slack")
    rules = read((tmp_path / "rules.yaml").read_text(), "rules.yaml").data["rules"]
    assert rules
    asked = {kind for rule in rules for action in rule["then"] for kind in action}
    assert {kind.partition(".")[0] for kind in asked} == {sink}
    if sink != "zendesk":
        assert "ticket" not in "".join(map(str, (rule["then"] for rule in rules)))
    document = read((tmp_path / "connector.yaml").read_text(), "connector.yaml")
    wanted = [name for text in texts(document.data) for name in placeholders(text)]
    assert list(dotenv(tmp_path / ".env.example")) == wanted
    assert (tmp_path / "templates").exists() == (sink == "email")


def test_all_sources_and_sinks_by_type_are_the_whole(tmp_path: Path) -> None:
    everything = ",".join((*catalog.source_types(), *catalog.sink_types()))
    assert run("init", str(tmp_path), "--only", everything) == 0
    assert written(tmp_path) == with_schema(shipped.files())


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("app,zendsk", "did you mean 'zendesk'?"),
        ("app", "name one of the sinks as well: zendesk-main"),
        ("slack", "name one of the sources as well: delighted-main"),
        ("", "name one of the sources"),
    ],
)
def test_what_cannot_be_chosen_is_said_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], only: str, said: str
) -> None:
    assert run("init", str(tmp_path), "--only", only) == 1
    assert said in capsys.readouterr().err
    assert written(tmp_path) == {}


def test_the_file_for_the_keys_is_for_its_owner_alone(tmp_path: Path) -> None:
    run("init", str(tmp_path))
    assert stat.S_IMODE((tmp_path / ".env.example").stat().st_mode) == 0o600


def test_it_goes_where_you_are_when_no_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init") == 0
    assert (tmp_path / "connector.yaml").is_file()


def test_a_file_that_exists_is_left_alone_and_nothing_else_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yaml").write_text("mine")
    assert run("init", str(tmp_path)) == 1
    assert written(tmp_path) == {"rules.yaml": b"mine"}
    said = capsys.readouterr().err
    assert "holds these already: rules.yaml." in said
    assert "--force" in said


def test_force_replaces_the_files_and_touches_no_other(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("mine")
    (tmp_path / ".env").write_text("KEY=secret")
    assert run("init", str(tmp_path), "--force") == 0
    assert written(tmp_path) == with_schema({**shipped.files(), ".env": b"KEY=secret"})


def test_secrets_beside_the_shipped_files_are_never_copied() -> None:
    assert ".env" not in shipped.files()
    known = ("connector.yaml", "rules.yaml", "topics.yaml", ".env.example")
    assert all(name in known or name.startswith("templates/") for name in shipped.files())


def test_env_example_names_exactly_what_connector_yaml_takes_from_outside() -> None:
    config = read((ROOT / "config/connector.yaml").read_text(), "connector.yaml")
    wanted = [name for text in texts(config.data) for name in placeholders(text)]
    assert list(dotenv(ROOT / ".env.example")) == wanted


def test_env_example_holds_no_value_and_a_comment_above_each_name() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    places = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
    assert all(lines[number].endswith("=") for number in places)
    assert all(lines[number - 1].startswith("# ") for number in places)


def test_a_wheel_carries_the_same_files(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    prefix = "connector/shipped/"
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(prefix)]
        carried = {name.removeprefix(prefix): archive.read(name) for name in names}
    assert carried == shipped.files()
