"""What can be found in rules before they decide anything: their own examples, rules that never
fire, two that want one case, gaps, names that do not exist, texts that stay empty."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from connector.domain import Facts, Problem
from connector.rules.lint.answers import Answers
from connector.rules.lint.courtesy import mails_despite_cases
from connector.rules.lint.coverage import uncovered
from connector.rules.lint.languages import unheard
from connector.rules.lint.names import (
    Names,
    Unasked,
    WhyUnasked,
    unchecked,
    unknown_names,
    unknown_people,
)
from connector.rules.lint.overlap import overlaps
from connector.rules.lint.past import Past
from connector.rules.lint.places import Places
from connector.rules.lint.reach import contradictions, over, shut_out
from connector.rules.lint.times import stretched, unused_calendars
from connector.rules.lint.trying import nameless, tried
from connector.rules.load import load
from connector.rules.model import RULES_FILE, Loaded, RulesetText, Vocabulary

__all__ = ["Names", "Seen", "WhyUnasked", "lint"]

_EMPTY = re.compile(r"template: (\S+) (can be|is) empty")


@dataclass(frozen=True)
class Seen:
    """What is known beside the files: names at the far side, and the answers of some days."""

    names: Names = field(default_factory=dict)
    unasked: Unasked = field(default_factory=dict)
    answers: Iterable[Facts] = ()
    days: int = 90


def lint(
    text: RulesetText, vocabulary: Vocabulary, now: datetime, seen: Seen | None = None
) -> tuple[Problem, ...]:
    """Every problem of every file, in the order of the files: those of loading, and those that
    show when the rules are tried. Rules with a mistake of their own are left out of the trying."""
    loaded = load(text, vocabulary)
    found = [*loaded.problems, *_tried(vocabulary, loaded, now, seen or Seen())]
    better = {
        (p.file, p.line, match[1])
        for p in found
        if (match := _EMPTY.match(p.message)) and match[2] == "is"
    }
    kept = [p for p in found if not _is_said_better(p, better)]
    return tuple(
        sorted(dict.fromkeys(kept), key=lambda p: (p.file != RULES_FILE, p.file, p.line, p.column))
    )


def _tried(vocabulary: Vocabulary, loaded: Loaded, now: datetime, seen: Seen) -> Iterable[Problem]:
    ruleset = loaded.sound
    if ruleset is None or loaded.document is None:
        return ()
    places = Places(loaded.document)
    answers = Answers(vocabulary, ruleset.book)
    silent = shut_out(ruleset, places, answers, now)
    whole = loaded.ruleset is not None
    past = Past(ruleset, seen.days).read(seen.answers, places)
    return chain(
        nameless(ruleset),
        over(ruleset, places, now),
        contradictions(ruleset, places, answers),
        silent.values(),
        overlaps(ruleset, places, answers, now, silent),
        unheard(ruleset, places, vocabulary),
        mails_despite_cases(ruleset, places, answers),
        uncovered(ruleset, places, answers, now) if whole else (),
        unused_calendars(ruleset, places) if whole else (),
        stretched(ruleset, places),
        unknown_names(ruleset, seen.names, places),
        unknown_people(ruleset, seen.names, places),
        unchecked(ruleset, seen.unasked, places),
        past.findings(places),
        tried(ruleset),
    )


def _is_said_better(problem: Problem, better: Iterable[tuple[str, int, str]]) -> bool:
    match = _EMPTY.match(problem.message)
    return bool(match and match[2] == "can be") and (
        (problem.file, problem.line, match[1] if match else "") in better
    )
