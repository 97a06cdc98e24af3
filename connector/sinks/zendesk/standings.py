"""Tickets as they were read -> how our cases stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from connector.domain import CaseState, Standing, Watched, is_case_key
from connector.errors import Refused, TryLater
from connector.sinks.zendesk import history
from connector.sinks.zendesk.desk import Desk
from connector.sinks.zendesk.model import ZendeskSettings
from connector.sinks.zendesk.names import Names, field_words
from connector.sinks.zendesk.people import People
from connector.sinks.zendesk.records import Audit, Followed
from connector.text import one_line

DONE = ("solved", "closed")
GONE = "deleted"
MERGED = "closed_by_merge"  # Zendesk's own tag
LONGEST = 500  # characters of a cause, or of what was done
SETTLED = timedelta(minutes=1)  # Zendesk's times are whole seconds: another change may share one
MOST_KNOWN = 10_000


class Standings:
    """Judges tickets; reads the audits only of those whose first touch is wanted."""

    def __init__(self, settings: ZendeskSettings, desk: Desk, names: Names) -> None:
        self._settings = settings
        self._desk = desk
        self._names = names
        self._people = People(desk)
        self._us: int | None = None
        self._work: dict[tuple[int, datetime], list[Audit]] = {}

    def of(
        self, tickets: Iterable[Followed], watched: Mapping[str, Watched], now: datetime
    ) -> list[Standing]:
        """Of those that are ours. What was deleted for good may have lost its mark."""
        ours = [
            ticket
            for ticket in tickets
            if is_case_key(ticket.external_id)
            or (ticket.status == GONE and str(ticket.id) in watched)
        ]
        work = {one.id: self._work_on(one, now) for one in ours if _is_asked(one, watched)}
        authors = (audit.author_id for done in work.values() for audit in done or ())
        self._people.learn([*authors, *(ticket.assignee_id for ticket in ours)], now)
        return [self._standing(one, work.get(one.id, ()), watched, now) for one in ours]

    def _work_on(self, ticket: Followed, now: datetime) -> list[Audit] | None:
        """Remembered: of a long page that a rate limit cuts off, the next try does the rest."""
        key = (ticket.id, ticket.changed_at)
        if key in self._work:
            return self._work[key]
        work = self._read(ticket)
        if work is not None and now - ticket.changed_at > SETTLED:
            if len(self._work) > MOST_KNOWN:
                self._work.clear()
            self._work[key] = work
        return work

    def _read(self, ticket: Followed) -> list[Audit] | None:
        """None where it cannot be read this time: one ticket's trouble must not keep the news of
        all others back."""
        if self._us is None:
            self._us = self._desk.me().id
        try:
            found = history.audits(self._desk, ticket.id)
            return history.work(found, self._us, ticket.requester_id)
        except Refused:
            return []  # an OAuth token may read tickets, and not what was done to them
        except TryLater as error:
            if error.account_wide:
                raise
            return None

    def _standing(
        self,
        ticket: Followed,
        read: Sequence[Audit] | None,
        watched: Mapping[str, Watched],
        now: datetime,
    ) -> Standing:
        work = read or ()
        staff = {one.author_id for one in work if self._people.works_there(one.author_id)}
        known = watched.get(str(ticket.id))
        since = known.since if known is not None else None
        done = [one for one in work if since is None or one.at >= since]
        contacted_at = history.first(done, (id for id in staff if id is not None))
        contacted = contacted_at is not None or (known is not None and known.contacted)
        state = _state(ticket.status, contacted)
        closed_at = ticket.solved_at or ticket.changed_at
        merged = ticket.status == "closed" and MERGED in ticket.tags
        return Standing(
            remote_id=str(ticket.id),
            state=state,
            status="closed by merge" if merged else ticket.status,
            changed_at=ticket.changed_at,
            owner=self._people.name(ticket.assignee_id),
            team=self._names.group_name(ticket.group_id, now),
            contacted_at=contacted_at,
            closed_at=closed_at if state == "closed" else None,
            cause=self._told(ticket, self._settings.cause_field, now),
            action_taken=self._told(ticket, self._settings.action_field, now),
            unsure=read is None,
        )

    def _told(self, ticket: Followed, title: str, now: datetime) -> str:
        field = self._names.field(title, now) if title else None
        return one_line(field_words(field, ticket.fields.get(field.id)), LONGEST) if field else ""


def _is_asked(ticket: Followed, watched: Mapping[str, Watched]) -> bool:
    """Nobody has touched what is as it was made."""
    known = watched.get(str(ticket.id))
    wanted = known is not None and not known.contacted
    return wanted and ticket.status != GONE and ticket.changed_at > ticket.created_at


def _state(status: str, contacted: bool) -> CaseState:
    if status == GONE:
        return "gone"
    if status in DONE:
        return "closed"
    return "contacted" if contacted else "open"
