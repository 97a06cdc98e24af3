"""What came out of a replay: kept without persons, shown with those who are still known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connector.rules.model import DEFAULT_ID
from connector.rules.tally import MATCHED
from connector.store import backtests
from connector.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from connector.replaying import Replayed
    from connector.rules.model import Ruleset

_WORDS = 120  # characters of a comment


class Changed(NamedTuple):
    """One answer for which an effect appears, disappears or moves. `was` and `becomes` are a rule,
    empty where there is none; `why` a message would be withheld."""

    response: str
    name: str
    score: int | None
    segment: str | None
    words: str
    kind: str
    was: str
    becomes: str
    why: str


def kept(replayed: Replayed, active: Ruleset, candidate: Ruleset) -> dict[str, Any]:
    """As plain data, in which nobody's name or words are: an erasure need not look for it."""
    tally, span = replayed.tally, replayed.span
    return {
        "answers": tally.answers,
        "history": tally.history,
        "erased": span.erased if span else 0,
        "same": candidate.hash == active.hash,
        "rules": _counts(tally.rules, active, candidate),
        "changes": sorted([*key, count] for key, count in tally.changes.items()),
        "differences": [
            [one.response, one.kind, one.was, one.becomes, one.why] for one in tally.differences
        ],
    }


def shown(connection: Connection, result: Mapping[str, Any]) -> list[Changed]:
    """The differences of those who were not erased meanwhile."""
    differences = result["differences"]
    people = backtests.people(connection, [response for response, *_ in differences])
    return [
        _changed(people[response], *effect)
        for response, *effect in differences
        if response in people
    ]


def _changed(row: Any, kind: str, was: str, becomes: str, why: str) -> Changed:
    words = one_line(str(row.content.get("comment") or ""), _WORDS)
    name = row.name or ""
    return Changed(row.id, name, row.score, row.segment, words, kind, was, becomes, why)


def _counts(
    rules: Mapping[tuple[str, str], list[int]], active: Ruleset, candidate: Ruleset
) -> list[list[Any]]:
    """(rule, what, under the active rules, under the others) in the order of the other file."""
    ids = [rule.id for ruleset in (candidate, active) for rule in ruleset.rules]
    order = {id: number for number, id in enumerate(dict.fromkeys([*ids, DEFAULT_ID]))}
    keys = sorted(rules, key=lambda key: (order[key[0]], key[1] != MATCHED, key[1]))
    return [[rule, what, *rules[rule, what]] for rule, what in keys]
