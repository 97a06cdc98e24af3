"""The day of a CX ops person in docs/rules.md, to be lived: its commands, and what they print."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
RULES, DRAFT = "rules.yaml", "rules.new.yaml"
# What differs from one demo to the next.
VARIES = (
    (re.compile(r"\b(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{12}\b"), "HASH"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?\b"), "TIME"),
    (re.compile(r"\s+"), " "),
)


def day() -> list[tuple[str, str, str]]:
    """(what is said before, language, block) in the order of the page."""
    text = PAGE.read_text("utf-8").partition("\n## A day with the rules\n")[2]
    section = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]
    parts = re.split(r"^```(\w*)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return list(zip(parts[::3], parts[1::3], parts[2::3], strict=False))


def steps(block: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines that it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *printed = part.rstrip("\n").split("\n")
        yield command, printed


def same(line: str) -> str:
    for pattern, name in VARIES:
        line = pattern.sub(name, line)
    return line.strip()


def compare(command: str, expected: list[str], printed: str) -> None:
    """Line after line; `…` stands for any lines, at the end of a line for the rest of it."""
    left = [same(line) for line in printed.splitlines() if line.strip()]
    skipping = False
    for line in (same(one) for one in expected if one.strip()):
        if line == "…":
            skipping = True
            continue
        fits: Callable[[str], bool] = line.__eq__
        if line.endswith("…") and line not in left:
            begin = line.removesuffix("…").rstrip()
            fits = lambda one, begin=begin: one.startswith(begin)  # type: ignore[misc]  # noqa: E731
        place = next((n for n, one in enumerate(left) if fits(one)), None)
        assert place is not None, f"{command}\nprints no line\n  {line}\nbut\n{printed}"
        assert skipping or place == 0, f"{command}\nprints before\n  {line}\n{left[:place]}"
        left, skipping = left[place + 1 :], False
    assert skipping or not left, f"{command}\nalso prints\n{left}"


def insert(directory: Path, said: str, rule: str) -> None:
    """A rule of the page, above the one that it names."""
    above = re.findall(r"above\s`([a-z-]+)`", said)[-1]
    file = directory / DRAFT
    before, mark, after = file.read_text("utf-8").partition(f"  - id: {above}\n")
    assert mark, above
    indented = "".join(f"  {line}" if line.strip() else line for line in rule.splitlines(True))
    file.write_text(f"{before}{indented}\n{mark}{after}", "utf-8")


def replace(directory: Path, said: str) -> None:
    """`A` becomes `B`, as the page says."""
    file = directory / DRAFT
    for old, new in re.findall(r"`([^`]+)` becomes `([^`]+)`", said):
        text = file.read_text("utf-8")
        assert text.count(old) == 1, old
        file.write_text(text.replace(old, new), "utf-8")


def live(here: Path, run: Callable[..., tuple[int, str, str]]) -> int:
    """Do in this folder what the page does; returns how many commands of ours were run."""
    ran, before = 0, ""
    for said, language, block in day():
        replace(here, said)
        before += said
        if language == "yaml":
            insert(here, before, block)
        for command, expected in steps(block) if language == "console" else ():
            name, *words = shlex.split(command)
            if name == "cp":
                shutil.copy(*words)
            elif words[0] != "demo" and name != "cd":
                ran += 1
                code, out, err = run(*words)
                told = [f"(exit code {code})"] if code else []
                compare(command, expected, "\n".join([err, out, *told]))
    return ran
