"""New tasks: one upsert for the batch, its answer item by item, and the tasks read by their key.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_upsert.htm
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from connector.domain import Prepared, Receipt, is_case_key
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.patience import at_leisure
from connector.ports import Made
from connector.sinks.crm import Frozen, Outcome, Rejected, each_settled, vendor_words
from connector.sinks.salesforce.session import TRANSIENT, Org

DELETED = "It had been deleted in Salesforce before it could be recorded here."
OWNER_LEFT = (
    "Its owner is no active Salesforce user any more; it went to default_owner or, without one, to "
    "the integration user."
)


class Creations:
    """`key_field`: the unique external id. `spare_owner`: whom a task goes to whose owner left."""

    def __init__(
        self,
        org: Org,
        key_field: str,
        url: Callable[[str], str],
        spare_owner: Callable[[datetime], str | None],
    ) -> None:
        self._org = org
        self._key_field = key_field
        self._url = url
        self._spare_owner = spare_owner

    def send(self, new: Sequence[Prepared], now: datetime) -> list[Outcome]:
        """The outcome of each; never raises."""
        return each_settled(new, lambda part: self._upsert(part, now))

    def find(self, new: Sequence[Prepared], now: datetime) -> dict[str, Receipt]:
        """With the recycle bin: what a rep has deleted since was made, and is not made again."""
        from connector.sinks.salesforce.client import format_soql

        if not new:
            return {}
        field = self._key_field
        soql = f"SELECT Id, IsDeleted, {field} FROM Task WHERE {field} IN {{keys}}"  # noqa: S608
        keys = {prepared.order.key: prepared for prepared in new}
        rows = self._org.query(format_soql(soql, keys=sorted(keys)), now, deleted=True)
        found: dict[str, Receipt] = {}
        for row in sorted(rows, key=lambda row: bool(row["IsDeleted"]), reverse=True):
            if prepared := keys.get(str(row[field])):
                gone = (DELETED,) if row["IsDeleted"] else ()
                frozen = Frozen.read(prepared.body)
                found[row[field]] = frozen.receipt(row["Id"], self._url(row["Id"]), *gone)
        return found

    def made_since(self, since: datetime, now: datetime) -> Iterator[Made]:
        """The records themselves, with the recycle bin; 2,000 a call."""
        field, moment = self._key_field, since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        soql = (
            f"SELECT Id, IsDeleted, CreatedDate, {field} FROM Task "  # noqa: S608 - our setting
            f"WHERE {field} != null AND CreatedDate >= {moment} ORDER BY CreatedDate, Id"
        )
        for row in at_leisure(lambda: self._org.query(soql, now, deleted=True)):
            if is_case_key(str(row[field])):
                yield Made(
                    key=str(row[field]),
                    remote_id=str(row["Id"]),
                    url=self._url(str(row["Id"])),
                    made_at=datetime.fromisoformat(str(row["CreatedDate"])),
                    gone=bool(row["IsDeleted"]),
                )

    def _upsert(self, part: Sequence[Prepared], now: datetime) -> list[Outcome]:
        """One call; raises only while nothing is written."""
        # Records of one account side by side: Salesforce locks it once instead of in turns.
        ordered = sorted(
            ((Frozen.read(prepared.body), prepared) for prepared in part),
            key=lambda pair: str(pair[0].request.get("WhatId", "")),
        )
        answers = self._put([frozen.request for frozen, _ in ordered], part, now)
        outcomes: dict[str, Outcome] = {}
        twice: list[Prepared] = []
        ownerless: list[Prepared] = []
        for (frozen, prepared), answer in zip(ordered, answers, strict=True):
            code, words = _reason(answer)
            if not code:
                task_id = str(answer["id"])
                outcomes[prepared.order.key] = frozen.receipt(task_id, self._url(task_id))
            elif code == "DUPLICATE_VALUE":
                twice.append(prepared)
            elif code == "INACTIVE_OWNER_OR_USER" and "OwnerId" in frozen.request:
                ownerless.append(self._reassigned(frozen, prepared, now))
            else:
                outcomes[prepared.order.key] = _refusal(code, words, prepared)
        outcomes |= self._made_by_another(twice, now)
        again = each_settled(ownerless, lambda some: self._upsert(some, now))
        outcomes |= {p.order.key: o for p, o in zip(ownerless, again, strict=True)}
        return [outcomes[prepared.order.key] for prepared in part]

    def _put(
        self, wanted: list[dict[str, Any]], part: Sequence[Prepared], now: datetime
    ) -> list[Any]:
        field = self._key_field
        body = json.dumps({"allOrNone": False, "records": wanted}).encode()
        try:
            answers = self._org.write(f"composite/sobjects/Task/{field}", body, now)
        except Rejected as refusal:
            if refusal.code == "NOT_FOUND":
                raise Paused(
                    f"Salesforce tasks have no external id field {field}; create it on Activity "
                    "(text, unique, external id) and let the integration user edit it"
                ) from None
            raise _refusal(refusal.code, refusal.words, part[0]) from None
        if not isinstance(answers, list) or len(answers) != len(wanted):
            raise LookFirst("Salesforce's answer does not say what became of each task")
        return answers

    def _reassigned(self, frozen: Frozen, prepared: Prepared, now: datetime) -> Prepared:
        """The same task for somebody else: Salesforce takes none for a user who left."""
        record = {name: value for name, value in frozen.request.items() if name != "OwnerId"}
        try:
            spare = self._spare_owner(now)
        except ConnectorError:  # the other tasks of this call are made: they need their receipts
            spare = None
        if spare and spare != frozen.request["OwnerId"]:
            record["OwnerId"] = spare
        remark = " ".join(part for part in (frozen.remark, OWNER_LEFT) if part)
        changed = replace(frozen, request=record, remark=remark, needs_attention=True)
        return Prepared(order=prepared.order, body=changed.body())

    def _made_by_another(self, twice: Sequence[Prepared], now: datetime) -> dict[str, Outcome]:
        """DUPLICATE_VALUE: an earlier send of ours, or another worker, made the task."""
        if not twice:
            return {}
        try:
            found = self.find(twice, now)
        except ConnectorError:
            unknown = LookFirst("Salesforce has this task already, but it could not be read")
            return {prepared.order.key: unknown for prepared in twice}
        made = LookFirst("somebody else is just making this task in Salesforce")
        return {p.order.key: found.get(p.order.key) or made for p in twice}


def _reason(answer: Any) -> tuple[str, str]:
    """Code and words of one item of the answer; an empty code where the task is there."""
    if isinstance(answer, dict) and answer.get("success") and answer.get("id"):
        return "", ""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return "UNKNOWN", ""
    return str(first.get("statusCode") or "UNKNOWN"), str(first.get("message") or "")


def _refusal(code: str, words: str, prepared: Prepared) -> ConnectorError:
    if code in TRANSIENT:
        return TryLater(f"Salesforce is busy with this record ({code})", 5)
    if code == "UNKNOWN":
        return LookFirst("Salesforce's answer does not say what became of this task")
    shown = vendor_words(code, words, prepared.order.facts)
    return Refused(f"Salesforce refused the task: {shown}")
