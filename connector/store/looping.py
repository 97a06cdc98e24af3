"""How well the loop is closed: cases by group and day of the answer, and how long they waited.

Whole days are read as they were counted (`connector.store.case_days`); the cases of other days, of
the hours at both ends and of groups that are facts are counted one by one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.store import case_counting, case_days
from connector.store.case_counting import EPOCH, Chosen, rounded_down
from connector.store.counting import NOTHING, By, Period

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

_MOST_SPANS = 100  # that are counted apart; where there are more, everything between them too


class Measured(NamedTuple):
    """Cases of one group whose answer was given on one day (UTC).

    `due` have had the time that was promised, `on_time` of them were touched in it, `overdue` of
    them were never touched. `unpromised` have no promise. `closed_in_2` and so on: closed within
    so many days. `was_closed`: closed now or once.
    """

    group: str | None
    day: str
    cases: int
    untouched: int
    unpromised: int
    due: int
    on_time: int
    overdue: int
    open: int
    closed: int
    gone: int
    was_closed: int
    reopened: int
    with_cause: int
    with_action: int
    with_both: int
    closed_in_2: int
    closed_in_7: int
    closed_in_30: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """All that is counted, in the order of `names`."""
        return self[2:]

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return cls._fields[2:]


class Wait(NamedTuple):
    """So many cases of a group took so many seconds, or, with `over` false, still wait; `seconds`
    is None for those that have waited longer than was promised."""

    group: str | None
    seconds: int | None
    over: bool
    cases: int


class Ending(NamedTuple):
    """So many closed cases have this cause and this action; empty where nothing was told."""

    cause: str
    action: str
    cases: int


class Cases:
    """The cases whose answer was given in a time, as they stand now."""

    def __init__(
        self, connection: Connection, period: Period, now: datetime, survey: str | None = None
    ) -> None:
        """Raises RuntimeError where what is read is not of one moment: a day that is counted anew
        between two questions would be told wrong."""
        if connection.get_isolation_level() == "READ COMMITTED":
            raise RuntimeError("cases are counted in one snapshot: store.read(snapshot=True)")
        self._connection = connection
        self._now = now
        self._survey = survey
        self._period = period
        self._since, self._until = _whole_days(period)
        self._left = case_days.uncounted(connection, self._since, self._until, now)
        self._spans = _around(period, self._since, self._until, self._left)
        if len(self._spans) > _MOST_SPANS:
            self._until, self._spans = self._since, [period]

    def measured(self, by: By) -> Generator[Measured]:
        """How many there are of each kind; a day and a group may come more than once. Streamed."""
        for day, entries in self._counted("figures", by):
            mine: dict[Any, list[Sequence[int]]] = {}
            for survey, group, numbers in entries:
                mine.setdefault(_of(by, survey, group), []).append(numbers)
            for group, several in mine.items():
                yield Measured(_name(group), day.isoformat(), *map(sum, zip(*several, strict=True)))
        others = case_counting.figures(self._connection, self._others(by, "day"), self._now)
        for day, group, *numbers in others:
            yield Measured(_name(group), day, *numbers)

    def waits(self, by: By) -> Iterator[Wait]:
        """From the answer to the first touch, by the customer's clock, which never pauses. To the
        minute within a day, to the quarter of an hour within a week, then to the hour."""
        others = case_counting.waits(self._connection, self._others(by))
        until_now = int((self._now - EPOCH).total_seconds())
        for (group, over, seconds), number in self._summed("waits", by, others).items():
            waited = seconds if over else rounded_down(until_now - seconds)
            yield Wait(_name(group), waited, bool(over), number)

    def working_waits(self, by: By) -> Iterator[Wait]:
        """The same by the working clock, of due cases: `seconds` is None for those that nobody has
        touched."""
        others = case_counting.working_waits(self._connection, self._others(by), self._now)
        for (group, seconds), number in self._summed("working_waits", by, others).items():
            yield Wait(_name(group), seconds, seconds is not None, number)

    def endings(self) -> Iterator[Ending]:
        """Causes and actions of the closed ones."""
        others = case_counting.endings(self._connection, self._others(NOTHING))
        for (_, cause, action), number in self._summed("endings", NOTHING, others).items():
            yield Ending(cause, action, number)

    def _summed(self, what: str, by: By, others: Iterable[Sequence[Any]]) -> Counter[Any]:
        """Cases by group and what else tells them apart; `others` were counted one by one."""
        values: dict[Any, Counter[Any]] = defaultdict(Counter)
        for _, entries in self._counted(what, by):
            for survey, group, *told, each in entries:
                values[_of(by, survey, group), *told].update(each)
        for *head, value, number in others:
            values[tuple(head)][value] += number
        return Counter(
            {(*head, value): n for head, of in values.items() for value, n in of.items()}
        )

    def _counted(self, what: str, by: By) -> Iterator[tuple[date, list[case_days.Entry]]]:
        dimension = case_days.dimension_of(by)
        if dimension is None or self._since >= self._until:
            return
        asked = (what, dimension, self._since, self._until)
        for day, entries in case_days.entries(self._connection, *asked):
            if day not in self._left:
                yield day, [one for one in entries if self._survey in (None, one[0])]

    def _others(self, by: By, *apart: str) -> Chosen:
        """Those that are counted one by one."""
        spans = self._spans if case_days.dimension_of(by) is not None else [self._period]
        return Chosen(spans, by, self._survey, apart)


def _whole_days(period: Period) -> tuple[date, date]:
    """The first of them, and the one after the last."""
    since = period.since.astimezone(UTC)
    is_whole = since.time() == time()
    first = since.date() if is_whole else since.date() + timedelta(days=1)
    return first, max(first, period.until.astimezone(UTC).date())


def _around(period: Period, since: date, until: date, left: set[date]) -> list[Period]:
    """What is not within the days that are counted."""
    first, last = (datetime.combine(day, time(), UTC) for day in (since, until))
    ends = (Period(period.since, first), Period(last, period.until))
    spans = [*case_days.runs(left), *(end for end in ends if end.since < end.until)]
    return spans if since < until else [period]


def _of(by: By, survey: str, group: Any) -> Any:
    return survey if by.path == ("survey",) else group


def _name(group: Any) -> str | None:
    return None if group is None or group == "" else str(group)
