"""The lock check, the set-up's reading of pip's configuration, the list of strangers."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from connector import sinks, sources
from scripts import bootstrap

FILES = [
    "pyproject.toml",
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-peers.lock",
    "requirements-uv.lock",
    "scripts/bootstrap.py",
    "scripts/lock.py",
]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files of set-up alone, free to be changed."""
    (tmp_path / "scripts").mkdir()
    for name in FILES:
        shutil.copy(bootstrap.ROOT / name, tmp_path / name)
    return tmp_path


def check(folder: Path) -> tuple[int, str]:
    command = [sys.executable, str(folder / "scripts" / "lock.py"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_lock_files_are_in_step_with_pyproject(copy: Path) -> None:
    assert check(copy) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"click>=', '"click>=1000,>=', "where pyproject.toml asks for click"),
        ('    "tzdata>=', '    "a-new-one>=1",\n    "tzdata>=', "has nothing where pyproject.toml"),
        ('"click>=', '"click>0,>=', "was exported before pyproject.toml's dependencies changed"),
    ],
)
def test_a_changed_dependency_without_a_new_lock_is_one_clear_line(
    copy: Path, old: str, new: str, message: str
) -> None:
    replace(copy / "pyproject.toml", old, new)
    status, output = check(copy)
    assert status == 1
    assert message in output
    assert output.endswith("run `make lock`.\n")
    assert output.count("\n") == 1


def test_a_lock_that_names_an_address_is_refused(copy: Path) -> None:
    lock = copy / "requirements.lock"
    lock.write_text(f"--index-url https://packages.example.com/simple\n{lock.read_text()}")
    status, output = check(copy)
    assert status == 1
    assert "names an address" in output


def test_what_runs_is_locked_to_the_versions_that_are_tested() -> None:
    runtime = (bootstrap.ROOT / "requirements.lock").read_text().splitlines()
    tested = set((bootstrap.ROOT / "requirements-dev.lock").read_text().splitlines())
    assert [line for line in runtime if "==" in line and line not in tested] == []


@pytest.fixture
def pip_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """pip's configuration file, the only one that counts; nothing comes from the environment."""
    path = tmp_path / "pip.conf"
    path.write_text("")
    names = ("SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_SYSTEM_CERTS")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(path))
    return path


def uv_environment() -> dict[str, str]:
    # A pip that prints its configuration is all that is asked of it; the .venv may have none.
    return bootstrap.uv_environment(bootstrap.pip_command())


def test_uv_asks_the_index_that_pip_is_configured_for(pip_says: Path) -> None:
    pip_says.write_text("[global]\nindex-url = https://packages.example.com/simple\n")
    assert uv_environment()["UV_DEFAULT_INDEX"] == "https://packages.example.com/simple"


def test_uv_trusts_the_certificate_that_pip_is_configured_for(pip_says: Path) -> None:
    pip_says.write_text("[global]\ncert = /etc/our-own.pem\n")
    environment = uv_environment()
    assert environment["SSL_CERT_FILE"] == "/etc/our-own.pem"
    assert "UV_SYSTEM_CERTS" not in environment


def test_of_several_files_of_pip_the_one_counts_that_pip_says(pip_says: Path) -> None:
    """Newer pip lists its files by their paths: what counts may stand first."""
    pip = pip_says.with_name("pip")
    pip.write_text(
        "#!/bin/sh\n"
        "[ $2 = get ] && echo /etc/our-own.pem && exit\n"
        "echo \"global.cert='/etc/our-own.pem'\"\n"
        "echo \"global.cert='/etc/ssl/everybodys.crt'\"\n"
    )
    pip.chmod(0o755)
    assert bootstrap.uv_environment([str(pip)])["SSL_CERT_FILE"] == "/etc/our-own.pem"


@pytest.mark.parametrize(("package", "name"), [(sources, "Sources"), (sinks, "Sinks")])
def test_every_registered_adapter_is_held_apart_from_the_others(package: Any, name: str) -> None:
    pyproject = tomllib.loads((bootstrap.ROOT / "pyproject.toml").read_text())
    contracts = {c["name"]: c for c in pyproject["tool"]["importlinter"]["contracts"]}
    listed = contracts[f"{name} are strangers to each other"]["modules"]
    assert set(listed) == {target.split(":")[0] for target in package.REGISTRY.values()}
