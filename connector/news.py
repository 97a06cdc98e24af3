"""What is news: rules only act on answers that are young enough."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connector.ports import SourceSettings
    from connector.store.recovering import Recovery

_OLDEST = timedelta(days=36_500)


class Moment(NamedTuple):
    """When it is decided. `added`: when each source was. `restored`: the time that a restored
    database does not know."""

    now: datetime
    added: Mapping[str, datetime]
    restored: Recovery | None = None

    def comes_again(self, answered_at: datetime | None) -> bool:
        """May it have been acted on in the lost time?"""
        return self.restored is not None and self.restored.covers(answered_at)

    def acts_on(self, answered_at: datetime | None, source: str, settings: SourceSettings) -> bool:
        """Given after `act_since` and younger than `act_within`? An answer without a time is
        history. What a restored backup had forgotten and comes again is as young as it was."""
        if answered_at is None:
            return False
        since, now = settings.act_since or self.added[source], self.now
        if self.restored is not None:
            now = self.restored.judged_at(answered_at, now)
        return answered_at >= since and now - answered_at <= settings.act_within

    def young(self, sources: Iterable[SourceSettings]) -> datetime:
        """What was given before this is acted on by no source."""
        now = self.now if self.restored is None else min(self.restored.since, self.now)
        longest = max((one.act_within for one in sources), default=timedelta(0))
        return now - min(longest, _OLDEST)
