"""What a report can be grouped by, and the names of its groups."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connector.rules.fields import attributes
from connector.rules.model import DEFAULT_ID
from connector.store.counting import NOTHING, By
from connector.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.rules.model import Vocabulary
    from connector.store.counting import Period

SURVEY = "survey"
TIMES = ("day", "week", "month")
_PLAIN = (SURVEY, "source", *TIMES, "language", "brand", "rule")
_NOT_IN_PATHS = frozenset('"\\')


class Grouping(NamedTuple):
    """`name` as it was asked for. `ranked`: its groups are of different people and can be better or
    worse than each other; days and weeks are not, and one answer can match two rules."""

    name: str
    by: By
    ranked: bool


def grouping(name: str, vocabulary: Vocabulary) -> Grouping:
    """What `--by` means.

    Raises:
        ValueError: for what nothing can be grouped by; the text says what is allowed.
    """
    if name == SURVEY:
        return Grouping(name, NOTHING, ranked=False)
    if name in TIMES:
        return Grouping(name, By("day"), ranked=False)
    if name == "rule":
        return Grouping(name, By("rules"), ranked=False)
    if name == "source":
        return Grouping(name, By("source"), ranked=True)
    if name in ("language", "brand"):
        return Grouping(name, By("fact", (name,)), ranked=True)
    known = attributes(vocabulary)
    part, _, attribute = name.partition(".") if "." in name else ("customer", "", name)
    fits = part in ("customer", "company") and attribute in known
    if part == "properties" and attribute and not _NOT_IN_PATHS & set(attribute):
        fits = True
    if not fits:
        named = (*_PLAIN, *sorted(known))
        allowed = f"allowed: {', '.join(named)}, company.NAME, properties.NAME"
        raise ValueError(f"nothing is grouped by '{name}'; {did_you_mean(name, named) or allowed}")
    return Grouping(name, By("fact", (part, attribute)), ranked=True)


_OF_CASES = {"source": "source", "segment": "segment", "rule": "rule_id", "owner": "owner"}
_OF_CASES |= {"team": "team", SURVEY: SURVEY}
_CASES_RANKED = ("source", "owner", "team")


def case_grouping(name: str, vocabulary: Vocabulary) -> Grouping:
    """What `--by` means where cases are counted: of each case its rule, owner and team too.

    Raises:
        ValueError: for what nothing can be grouped by; the text says what is allowed.
    """
    if name in ("week", "month"):
        return Grouping(name, NOTHING, ranked=False)
    if name in _OF_CASES:
        return Grouping(name, By("case", (_OF_CASES[name],)), ranked=name in _CASES_RANKED)
    if name == "day":
        raise ValueError("cases are grouped by week or month, not by day")
    try:
        found = grouping(name, vocabulary)
    except ValueError as error:
        text = str(error).replace("allowed: ", "allowed: segment, owner, team, ")
        if near := did_you_mean(name, _OF_CASES):
            text = f"nothing is grouped by '{name}'; {near}"
        raise ValueError(text.replace("day, week", "week")) from None
    return found


def groups_of(name: str, stored: str | None) -> Iterable[str | None]:
    """The groups that an answer belongs to: one, but for rules none, one or several."""
    if stored is None or stored == "":
        return (None,)
    if name == "rule":
        return matched(stored) or (DEFAULT_ID,)
    if name == "week":
        year, week, _ = date.fromisoformat(stored).isocalendar()
        return (f"{year}-W{week:02}",)
    return (stored[:7],) if name == "month" else (stored,)


def is_partial(name: str, group: str | None, period: Period) -> bool:
    """Does a part of this day, week or month (UTC) lie outside of the time that was asked for?"""
    if name not in TIMES or group is None:
        return False
    if name == "week":
        first = date.fromisocalendar(int(group[:4]), int(group[6:]), 1)
        after = first + timedelta(days=7)
    elif name == "month":
        first = date.fromisoformat(f"{group}-01")
        after = (first + timedelta(days=31)).replace(day=1)
    else:
        first = date.fromisoformat(group)
        after = first + timedelta(days=1)
    begins = datetime.combine(first, time(), UTC)
    return begins < period.since or period.until < datetime.combine(after, time(), UTC)


def matched(stored: str) -> list[str]:
    """The rules that really matched, of a JSON list of matches: shadows do not count."""
    real = (one["rule_id"] for one in json.loads(stored) if one["status"] != "shadow")
    return list(dict.fromkeys(real))
