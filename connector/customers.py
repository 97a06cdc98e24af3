"""`connector customers import`: plan, value, owner, company and language from a CSV."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connector.domain import Respondent, Scalar
from connector.errors import Refused
from connector.sources.csv_table import read_table
from connector.store import identities, people
from connector.text import clean_email, did_you_mean, one_line, storable

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
_MOST_TOLD = 20


@dataclass
class CustomersImported:
    """Counts, and every refused row as (line, reason)."""

    customers: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def import_customers(
    store: Store, data: bytes, declared: Mapping[str, AttributeType], now: datetime
) -> CustomersImported:
    """Set attributes by e-mail, phone or external id; a column that is absent changes nothing.

    Comma, semicolon or tab; UTF-8, UTF-16 with its mark, or Windows-1252. The first row names the
    columns: email, phone, external_id, name, language, plan, value, owner, company, and whatever
    `customer_attributes` in connector.yaml declares.

    Raises:
        Refused: the file cannot be read, has no key column, or columns that nothing is known about;
            nothing was changed.
    """
    table = read_table(data)
    types = {**BUILT_IN, **declared}
    _check_header(table.headers, types)
    done = CustomersImported()
    batch: list[tuple[Respondent, dict[str, Scalar], str | None]] = []
    for row in table.rows:
        try:
            if row.cells is None:
                raise ValueError(row.problem)
            batch.append(_customer(row.cells, types))
        except ValueError as error:
            done.refused.append((row.line, str(error)))
        if len(batch) >= _BATCH:
            done.customers += _store(store, batch, now)
            batch = []
    done.customers += _store(store, batch, now)
    return done


def _check_header(header: Sequence[str], types: Mapping[str, AttributeType]) -> None:
    if not any(key in header for key in KEYS):
        raise Refused("the first row must name one of the columns email, phone, external_id")
    allowed = (*KEYS, *types)
    unknown = [column for column in header if column not in allowed]
    if not unknown:
        return
    told = [f"'{one_line(c, 40)}' {did_you_mean(c, allowed)}".strip() for c in unknown[:_MOST_TOLD]]
    hidden = len(unknown) - len(told)
    more = f" and {hidden} more" if hidden else ""
    raise Refused(
        f"unknown columns: {', '.join(told)}{more}; there are: {', '.join(allowed)}. Rename or "
        "remove them, or declare them under customer_attributes in connector.yaml"
    )


def _customer(
    row: Mapping[str, str], types: Mapping[str, AttributeType]
) -> tuple[Respondent, dict[str, Scalar], str | None]:
    _check_width(row)
    cells = {name: storable(value or "").strip() for name, value in row.items() if name is not None}
    if cells.get("email") and clean_email(cells["email"]) is None:
        raise ValueError("email: this is no e-mail address")
    person = Respondent(
        email=cells.get("email") or None,
        phone=cells.get("phone") or None,
        external_id=cells.get("external_id") or None,
        name=cells.get("name") or None,
    )
    if not identities.keys_of(person):
        raise ValueError("no e-mail, phone or external id: nobody to attach this to")
    values = {
        name: _typed(name, text, types[name])
        for name, text in cells.items()
        if name not in (*KEYS, "company", "name")
    }
    return person, values, cells.get("company") or None


def _check_width(row: Mapping[Any, Any]) -> None:
    """A row that lacks a cell would remove what it does not name."""
    extra = [cell for cell in row.get(None) or () if cell.strip()]
    named = [cell for name, cell in row.items() if name is not None]
    found = sum(cell is not None for cell in named) + len(extra)
    if found != len(named):
        raise ValueError(f"the row has {found} cells instead of {len(named)}")


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
            customer = identities.identify(connection, person, now).customer
            if customer is not None:
                people.put_attributes(connection, customer, values, company)
        return len(batch)

    return store.write(work)
