"""The report on closing the loop as one HTML page without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from connector.cli.report.loop import COHORTS, GROUPS, cohort_row, group_row, sentences
from connector.cli.report.nps import name_of, place_of
from connector.cli.report.page import paragraphs, table, whole_page
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
    yield from paragraphs(sentences(told))
    yield from table("By week of the answer", COHORTS, map(cohort_row, told["cohorts"]))
    placed = any(group["best_place"] for group in told["groups"])
    rows = [
        (_name(group), *group_row(group), *((place_of(group),) if placed else ()))
        for group in told["groups"]
    ]
    heads = (told["by"], *GROUPS, *(("place",) if placed else ()))
    yield from table(f"By {told['by']}", heads, rows)
    if told["ranking"]:
        yield from paragraphs([told["ranking"]])
    for name in ("causes", "actions"):
        some = [(one["name"], one["count"]) for one in told[name]]
        if some:
            yield from table(f"{name.capitalize()} of closed cases", (name, "cases"), some)
    if told["recovery"] is not None:
        from connector.reports.recovery import words

        yield from paragraphs(words(told["recovery"]))


def _name(group: Mapping[str, Any]) -> str:
    return name_of(group["group"]) + (" (in part)" if group["partial"] else "")
