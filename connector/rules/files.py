"""The texts of a ruleset, read from disk."""

from __future__ import annotations

from pathlib import Path

from connector.domain import Problem
from connector.errors import Invalid
from connector.rules.model import RULES_FILE, TOPICS_FILE, RulesetText

_LARGEST = 1_000_000  # bytes of one file


def read_directory(rules_file: Path, templates: Path, topics: Path | None = None) -> RulesetText:
    """The texts of a rules file, of `topics` (where none is named: of `topics.yaml` beside the
    rules, if it exists), and of `NAME/LANG.txt|html` below `templates`.

    Raises:
        Invalid: a file cannot be read, is too large, or is not UTF-8.
    """
    files = {RULES_FILE: _text(rules_file)}
    topics = topics or rules_file.parent / TOPICS_FILE
    if topics.exists():
        files[TOPICS_FILE] = _text(topics)
    if templates.is_dir():
        for path in sorted(templates.glob("*/*")):
            if path.suffix in (".txt", ".html") and not path.name.startswith("."):
                files[f"templates/{path.parent.name}/{path.name}"] = _text(path)
    return RulesetText(files)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"cannot be read: {error.strerror or type(error).__name__}"
        raise Invalid([Problem(file=str(path), message=message)]) from None
    if len(data) > _LARGEST:
        raise Invalid([Problem(file=str(path), message="is too large", hint="at most 1 MB")])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = Problem(
            file=str(path),
            line=data[: error.start].count(b"\n") + 1,
            column=1,
            message="a character here is not UTF-8",
            hint="save the file as UTF-8",
        )
        raise Invalid([problem]) from None
