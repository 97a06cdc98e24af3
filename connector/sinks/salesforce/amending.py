"""Notes on open tasks: a revised answer is joined to the description, nothing else is undone.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/intro_rest_conditional_requests.htm
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from connector.domain import Order, Prepared, Receipt
from connector.errors import ConnectorError, Refused, TryLater
from connector.sinks.crm import Frozen, Outcome, Rejected, marker, stopping, vendor_words
from connector.sinks.salesforce.records import READ_FIELDS, changes, refuse_unless_open
from connector.sinks.salesforce.session import Forbidden, Org, Stale

TRIES_WHEN_STALE = 3
Rows = dict[str, dict[str, Any]]


class Amendments:
    """Reads the task, joins the note, writes it, one call each.

    If-Unmodified-Since makes Salesforce refuse the write (412) if a rep saved in between; then the
    task is read again. Its times have whole seconds: of two edits within one second the rep's can
    still be lost. The batch calls know no such header, hence one call each.
    """

    def __init__(self, org: Org, url: Callable[[str], str]) -> None:
        self._org = org
        self._url = url

    def read(self, ids: Iterable[str | None], now: datetime) -> Rows:
        """Tasks by the ids that were asked for, those in the recycle bin too."""
        from connector.sinks.salesforce.client import format_soql

        wanted = sorted({one for one in ids if one})
        if not wanted:
            return {}
        soql = f"SELECT {READ_FIELDS} FROM Task WHERE Id IN {{ids}}"  # noqa: S608 - a constant
        rows = self._org.query(format_soql(soql, ids=wanted), now, deleted=True)
        by_short = {str(row["Id"])[:15]: row for row in rows}
        return {one: by_short[one[:15]] for one in wanted if one[:15] in by_short}

    def send(self, revised: Sequence[Prepared], now: datetime) -> dict[str, Outcome]:
        """The outcome of each by its order's key; never raises."""
        outcomes: dict[str, Outcome] = {}
        try:
            known = self.read([prepared.order.amends for prepared in revised], now)
        except ConnectorError as error:  # a read: nothing was written
            return {prepared.order.key: error for prepared in revised}
        for prepared in revised:
            halt = stopping(outcomes.values())
            try:
                outcomes[prepared.order.key] = halt or self._one(prepared, known, now)
            except ConnectorError as error:
                outcomes[prepared.order.key] = error
        return outcomes

    def find(self, prepared: Prepared, known: Rows) -> Receipt | None:
        task_id = prepared.order.amends or ""
        if marker(prepared.order) not in (known.get(task_id, {}).get("Description") or ""):
            return None
        return Frozen.read(prepared.body).receipt(task_id, self._url(task_id))

    def _one(self, prepared: Prepared, known: Rows, now: datetime) -> Receipt:
        task_id = prepared.order.amends or ""
        wish = Frozen.read(prepared.body).request
        refused_at = None
        for _ in range(TRIES_WHEN_STALE):
            if task_id not in known:
                known |= self.read([task_id], now)
            if done := self.find(prepared, known):
                return done
            # Whatever is written now, the next amendment of this task has to read it anew.
            task = refuse_unless_open(known.pop(task_id, None), "Status" in wish)
            stamp = str(task["LastModifiedDate"])
            # Refused, yet unchanged: a rep saved within the second that the header can tell.
            condition = {} if stamp == refused_at else _unless_changed(stamp)
            try:
                self._write(task, changes(task, wish), condition, prepared.order, now)
            except Stale:
                refused_at = stamp
                continue
            return Frozen.read(prepared.body).receipt(task_id, self._url(task_id))
        raise TryLater("the task was changed again and again while we wrote", 30)

    def _write(
        self,
        task: Mapping[str, Any],
        change: dict[str, Any],
        condition: Mapping[str, str],
        order: Order,
        now: datetime,
    ) -> None:
        path = f"sobjects/Task/{task['Id']}"
        try:
            self._org.write(path, json.dumps(change).encode(), now, condition)
        except Forbidden as refusal:
            # The same user has just read this very task: the account as such works.
            raise Refused("the integration user may not edit this task in Salesforce") from refusal
        except Rejected as refusal:
            if refusal.code == "INACTIVE_OWNER_OR_USER" and change.pop("OwnerId", None):
                return self._write(task, change, condition, order, now)
            words = vendor_words(refusal.code, refusal.words, order.facts)
            raise Refused(f"Salesforce refused the note: {words}") from None


def _unless_changed(stamp: str) -> dict[str, str]:
    changed = datetime.fromisoformat(stamp).astimezone(UTC)
    return {"If-Unmodified-Since": format_datetime(changed, usegmt=True)}
