"""What happens when nobody acts: the steps of `escalation`. Pure: the moment comes in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from connector.domain import Facts
from connector.rules.match import View, holds
from connector.rules.model import Action, Group

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from connector.rules.timing import Timetable

Still = Literal["untouched", "open"]


@dataclass(frozen=True)
class Step:
    """Due `overdue_by` of working time after a case was; it acts on a case that is `still`
    untouched, or open. An action on tickets or tasks changes the case itself, only in what was
    `written` for it; others tell colleagues."""

    id: str
    name: str
    when: Group
    still: Still
    overdue_by: timedelta
    then: tuple[Action, ...]
    written: tuple[frozenset[str], ...]  # for each action, the parameters that the file says
    place: tuple[int, int]

    def due_at(self, times: Timetable, hours: str, survey: str, respond_by: datetime) -> datetime:
        """In the calendar in which the case itself was due; around the clock where that is gone."""
        if not self.overdue_by:
            return respond_by
        known = hours if hours in times.calendars else ""
        return times.due_at(known, survey, respond_by, self.overdue_by)

    def concerns(self, facts: Facts, touched: bool) -> bool:
        return (self.still == "open" or not touched) and holds(self.when, View(facts))


def unjudged(steps: Iterable[Step], judged: Collection[str]) -> Iterator[Step]:
    """Those on which nothing was decided yet for a case."""
    return (step for step in steps if step.id not in judged)


def changed_params(
    written: frozenset[str], rendered: dict[str, Any], before: dict[str, Any]
) -> dict[str, Any]:
    """The parameters of a change: what the step says; its case's own priority where it says none,
    so that only what was meant can rise."""
    kept = {} if "priority" in written else {"priority": before.get("priority")}
    return rendered | {name: value for name, value in kept.items() if value is not None}
