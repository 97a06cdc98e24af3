"""`connector customers import`: plan, value, owner, company and language from a CSV."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from connector.domain import Respondent, Scalar
from connector.errors import Refused
from connector.store import people
from connector.text import clean_email, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from connector.rules.model import AttributeType
    from connector.store import Store

KEYS = ("email", "phone", "external_id")
BUILT_IN: dict[str, AttributeType] = {
    "name": "text",
    "language": "text",
    "plan": "text",
    "value": "number",
    "owner": "text",
    "company": "text",
}
_BATCH = 500


@dataclass
class CustomersImported:
    """Counts, and every refused row as (line, reason)."""

    customers: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def import_customers(
    store: Store, data: bytes, declared: Mapping[str, AttributeType], now: datetime
) -> CustomersImported:
    """Set attributes by e-mail, phone or external id; a column that is absent changes nothing.

    The first row names the columns: email, phone, external_id, name, language, plan, value, owner,
    company, and whatever `customer_attributes` in connector.yaml declares.

    Raises:
        Refused: no key column, or a column that nothing is known about.
    """
    reader = csv.DictReader(io.StringIO(_text(data)), strict=True)
    types = {**BUILT_IN, **declared}
    _check_header(reader.fieldnames or [], types)
    done = CustomersImported()
    batch: list[tuple[Respondent, dict[str, Scalar], str | None]] = []
    try:
        for row in reader:
            try:
                batch.append(_customer(row, types))
            except ValueError as error:
                done.refused.append((reader.line_num, str(error)))
            if len(batch) >= _BATCH:
                done.customers += _store(store, batch, now)
                batch = []
    except csv.Error as error:
        raise Refused(f"line {reader.line_num}: the CSV is broken here ({error})") from error
    done.customers += _store(store, batch, now)
    return done


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _check_header(header: Sequence[str], types: Mapping[str, AttributeType]) -> None:
    if not any(key in header for key in KEYS):
        raise Refused("the first row must name one of the columns email, phone, external_id")
    allowed = (*KEYS, *types)
    for column in header:
        if column not in allowed:
            hint = did_you_mean(column, allowed) or "declare it under customer_attributes"
            raise Refused(f"column '{column}' is unknown; there are: {', '.join(allowed)} ({hint})")


def _customer(
    row: Mapping[str, str | None], types: Mapping[str, AttributeType]
) -> tuple[Respondent, dict[str, Scalar], str | None]:
    cells = {name: (value or "").strip() for name, value in row.items() if name is not None}
    if cells.get("email") and clean_email(cells["email"]) is None:
        raise ValueError("email: this is no e-mail address")
    person = Respondent(
        email=cells.get("email") or None,
        phone=cells.get("phone") or None,
        external_id=cells.get("external_id") or None,
        name=cells.get("name") or None,
    )
    if not people.keys_of(person):
        raise ValueError("no e-mail, phone or external id: nobody to attach this to")
    values = {
        name: _typed(name, text, types[name])
        for name, text in cells.items()
        if name not in (*KEYS, "company", "name")
    }
    return person, values, cells.get("company") or None


def _typed(name: str, text: str, kind: AttributeType) -> Scalar:
    if not text:
        return None
    if kind == "number":
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"{name}: '{text[:30]}' is not a number (write 1234.5)") from None
        if not math.isfinite(number):
            raise ValueError(f"{name}: '{text[:30]}' is not a number (write 1234.5)")
        return int(number) if number.is_integer() else number
    if kind == "flag":
        if text.lower() not in ("true", "false", "yes", "no"):
            raise ValueError(f"{name}: write true or false")
        return text.lower() in ("true", "yes")
    return text


def _store(
    store: Store, batch: list[tuple[Respondent, dict[str, Scalar], str | None]], now: datetime
) -> int:
    def work(connection: Connection) -> int:
        for person, values, company in batch:
            customer = people.identify(connection, person, now).customer
            if customer is not None:
                people.put_attributes(connection, customer, values, company)
        return len(batch)

    return store.write(work)
