"""Times in CSV cells. What a file does not say (day or month first, the zone) is never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from connector.errors import Refused, Unreadable
from connector.sources.reading import read_time

_CLOCK = (
    r"(?:[T ,]\s*(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:\.\d{1,9})?)?"
    r"(?:\s*(?P<half>[AaPp])\.?\s?[Mm]\.?)?)?"
)
_YEAR_LAST = re.compile(r"(?P<one>\d{1,2})[/.-](?P<two>\d{1,2})[/.-](?P<year>\d{4}|\d{2})" + _CLOCK)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})[/.-](?P<month>\d{1,2})[/.-](?P<day>\d{1,2})" + _CLOCK)


@dataclass(frozen=True)
class Times:
    """How times stand in a file. `date_format` is `auto` or a `strptime` pattern."""

    date_format: str = "auto"
    day_first: bool | None = None
    zone: str | None = None

    def read(self, cell: str, field: str) -> datetime | None:
        """The moment in UTC; None for an empty cell.

        Raises:
            Unreadable: the cell holds no such time.
            Refused: the settings have to say more before this file can be read.
        """
        written = cell.strip()
        if not written:
            return None
        if self.date_format != "auto":
            return self._by_format(written, field)
        if found := _YEAR_LAST.fullmatch(written):
            if self.day_first is None:
                raise Refused(
                    f"{field}: holds dates such as 3/4/2026; set day_first: true where this is "
                    "3 April, false where it is March 4"
                )
            day, month = (
                (found["one"], found["two"]) if self.day_first else (found["two"], found["one"])
            )
            return self._local(found, day, month, field)
        try:
            moment = read_time(written, self.zone or "UTC", field)
        except Unreadable:
            if found := _YEAR_FIRST.fullmatch(written):
                return self._local(found, found["day"], found["month"], field)
            raise
        if self.zone is None and moment != read_time(written, "Etc/GMT+12", field):
            self._zone(field)  # it changes with the zone: it was written without an offset
        return moment

    def _by_format(self, written: str, field: str) -> datetime:
        try:
            moment = _parsed(written, self.date_format)
        except ValueError:
            raise Unreadable(
                f"{field}: expected a time in the form of date_format {self.date_format}"
            ) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(self._zone(field)))
        return moment.astimezone(UTC)

    def _local(self, found: re.Match[str], day: str, month: str, field: str) -> datetime:
        year, hour = int(found["year"]), int(found["hour"] or 0)
        zone = ZoneInfo(self._zone(field))
        if found["half"]:
            if not 1 <= hour <= 12:
                raise Unreadable(f"{field}: there is no such time")
            hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
        try:
            return datetime(
                year if year > 99 else 2000 + year,
                int(month),
                int(day),
                hour,
                int(found["minute"] or 0),
                int(found["second"] or 0),
                tzinfo=zone,
            ).astimezone(UTC)
        except (ValueError, OverflowError):
            raise Unreadable(
                f"{field}: there is no such date or time"
                + ("; is day_first right?" if int(month) > 12 else "")
            ) from None

    def _zone(self, field: str) -> str:
        if self.zone is None:
            raise Refused(
                f"{field}: holds times without a zone; set zone, for example zone: Europe/Madrid"
            )
        return self.zone


def usable_format(pattern: str) -> str:
    """`auto`, or a pattern that `strptime` can read back.

    Raises:
        ValueError: for anything else.
    """
    sample = datetime(2026, 1, 31, 17, 5, 9, tzinfo=UTC)
    try:
        usable = pattern == "auto" or _parsed(sample.strftime(pattern), pattern).year == sample.year
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("write auto, or a pattern such as %d/%m/%Y %H:%M")
    return pattern


def _parsed(written: str, pattern: str) -> datetime:
    """Without a zone where the pattern has none: the caller knows which one is meant."""
    return datetime.strptime(written, pattern)  # noqa: DTZ007  # see above
