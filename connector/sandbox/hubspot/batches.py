"""Batch endpoints: up to 100 inputs, read or written.

https://developers.hubspot.com/docs/api-reference/error-handling#multi-status-errors
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from connector.sandbox.core import Call, Clock, Reply
from connector.sandbox.hubspot.answers import ItemError, Row, batch, invalid, missing, shown
from connector.sandbox.hubspot.crm import Crm
from connector.sandbox.hubspot.schema import MARKER

MOST_INPUTS = 100
MOST_WITH_HISTORY = 50


@dataclass(frozen=True)
class Input:
    """One well-formed input; whether it is acceptable is judged later, item by item."""

    kind: str
    number: str | None
    id_property: str | None
    properties: Row
    targets: list[tuple[str, int]]
    trace: str | None

    @classmethod
    def read(cls, crm: Crm, kind: str, sent: Any, creating: bool = True) -> Self:
        """Raises `Refusal` 400 for what the vendor's JSON reader refuses."""
        if not isinstance(sent, dict):
            raise invalid("Invalid input JSON: an input must be an object")
        if not creating and "associations" in sent:
            raise invalid('Invalid input JSON: Unrecognized field "associations"')
        for name in ("idProperty", "objectWriteTraceId"):
            if not isinstance(sent.get(name), str | None):
                raise invalid(f"Invalid input JSON: {name} must be a string")
        optional = not creating or kind == "contacts"
        return cls(
            kind,
            sent.get("id"),
            sent.get("idProperty"),
            crm.read_properties(sent.get("properties")),
            crm.read_associations(sent.get("associations", [] if optional else None)),
            sent.get("objectWriteTraceId"),
        )


class Batches:
    def __init__(self, crm: Crm, clock: Clock) -> None:
        self.crm = crm
        self.clock = clock

    def make(self, one: Input) -> Row:
        """Raises `ItemError`."""
        self.crm.check_targets(one.targets)
        self.crm.check(one.kind, one.properties, None)
        return self.crm.create(one.kind, one.properties, one.targets)

    def read(self, call: Call) -> Reply:
        """Unknown ones make the answer a 207 with one error that lists them."""
        kind, body = call.params["kind"], call.object()
        names, with_history = names_in(body), names_in(body, "propertiesWithHistory")
        archived = call.q("archived") == "true"
        if with_history and len(_inputs(body)) > MOST_WITH_HISTORY:
            raise invalid(f"With history, the maximum batch size is {MOST_WITH_HISTORY}")
        found: dict[str, Row] = {}
        unknown: list[str] = []
        for one in _inputs(body):
            if not isinstance(one, dict) or not isinstance(one.get("id"), str):
                raise invalid("Invalid input JSON: id must be a string")
            if not body.get("idProperty") and not one["id"].isdecimal():
                raise invalid(f"Invalid input JSON: {one['id']} is no record id")
            row = self.crm.find(kind, one["id"], body.get("idProperty"), archived)
            if row is None:
                unknown.append(one["id"])
            else:
                found[row["id"]] = shown(row, [*names, *with_history])
                if with_history:
                    told = {name: self.crm.history(row["id"], name) for name in with_history}
                    found[row["id"]]["propertiesWithHistory"] = told
        errors = [missing(kind, unknown)] if unknown else []
        return batch(200, list(found.values()), errors, self.clock.now())

    def create(self, call: Call) -> Reply:
        return self._write(call, 201, self.make, creating=True)

    def update(self, call: Call) -> Reply:
        def change(one: Input) -> Row:
            if one.kind == "contacts" and one.id_property == "email":
                raise invalid("email is a non-unique property for batch update")
            row = self.crm.find(one.kind, str(one.number), one.id_property)
            if row is None:
                text = f"The {one.kind} record {one.number} does not exist"
                raise ItemError(404, "OBJECT_NOT_FOUND", text, "INVALID_OBJECT_IDS")
            self.crm.check(one.kind, one.properties, row)
            self.crm.update(one.kind, row, one.properties)
            return row

        return self._write(call, 200, change, creating=False)

    def upsert(self, call: Call) -> Reply:
        """Takes no associations, unlike create; each result says whether it is new."""
        new: set[str] = set()

        def put(one: Input) -> Row:
            row = self.crm.find(one.kind, str(one.number), one.id_property)
            if row is None:
                properties = {str(one.id_property): str(one.number), **one.properties}
                self.crm.check(one.kind, properties, None)
                row = self.crm.create(one.kind, properties, [])
                new.add(row["id"])
            else:
                self.crm.check(one.kind, one.properties, row)
                self.crm.update(one.kind, row, one.properties)
            return row

        reply = self._write(call, 200, put, creating=False)
        for result in reply.body["results"]:
            result["new"] = result["id"] in new
        return reply

    def _write(
        self, call: Call, status: int, work: Callable[[Input], Row], creating: bool
    ) -> Reply:
        """Item by item when every input has its own objectWriteTraceId, else all or nothing."""
        kind = call.params["kind"]
        inputs = [Input.read(self.crm, kind, one, creating) for one in _inputs(call.object())]
        traces = {one.trace for one in inputs if one.trace}
        if len(traces) != sum(one.trace is not None for one in inputs):
            raise invalid("objectWriteTraceId must be unique within a batch")
        partial = len(traces) == len(inputs)
        if not partial:
            self._rehearse(call, inputs, creating)
        results: list[Row] = []
        errors: list[Row] = []
        for index, one in enumerate(inputs):
            try:
                _play(call, index)
                done = shown(work(one))
                results.append({**done, "objectWriteTraceId": one.trace} if one.trace else done)
            except ItemError as error:
                if not partial:
                    raise error.refusal() from None
                errors.append(error.in_batch(one.trace))
        return batch(status, results, errors, self.clock.now())

    def _rehearse(self, call: Call, inputs: list[Input], creating: bool) -> None:
        """Without trace ids one bad item refuses the batch before anything is written."""
        seen: set[str] = set()
        try:
            for index, one in enumerate(inputs):
                _play(call, index)
                row = None
                if not creating:
                    row = self.crm.find(one.kind, str(one.number), one.id_property)
                self.crm.check_targets(one.targets)
                self.crm.check(one.kind, one.properties, row)
                marker = one.properties.get(MARKER)
                if creating and marker in seen:
                    text = f"Cannot set {MARKER}: another input already has that value"
                    raise ItemError(409, "VALIDATION_ERROR", text, "CONFLICTING_UNIQUE_VALUE")
                if marker:
                    seen.add(marker)
        except ItemError as error:
            raise error.refusal() from None


def names_in(body: Row, field: str = "properties") -> list[str]:
    """The names of properties in a read or a search; raises `Refusal` 400."""
    names = body.get(field) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid("Invalid input JSON: properties must be a list of names")
    return names


def _inputs(body: Row) -> list[Any]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise invalid("Invalid input JSON: inputs must be a list")
    if len(inputs) > MOST_INPUTS:
        raise invalid(f"The maximum batch size is {MOST_INPUTS}")
    return inputs


def _play(call: Call, index: int) -> None:
    if call.fault == "half_batch" and index % 2:
        text = "Sandbox: every second item is refused"
        raise ItemError(400, "VALIDATION_ERROR", text, "SANDBOX_HALF_BATCH")
