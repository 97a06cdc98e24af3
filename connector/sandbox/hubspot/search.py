"""The search endpoint: an index that lags behind, paged with `after`.

https://developers.hubspot.com/docs/api-reference/search/guide
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from connector.sandbox.hubspot.answers import Row, invalid

MOST_PER_PAGE = 200
MOST_RESULTS = 10_000
_OPERATORS: dict[str, Callable[[str | None, Row], bool]] = {
    "EQ": lambda value, f: value is not None and value.lower() == str(f["value"]).lower(),
    "NEQ": lambda value, f: value is None or value.lower() != str(f["value"]).lower(),
    "IN": lambda value, f: value is not None and value.lower() in [v.lower() for v in f["values"]],
    "HAS_PROPERTY": lambda value, _: bool(value),
    "NOT_HAS_PROPERTY": lambda value, _: not value,
    "GTE": lambda value, f: value is not None and value >= str(f["value"]),
    "LTE": lambda value, f: value is not None and value <= str(f["value"]),
}


def search(rows: list[Row], body: Row, indexed: datetime, known: set[str]) -> tuple[Row, list[Row]]:
    """(the answer without `results`, the rows of the page). Raises `Refusal` 400."""
    limit, after = body.get("limit", 10), body.get("after") or "0"
    if not isinstance(limit, int) or not 0 < limit <= MOST_PER_PAGE:
        raise invalid(f"limit must be at most {MOST_PER_PAGE}")
    if not str(after).isdigit() or int(after) + limit > MOST_RESULTS:
        raise invalid(f"a search shows {MOST_RESULTS} results at most")
    groups = _groups(body, known)
    found = [
        row
        for row in rows
        if not row["archived"]
        and datetime.fromisoformat(row["updatedAt"]) <= indexed
        and (not groups or any(all(_met(row, one) for one in group) for group in groups))
    ]
    found = _sorted(found, body.get("sorts"))
    start = int(after)
    answer: Row = {"total": len(found)}
    if start + limit < len(found):
        answer["paging"] = {"next": {"after": str(start + limit)}}
    return answer, found[start : start + limit]


def _groups(body: Row, known: set[str]) -> list[list[Row]]:
    """Filters by group: all of one group or all of another. Raises `Refusal` 400."""
    try:
        groups = [list(group["filters"]) for group in body.get("filterGroups") or []]
        for one in (one for group in groups for one in group):
            needed = {"IN": "values", "HAS_PROPERTY": "operator", "NOT_HAS_PROPERTY": "operator"}
            if one["propertyName"] not in known or one["operator"] not in _OPERATORS:
                raise KeyError
            if not one[needed.get(one["operator"], "value")]:
                raise KeyError
    except (KeyError, TypeError):
        raise invalid("There was a problem with the request: a filter is wrong") from None
    return groups


def _met(row: Row, one: Row) -> bool:
    value = row["properties"].get(one["propertyName"])
    wanted = str(one.get("value", ""))
    if value and one["propertyName"].endswith("date") and wanted.isdigit():
        # Times are compared as milliseconds, in which filters have to say them.
        milliseconds = int(datetime.fromisoformat(value).timestamp() * 1000)
        value, one = f"{milliseconds:020}", {**one, "value": f"{int(wanted):020}"}
    return _OPERATORS[one["operator"]](value, one)


def _sorted(rows: list[Row], sorts: object) -> list[Row]:
    """By one property at most, as the vendor allows; else in the order of their creation."""
    if not sorts:
        return rows
    if not isinstance(sorts, list) or len(sorts) > 1 or not isinstance(sorts[0], dict):
        raise invalid("sorts: one sort is allowed")
    name, direction = sorts[0].get("propertyName"), sorts[0].get("direction", "ASCENDING")
    if direction not in ("ASCENDING", "DESCENDING"):
        raise invalid("sorts: direction is ASCENDING or DESCENDING")
    return sorted(
        rows, key=lambda row: row["properties"].get(name) or "", reverse=direction == "DESCENDING"
    )
