"""Watching the store: a line for each thing that happens, and waiting until all of it is done."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from connector.store import watching
from connector.text import one_line

if TYPE_CHECKING:
    from datetime import datetime

    from connector.store import Store

LOOK_EVERY_SECONDS = 0.03
PATIENCE_SECONDS = 60.0
AMENDMENT = ".amendment"  # what `outbox.action_counts` adds to the kind

Say = Callable[[str, str], None]  # what kind of thing happened, and the line about it

_TOLD = {
    "done": "made",
    "parked": "parked",
    "in_doubt": "in doubt",
    "withheld": "withheld",
    "held": "held",
    "superseded": "replaced",
}


def _silent(_kind: str, _line: str) -> None:
    pass


class Watcher:
    """Tells what is new in a store since it looked last. Used by one thread."""

    def __init__(self, store: Store, say: Say) -> None:
        self._store = store
        self._say = say
        self._record = 0
        self._decision = 0
        self._states: dict[int, tuple[str, str | None]] = {}
        self._people: dict[str, str] = {}

    def begin(self) -> None:
        """What is there already is not told."""
        say, self._say = self._say, _silent
        self.look()
        self._say = say

    def look(self) -> None:
        """One look at the store; says what is new."""
        with self._store.read() as connection:
            records = watching.records_after(connection, self._record)
            decisions = watching.decisions_after(connection, self._decision)
            actions = watching.actions_now(connection)
        self._tell_records(records)
        self._tell_decisions(decisions)
        for row in actions:
            self._tell_action(row)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Go on looking until that holds.

        Raises ClickException, with the sentence `what`, when it takes too long.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            reached = holds()  # before the look, so that whatever made it hold is told as well
            self.look()
            if reached:
                return
            if time.monotonic() > deadline:
                raise click.ClickException(f"{what} after {PATIENCE_SECONDS:.0f} s; {self._left()}")
            time.sleep(LOOK_EVERY_SECONDS)

    def polled(self, sources: Iterable[str], since: datetime) -> bool:
        """Were these read to their end after that moment, and is all that came decided?

        Raises ClickException when one cannot be read.
        """
        with self._store.read() as connection:
            failed = watching.failed_polls(connection)
            read = watching.polled_since(connection, since)
            undecided = watching.unfinished(connection).records
        for source, reason in failed.items():
            raise click.ClickException(f"{source} could not be read: {reason}")
        return set(sources) <= read and not undecided

    def quiet(self) -> bool:
        """Is everything decided, sent and announced?"""
        with self._store.read() as connection:
            return not any(watching.unfinished(connection))

    def worked_off(self) -> bool:
        """Is everything decided and sent, whether or not alarms have been announced?"""
        with self._store.read() as connection:
            left = watching.unfinished(connection)
        return not (left.records or left.actions)

    def _left(self) -> str:
        with self._store.read() as connection:
            left = watching.unfinished(connection)
        parts = (f"{count} {name}" for name, count in left._asdict().items())
        return f"unfinished: {', '.join(parts)}"

    def _tell_records(self, rows: Iterable[Any]) -> None:
        came: Counter[tuple[str, str]] = Counter()
        for row in rows:
            came[row.source, row.door] += 1
            self._record = row.id
        for (source, door), count in came.items():
            what = "answer" if count == 1 else "answers"
            self._say("received", f"{count} {what} from {source} by {door}")

    def _tell_decisions(self, rows: Iterable[Any]) -> None:
        old: Counter[str] = Counter()
        for row in rows:
            self._decision = row.number
            facts = row.facts or {}
            if row.history:
                old[str(facts.get("source"))] += 1
                continue
            name = str(facts.get("customer", {}).get("name") or "somebody")
            self._people[row.response_id] = one_line(name, 40)
            self._say("decided", _decided(row, facts, self._people[row.response_id]))
        for source, count in old.items():
            self._say(
                "history", f"{count} old answers from {source}: kept, nothing is made of them"
            )

    def _tell_action(self, row: Any) -> None:
        before = self._states.get(row.id)
        now = (row.state, row.error)
        self._states[row.id] = now
        if before == now:
            return
        whom = "an alarm" if row.response_id is None else self._people.get(row.response_id, "-")
        what = f"{effect_name(row.kind, row.amends is not None)} for {whom}"
        if row.state in _TOLD:
            detail = _receipt(row) if row.state == "done" else row.error
            told = f": {one_line(str(detail), 120)}" if detail else ""
            self._say(_TOLD[row.state], what + told)
        elif row.error:
            self._say("again", f"{what}: {one_line(row.error, 120)}")


def _receipt(row: Any) -> str:
    """What a person can look up: a link, or the number of a task. No Message-ID."""
    number = row.remote_id if row.kind.endswith(".task") else ""
    return str(row.url or number or "")


def effect_name(kind: str, amended: bool) -> str:
    """The kind of an action; for an amendment what the far side sees of it."""
    if not amended:
        return kind
    return "zendesk.note" if kind == "zendesk.ticket" else f"{kind}{AMENDMENT}"


def _decided(row: Any, facts: dict[str, Any], name: str) -> str:
    fired = [match["rule_id"] for match in row.verdict.get("matches", [])]
    revised = f", revision {row.revision}" if row.revision > 1 else ""
    segment = facts.get("segment") or "no segment"
    score = f"{facts.get('score')} of {facts.get('scale_high')}"
    comment = one_line(str(facts.get("comment", "")), 50)
    said = f' "{comment}"' if comment else ""
    return f"{name}{revised}: {score}, {segment}{said} -> {', '.join(fired) or 'no rule: default'}"
