"""Where `${NAME}` in `connector.yaml` comes from: the environment, `.env`, or a file for each name.

No value of any of them ever stands in a problem.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from connector.domain import Problem

DOTENV = ".env"
PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Environment:
    """What is set outside. `empty` tells where a name stands without a value."""

    values: Mapping[str, str]
    empty: Mapping[str, str]
    problems: tuple[Problem, ...] = ()

    def find(self, name: str) -> str | None:
        """The value of NAME, else the content of the file that NAME_FILE names."""
        if self.values.get(name):
            return self.values[name]
        file = self.values.get(f"{name}_FILE")
        return (_content(file)[0] or None) if file else None

    def why_missing(self, name: str) -> str:
        """Why `find` found nothing, for whoever has to set it."""
        if self.values.get(f"{name}_FILE"):
            trouble = _content(self.values[f"{name}_FILE"])[1] or "is empty"
            return f"the file that {name}_FILE names {trouble}"
        if name in self.empty:
            return f"{name} is empty in {self.empty[name]}"
        if name in self.values:
            return f"the environment variable {name} is empty"
        return f"the environment variable {name} is not set"


def read_environment(directory: Path, given: Mapping[str, str] | None = None) -> Environment:
    """`given` (by default this process's environment) wins over `.env` in `directory`."""
    outside = os.environ if given is None else given
    path = directory / DOTENV
    try:
        text = path.read_text("utf-8") if path.is_file() else ""
    except OSError as error:
        problem = Problem(file=str(path), message=f"cannot be read: {error.strerror}")
        return Environment(dict(outside), {}, (problem,))
    except UnicodeDecodeError:
        return Environment(
            dict(outside), {}, (Problem(file=str(path), message="is not UTF-8 text"),)
        )
    found = list(_assignments(text))
    inside = {name: value for _, name, value in found if name}
    empty = {name: f"{path}:{line}" for line, name, value in found if name and not value}
    broken = [line for line, name, _ in found if not name]
    problems = tuple(
        Problem(
            file=str(path),
            line=line,
            column=1,
            message="this line is not NAME=value",
            hint="a value stands on one line, after its name; a comment starts with #",
        )
        for line in broken
        if line - 1 not in broken  # a value that was pasted on many lines is one mistake
    )
    empty = {name: place for name, place in empty.items() if not inside[name]}
    return Environment({**inside, **outside}, empty, problems)


def dotenv(path: Path) -> dict[str, str]:
    """`NAME=value` lines; comments, blank lines and quotes around the value are understood."""
    if not path.is_file():
        return {}
    return {name: value for _, name, value in _assignments(path.read_text("utf-8")) if name}


def placeholders(text: str) -> list[str]:
    """The environment variables that a configuration text names."""
    return [match[1] for match in PLACEHOLDER.finditer(text)]


def _assignments(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, name, value) of every line that says something; without a name where it is broken."""
    for number, line in enumerate(text.splitlines(), start=1):
        plain = line.strip().removeprefix("export ")
        if not plain or plain.startswith("#"):
            continue
        name, equals, value = plain.partition("=")
        name, value = name.strip(), value.strip()
        if not (equals and _NAME.fullmatch(name)):
            yield number, "", ""
            continue
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        yield number, name, value[1:-1] if quoted else value


def _content(file: str) -> tuple[str, str]:
    """The text of a file, and what is wrong with it."""
    try:
        return Path(file).read_text("utf-8").strip(), ""
    except OSError as error:
        return "", f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return "", "is not UTF-8 text"
