"""`topics.yaml`: the words that CX ops maintain, read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector.documents import Document, read, validate
from connector.domain import Problem, Value
from connector.errors import Invalid
from connector.rules.mentions import BadWords, words
from connector.rules.model import TOPICS_FILE, RulesetText
from connector.rules.topics import ASKS_FOR, COMPLAINT, NO_TOPICS, TOPICS, TopicBook
from connector.rules.words import Word
from connector.text import one_line

MOST_NAMES = 50  # topics, and things that are asked for
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_UNREADABLE = TopicBook(is_whole=False)


class TopicsText(Value):
    """The keys of `topics.yaml`. Their values stay raw, so that each is judged on its own."""

    topics: dict[str, Any] = {}
    asks_for: dict[str, Any] = {}
    complaint: Any = None


def read_topics(text: RulesetText) -> tuple[TopicBook, list[Problem]]:
    """The words of `topics.yaml`, none where there is no such file, and every problem in it."""
    if TOPICS_FILE not in text.files:
        return NO_TOPICS, []
    try:
        document = read(text.files[TOPICS_FILE], TOPICS_FILE)
    except Invalid as invalid:
        return _UNREADABLE, list(invalid.problems)
    if document.data is None:
        hint = "write 'topics:', or remove the file"
        return _UNREADABLE, [document.problem("the file is empty", hint=hint)]
    file, problems = validate(document, TopicsText)
    problems += document.warnings
    if file is None:
        return _UNREADABLE, problems
    found = {name: _named(document, name, problems) for name in (TOPICS, ASKS_FOR)}
    complaint: tuple[Word, ...] = ()
    if document.data.get(COMPLAINT) is not None:
        complaint = _words(document, (COMPLAINT,), problems)
    whole = not any(problem.severity == "error" for problem in problems)
    return TopicBook(found[TOPICS], found[ASKS_FOR], complaint, whole), problems


def _named(document: Document, group: str, problems: list[Problem]) -> dict[str, tuple[Word, ...]]:
    named: Mapping[str, Any] = document.data.get(group) or {}
    found: dict[str, tuple[Word, ...]] = {}
    for name in named:
        if not _NAME.fullmatch(name):
            message = f"'{one_line(name, 40)}' cannot be a name"
            hint = "write at most 40 of a-z, 0-9, '-' and '_'"
            problems.append(_at(document, (group, name), message, hint, key=True))
        found[name] = _words(document, (group, name), problems)
    if len(named) > MOST_NAMES:
        problems.append(document.problem(f"must be at most {MOST_NAMES}", group))
    return found


def _words(document: Document, at: tuple[str, ...], problems: list[Problem]) -> tuple[Word, ...]:
    wanted: Any = document.data
    for step in at:
        wanted = wanted[step]
    try:
        return words(wanted)
    except BadWords as bad:
        message = f"{'.'.join(at)}: {bad}"
        problems.append(_at(document, (*at, *bad.way), message, bad.hint, bad.at_key))
        return ()


def _at(
    document: Document, way: tuple[str | int, ...], message: str, hint: str, key: bool = False
) -> Problem:
    line, column = document.key_place(*way) if key else document.place(*way)
    return Problem(file=document.file, line=line, column=column, message=message, hint=hint)
