"""Export the lock files from pyproject.toml, or check that they are still in step with it.

`lock.py export [--upgrade]` asks the package index; `lock.py check` works without a network.
"""

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from typing import Any

import bootstrap
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = bootstrap.ROOT
HASH_LINE = "# dependency tables: sha256:"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)", re.MULTILINE)
ADDRESS = re.compile(r"://|^-", re.MULTILINE)


@dataclass(frozen=True)
class Lock:
    """One lock file, the compile options that make it, and the groups and extras it must hold."""

    file: str
    options: tuple[str, ...]
    groups: tuple[str, ...]
    runtime: bool


LOCKS = (
    Lock(
        "requirements-dev.lock", ("pyproject.toml", "--all-extras", "--group=dev"), ("dev",), True
    ),
    # the same versions as above, so that what runs is what was tested
    Lock(
        "requirements.lock",
        ("pyproject.toml", "--all-extras", "--constraint=requirements-dev.lock"),
        (),
        True,
    ),
    # goes into the same .venv, beside what is there
    Lock(
        "requirements-peers.lock",
        ("--group=peers", "--constraint=requirements-dev.lock"),
        ("peers",),
        False,
    ),
    Lock("requirements-uv.lock", ("--group=installer",), ("installer",), False),
)


def main() -> None:
    match sys.argv[1:]:
        case ["export"]:
            export(())
        case ["export", "--upgrade"]:
            export(("--upgrade",))
        case ["check"]:
            problems = [problem for lock in LOCKS for problem in check(lock)]
            if problems:
                sys.exit(f"{problems[0]}: run `make lock`.")
        case _:
            sys.exit("usage: lock.py export [--upgrade] | check")


def export(extra: tuple[str, ...]) -> None:
    environment = bootstrap.uv_environment(bootstrap.pip_command())
    quiet = ("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url")
    universal = ("--universal", "--python-version=3.11", "--generate-hashes")
    for lock in LOCKS:
        path = ROOT / lock.file
        command = [str(bootstrap.VENV / "bin" / "uv"), "pip", "compile", *quiet, *universal]
        command += [*extra, *lock.options, f"--output-file={lock.file}"]
        subprocess.run(command, env=environment, cwd=ROOT, check=True)
        path.write_text(
            f"# Exported by `make lock`.\n{HASH_LINE}{tables_hash()}\n{path.read_text()}"
        )


def check(lock: Lock) -> list[str]:
    """What is wrong with one lock file, a line each."""
    try:
        text = (ROOT / lock.file).read_text()
    except FileNotFoundError:
        return [f"{lock.file} is missing"]
    problems = []
    for wanted in requirements(lock):
        pinned = [pin["version"] for pin in PIN.finditer(text) if same(pin["name"], wanted.name)]
        if not pinned or not all(wanted.specifier.contains(v, prereleases=True) for v in pinned):
            has = ", ".join(pinned) or "nothing"
            problems.append(f"{lock.file} has {has} where pyproject.toml asks for {wanted}")
    if not problems and f"{HASH_LINE}{tables_hash()}\n" not in text:
        problems.append(f"{lock.file} was exported before pyproject.toml's dependencies changed")
    if ADDRESS.search(text):
        problems.append(f"{lock.file} names an address or an option; it may hold only versions")
    return problems


def same(name: str, other: str) -> bool:
    return canonicalize_name(name) == canonicalize_name(other)


def requirements(lock: Lock) -> list[Requirement]:
    """The direct requirements that `lock` must satisfy."""
    tables = dependency_tables()
    wanted: list[str] = [text for group in lock.groups for text in tables["groups"][group]]
    if lock.runtime:
        wanted += tables["dependencies"]
        wanted += [text for extra in tables["extras"].values() for text in extra]
    return [Requirement(text) for text in wanted]


def dependency_tables() -> dict[str, Any]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    return {
        "python": project["requires-python"],
        "dependencies": project["dependencies"],
        "extras": project["optional-dependencies"],
        "groups": pyproject["dependency-groups"],
    }


def tables_hash() -> str:
    return hashlib.sha256(json.dumps(dependency_tables(), sort_keys=True).encode()).hexdigest()


if __name__ == "__main__":
    main()
