"""Sinks with one mistake each, such as are easily made. Nothing but the contract notices them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from connector.domain import Followed, Note, Prepared, Receipt, Standing, Watched
from connector.errors import ConnectorError, LookFirst, Refused
from connector.ports import Made
from connector.sinks.hubspot import HubSpotTask, portal
from connector.sinks.slack import SlackMessage
from connector.sinks.zendesk import ZendeskTicket, news
from connector.sinks.zendesk.following import Place

Results = Sequence[Receipt | ConnectorError]


class RendersAnewOnRetry(ZendeskTicket):
    """Builds the request when it is sent, not when it is frozen."""

    def send(self, batch: Sequence[Prepared], now: datetime) -> Results:
        fresh = [one if one.order.amends else self._anew(one, now) for one in batch]
        return super().send(fresh, now)

    def _anew(self, one: Prepared, now: datetime) -> Prepared:
        [body] = self.prepare([one.order], now)
        return one if isinstance(body, ConnectorError) else Prepared(order=one.order, body=body)


class RetriesAPost(ZendeskTicket):
    """Tries a second time at once when the outcome is unknown."""

    def send(self, batch: Sequence[Prepared], now: datetime) -> Results:
        results = super().send(batch, now)
        if any(isinstance(result, LookFirst) for result in results):
            return super().send(batch, now)
        return results


class SwallowsAnItem(HubSpotTask):
    """A 207 is a 2xx, so all went well."""

    def send(self, batch: Sequence[Prepared], now: datetime) -> Results:
        results = super().send(batch, now)
        made = next((result for result in results if isinstance(result, Receipt)), None)
        return [made if made and isinstance(one, Refused) else one for one in results]


class ListsTheFirstPageOnly(HubSpotTask):
    """Two hundred are enough for everybody."""

    def made_since(self, since: datetime, now: datetime) -> Iterator[Made]:
        return islice(super().made_since(since, now), portal.SEARCHED_PER_PAGE)


class LogsTheToken(SlackMessage):
    """Says with what it asks, to help whoever looks for a mistake."""

    def send(self, batch: Sequence[Prepared], now: datetime) -> Results:
        logging.getLogger(__name__).debug("posting with %s", self._headers)
        return super().send(batch, now)


class TakesTheDeletedForOpen(ZendeskTicket):
    """What the far side does not show can wait until it does."""

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        for page in super().follow(cursor, watched, now):
            yield page.model_copy(update={"standings": tuple(_alive(page.standings))})

    def look(self, watched: Sequence[Watched], now: datetime) -> Sequence[Standing]:
        return _alive(super().look(watched, now))


def _alive(standings: Sequence[Standing]) -> list[Standing]:
    return [one for one in standings if one.state != "gone"]


class FollowsTheFirstPageOnly(ZendeskTicket):
    """Keeps the cursor of the last page with what the first one says."""

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        first, *more = super().follow(cursor, watched, now)
        yield first.model_copy(update={"cursor": [first, *more][-1].cursor})


class StopsAtABadCursor(ZendeskTicket):
    """Waits for somebody to mend it, and says nothing."""

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        if cursor is None or Place.of(cursor) is not None:
            yield from super().follow(cursor, watched, now)


class MarksWhatItHasSeen(ZendeskTicket):
    """Leaves a tag at each ticket that it looks at."""

    def look(self, watched: Sequence[Watched], now: datetime) -> Sequence[Standing]:
        found = super().look(watched, now)
        for one in _alive(found):
            url = f"https://sandbox.zendesk.com/api/v2/tickets/{one.remote_id}"
            self._desk._session.put(url, json={"ticket": {"tags": ["seen"]}})
        return found


class ForgetsTheTimeOfAWebhook(ZendeskTicket):
    """A signature that was good once is good for ever."""

    def verify(self, note: Note, now: datetime) -> bool:
        try:
            return super().verify(note, datetime.fromisoformat(note.headers[news.STAMP]))
        except (KeyError, TypeError, ValueError):
            return False
