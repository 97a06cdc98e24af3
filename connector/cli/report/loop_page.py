"""The report on closing the loop as one HTML page without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from connector.cli.report.loop import COHORTS, GROUPS, cohort_row, group_row, sentences
from connector.cli.report.nps import name_of, place_of
from connector.cli.report.page import whole_page
from connector.cli.tables import cell

_ABOUT = (
    "On time is the share of due cases that somebody touched by the promised time; overdue and "
    "untouched ones count as missed. Percentiles count what still waits as longer than it has "
    "waited. Weeks are those of the answer, Monday to Sunday in UTC. Intervals are 95 % ones."
)


def page_of(told: Mapping[str, Any]) -> str:
    """The whole page; every text from outside is escaped."""
    title = f"Closing the loop, {cell(told['since'])} to {cell(told['until'])} UTC"
    return whole_page(title, "\n".join(_parts(told)), _ABOUT)


def _parts(told: Mapping[str, Any]) -> Iterator[str]:
    if not told["whole"]["cases"]:
        yield "<p>There are no such cases.</p>"
        return
    yield f"<p>As it stood at {escape(cell(told['as_of']))} UTC.</p>"
    yield from (f"<p>{escape(sentence)}</p>" for sentence in sentences(told))
    yield from _table("By week of the answer", COHORTS, map(cohort_row, told["cohorts"]))
    placed = any(group["best_place"] for group in told["groups"])
    rows = [
        (_name(group), *group_row(group), *((place_of(group),) if placed else ()))
        for group in told["groups"]
    ]
    heads = (told["by"], *GROUPS, *(("place",) if placed else ()))
    yield from _table(f"By {told['by']}", heads, rows)
    if told["ranking"]:
        yield f"<p>{escape(told['ranking'])}</p>"
    for name in ("causes", "actions"):
        some = [(one["name"], one["count"]) for one in told[name]]
        if some:
            yield from _table(f"{name.capitalize()} of closed cases", (name, "cases"), some)
    if told["recovery"] is not None:
        from connector.reports.recovery import words

        yield from (f"<p>{escape(line)}</p>" for line in words(told["recovery"]) if line)


def _name(group: Mapping[str, Any]) -> str:
    return name_of(group["group"]) + (" (in part)" if group["partial"] else "")


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>'
    yield "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for first, *others in rows:
        cells = "".join(f"<td>{escape(_shown(value))}</td>" for value in others)
        yield f'<tr><th scope="row">{escape(str(first))}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
