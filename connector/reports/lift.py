"""What a rule with a holdout brings: the next answers of customers it acted on beside those of
customers it left out.

By assignment: everybody whom the rule matched counts on the side that chance drew, whether or not
anything reached them. Of each customer the first match counts, and only decisions under a ruleset
in which the rule held out the same share as today: with another share, the sides would be of
different times.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.documents import read
from connector.numbers.change import LEAST
from connector.numbers.lift import CONFIDENCE, Arm, Compared, answered_again, next_score
from connector.numbers.means import Sums
from connector.reports.loop_telling import rounded, share
from connector.rules.holdout import Holdout, read_holdout
from connector.store import answers, returning
from connector.store.counting import Period

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

ACTED, HELD_OUT = "acted", "held_out"
_SIDES = {"live": ACTED, "held_out": HELD_OUT}
_RULES = "rules.yaml"


class Question(NamedTuple):
    """Matches of `period`; an answer counts as the next one if it comes `within` that long. Who
    matched so lately that it could still come is not counted yet."""

    period: Period
    within: timedelta
    least: int = LEAST


class _Key(NamedTuple):
    rule: str
    survey: str


class _Match(NamedTuple):
    side: str
    at: datetime


@dataclass
class _Found:
    """`first`: by customer, their first match. `anonymous` matches have no customer; `too_new`
    customers could still answer."""

    first: dict[str, _Match] = field(default_factory=dict)
    next: dict[str, int] = field(default_factory=dict)
    anonymous: Counter[str] = field(default_factory=Counter)
    too_new: set[str] = field(default_factory=set)


def report(
    connection: Connection, holdouts: Mapping[str, Holdout], question: Question, now: datetime
) -> list[dict[str, Any]]:
    """One entry for each rule that holds somebody out today and each survey that it matched in.
    Scales are never mixed."""
    found: dict[_Key, _Found] = {}
    shares = _Shares(connection, holdouts)
    with closing(returning.matched(connection, question.period)) as rows:
        for row in rows:
            for rule, side in _assigned(row.matches):
                if shares.same(row.ruleset, rule):
                    _take(found.setdefault(_Key(rule, row.survey), _Found()), row, side)
    for one in found.values():
        late = {who for who, match in one.first.items() if match.at + question.within > now}
        one.too_new = late
        for who in late:
            del one.first[who]
    _add_next(connection, found, question, now)
    entries = [_told(key, one, holdouts[key.rule], question) for key, one in found.items()]
    missing = [rule for rule in holdouts if not any(key.rule == rule for key in found)]
    empty = [_told(_Key(rule, ""), _Found(), holdouts[rule], question) for rule in missing]
    return sorted(entries, key=lambda one: (one["rule"], one["survey"])) + empty


def _assigned(matches: str) -> Iterable[tuple[str, str]]:
    """(rule, side) of what matched; a shadow has neither."""
    for one in json.loads(matches):
        if one["status"] in _SIDES:
            yield one["rule_id"], _SIDES[one["status"]]


def _take(found: _Found, row: returning.Matched, side: str) -> None:
    if row.customer is None:
        found.anonymous[side] += 1
    else:
        found.first.setdefault(row.customer, _Match(side, row.answered_at))


class _Shares:
    """In which rulesets a rule holds out what it holds out today."""

    def __init__(self, connection: Connection, today: Mapping[str, Holdout]) -> None:
        self._connection, self._today = connection, today
        self._known: dict[str, dict[str, Holdout]] = {}

    def same(self, ruleset: str, rule: str) -> bool:
        if rule not in self._today:
            return False
        if ruleset not in self._known:
            files = answers.ruleset_files(self._connection, ruleset) or {}
            self._known[ruleset] = holdouts_in(files.get(_RULES, ""))
        return self._known[ruleset].get(rule) == self._today[rule]


def holdouts_in(rules: str) -> dict[str, Holdout]:
    """By rule, of the text of a `rules.yaml` that once was good; no more of it is read."""
    data = read(rules, _RULES).data
    found = {}
    for rule in data.get("rules") or []:
        holdout = read_holdout(rule.get("holdout"))
        if isinstance(holdout, Holdout):
            found[str(rule.get("id"))] = holdout
    return found


def _add_next(
    connection: Connection, found: Mapping[_Key, _Found], question: Question, now: datetime
) -> None:
    """Who answered the same survey again, the first time after the match."""
    by_survey: dict[str, list[_Found]] = {}
    for key, one in found.items():
        by_survey.setdefault(key.survey, []).append(one)
    with closing(returning.given(connection, Period(question.period.since, now))) as rows:
        for row in rows:
            for one in by_survey.get(row.survey, ()):
                match = one.first.get(row.customer)
                if match is None or row.customer in one.next:
                    continue
                if match.at < row.answered_at <= match.at + question.within:
                    one.next[row.customer] = row.score


def _told(key: _Key, found: _Found, holdout: Holdout, question: Question) -> dict[str, Any]:
    acted, held_out = (_arm(found, side) for side in (ACTED, HELD_OUT))
    score = next_score(acted, held_out, question.least)
    again = answered_again(acted, held_out, question.least)
    return {
        "rule": key.rule,
        "survey": key.survey,
        "holdout": str(holdout),
        "acted": _side(acted, question.least),
        "held_out": _side(held_out, question.least),
        "next_score": _compared(score),
        "answered_again": _compared(again),
        "too_new": len(found.too_new),
        "anonymous": sum(found.anonymous.values()),
        "confidence": round(CONFIDENCE, 6),
    }


def _arm(found: _Found, side: str) -> Arm:
    sums, customers = Sums(), 0
    for who, match in found.first.items():
        if match.side == side:
            customers += 1
            if who in found.next:
                sums = sums.plus(found.next[who])
    return Arm(customers, sums)


def _side(arm: Arm, least: int) -> dict[str, Any]:
    return {
        "customers": arm.customers,
        "answered_again": share(arm.answered, least),
        "next_score": rounded(arm.next.mean),
    }


def _compared(one: Compared) -> dict[str, Any]:
    figures = {name: rounded(getattr(one, name)) for name in ("difference", "low", "high")}
    return {"word": one.word, **figures}
