"""The life of a ruleset: read from the files, checked, made active in the store, followed by all.

What decides is what the store calls active. Files are a proposal: one that has a mistake, or whose
examples fail, never takes the place of a ruleset that works.
"""

from __future__ import annotations

import logging
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from connector.domain import Problem
from connector.errors import Invalid
from connector.rules.files import read_directory
from connector.rules.kept import KeptRulesets
from connector.rules.lint.trying import tried
from connector.rules.model import RULES_FILE, Ruleset, RulesetText, Vocabulary
from connector.store import activations, alarms, answers
from connector.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from connector.config import Settings
    from connector.store import Store

log = logging.getLogger(__name__)

FILES = "files"  # the subject of the alarm about them
_BY = "files"  # who made it active, where nobody did
_MOST_TOLD = 3


class _Files(NamedTuple):
    """The files as they stand. `mark` is the same for the same content; without `text` they have
    mistakes."""

    mark: str
    text: RulesetText | None
    problems: tuple[Problem, ...] = ()


class Rulesets:
    """Of one installation, as one process sees it. Safe to share between threads, but for `start`
    and `follow`, which belong to one."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._judged = ""  # the mark of the files that were last taken up or refused
        self._seen = ""  # the mark at the last look

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return self._settings.vocabulary()

    @cached_property
    def _kept(self) -> KeptRulesets:
        return KeptRulesets(self.vocabulary)

    def in_files(self) -> RulesetText:
        """Raises Invalid where a file cannot be read."""
        return read_directory(self._settings.rules, self._settings.templates)

    def problems(self, text: RulesetText) -> tuple[Problem, ...]:
        """Why it cannot decide here: mistakes, and examples that do not come out. Else none."""
        loaded = self._kept.load(text)
        found = loaded.problems if loaded.ruleset is None else tried(loaded.ruleset)
        return tuple(problem for problem in found if problem.severity == "error")

    def active(self, connection: Connection) -> Ruleset | None:
        """The ruleset that decides, whoever activated it; None before the first.

        Raises:
            Invalid: it cannot be loaded here, or the store holds another text under its hash.
        """
        identity = answers.active_ruleset(connection)
        if identity is None:
            return None
        loaded = self._kept.known(identity)
        if loaded is None:
            loaded = self._kept.load(kept_text(connection, identity))
        if loaded.ruleset is None:
            raise Invalid(loaded.problems)
        return loaded.ruleset

    def activate(
        self, text: RulesetText, now: datetime, by: str, note: str, instead_of: str | None
    ) -> bool | None:
        """A person says so: it decides from now on, and the files as they are now are not news any
        more, whatever stands in them.

        `instead_of` is the hash that was active when the person looked. Returns whether another
        ruleset is active now; None, and nothing is changed, where meanwhile a third one was.
        """
        files = self._judge(self._look())

        def work(connection: Connection) -> bool | None:
            if activations.lock(connection) not in (instead_of, text.hash):
                return None
            if files.text is not None:
                alarms.clear_alarm(connection, "rules", FILES, now)
                activations.set_followed(connection, files.text.hash)
            return activations.activate(connection, text.hash, text.files, now, by, note)

        return self._store.write(work)

    def start(self, now: datetime, follow: bool) -> None:
        """Before anything is decided: see to it that a ruleset is active.

        The very first one comes from the files. After that, only who follows the files (`follow`)
        takes them up, where they have changed since they were last taken up, or where what is
        active cannot be used. With a mistake in the files the active ruleset stays.

        Raises:
            Invalid: no ruleset can decide; the problems are those of the files.
        """
        with self._store.read() as connection:
            first = answers.active_ruleset(connection) is None
        usable = not first and self.is_usable(now)
        if usable:
            self._store.write(lambda c: alarms.clear_alarm(c, "rules", activations.ACTIVE, now))
        if not (first or follow):
            return
        files = self._judge(self._look())
        if files.text is None and not usable:
            raise Invalid(files.problems)
        self._take(files, now, first=first, anyway=not (first or usable))

    def is_usable(self, now: datetime) -> bool:
        """Can this process decide with the active ruleset? Where not, an alarm says why: another
        process may have activated what only its connector.yaml knows."""
        with self._store.read() as connection:
            if not self._why_unusable(connection):
                return True
        message = self._store.write(lambda c: self._complain(c, now))
        if message:
            log.error(message)
        return not message

    def _why_unusable(self, connection: Connection) -> Sequence[Problem]:
        try:
            self.active(connection)
        except Invalid as error:
            return error.problems
        return ()

    def _complain(self, connection: Connection, now: datetime) -> str:
        """Returns the alarm; empty where a person has activated a good one since it was looked at,
        which ended the alarm: one that is raised now would stay."""
        activations.lock(connection)
        problems = self._why_unusable(connection)
        if not problems:
            return ""
        message = f"nothing is decided, the active ruleset cannot be used here: {_told(problems)}"
        alarms.raise_alarm(connection, "rules", activations.ACTIVE, message, now)
        return message

    def follow(self, now: datetime) -> bool:
        """Take up the files if they have changed, once they stood still from one call to the next
        (half a file may be a valid one). Returns whether another ruleset is active now."""
        files = self._look()
        still, self._seen = files.mark == self._seen, files.mark
        if not still or files.mark == self._judged:
            return False
        return self._take(self._judge(files), now)

    def _look(self) -> _Files:
        try:
            text = self.in_files()
        except Invalid as unreadable:
            return _Files(str(unreadable), None, unreadable.problems)
        return _Files(text.hash, text)

    def _judge(self, files: _Files) -> _Files:
        problems = self.problems(files.text) if files.text is not None else files.problems
        return _Files(files.mark, None if problems else files.text, problems)

    def _take(
        self, files: _Files, now: datetime, first: bool = False, anyway: bool = False
    ) -> bool:
        text = files.text

        def work(connection: Connection) -> bool:
            if text is None:
                return self._refuse(connection, files.problems, now)
            before = activations.lock(connection)
            alarms.clear_alarm(connection, "rules", FILES, now)
            news = anyway or activations.followed(connection) != text.hash
            if before != text.hash and (not news or (first and before is not None)):
                return False  # a person chose another one; or another process was the first
            activations.set_followed(connection, text.hash)
            note = _what_changed(connection, before, text)
            return activations.activate(connection, text.hash, text.files, now, _BY, note)

        changed = self._store.write(work)
        self._judged = self._seen = files.mark
        if text is None:
            for problem in files.problems:
                log.error("%s", problem)
            log.error("the rules files have mistakes; the ruleset that was active stays active")
        elif changed:
            log.info("ruleset %s of the files is active now", text.hash[:12])
        return changed

    def _refuse(self, connection: Connection, problems: Sequence[Problem], now: datetime) -> bool:
        identity = answers.active_ruleset(connection) or ""
        message = (
            f"ruleset {identity[:12]} stays active, the files have mistakes: {_told(problems)}"
        )
        alarms.raise_alarm(connection, "rules", FILES, message, now)
        return False


def _told(problems: Sequence[Problem]) -> str:
    more = len(problems) - _MOST_TOLD
    told = "; ".join(str(problem) for problem in problems[:_MOST_TOLD])
    return f"{told}; and {more} more" if more > 0 else told


def _what_changed(connection: Connection, before: str | None, text: RulesetText) -> str:
    if before is None:
        return "the first ruleset"
    old = answers.ruleset_files(connection, before) or {}
    names = sorted(old.keys() | text.files.keys())
    changed = [name for name in names if old.get(name) != text.files.get(name)]
    return one_line(f"changed: {', '.join(changed)}")


def kept_text(connection: Connection, identity: str) -> RulesetText:
    """What the store keeps under this hash.

    Raises:
        Invalid: it is not the text that once had it.
    """
    text = RulesetText(files=answers.ruleset_files(connection, identity) or {})
    if text.hash == identity:
        return text
    message = f"the text that the store keeps for ruleset {identity[:12]} is not that text"
    hint = "make it active again from its files: connector rules activate"
    raise Invalid([Problem(file=RULES_FILE, message=message, hint=hint)])
