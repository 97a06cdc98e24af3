"""Rules: the decision table, how often each fired, and what other rules would have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Route

from connector.reports.firing import firing
from connector.rules.decision_table import decision_table
from connector.rules.model import DEFAULT_ID
from connector.rules.tally import MATCHED
from connector.store import activations, answers
from connector.web import backtests, parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from connector.rules.tally import Tally
    from connector.web.backtests import Backtest
    from connector.web.frame import Frame

TITLE, PATH = "Rules", "/rules"
_DAYS = (7, 30, 90)
_FEW = 6  # values of a list in the table


def routes(frame: Frame) -> list[Route]:
    pages = _Rules(frame)
    return [
        Route(PATH, frame.viewer(pages.show), methods=["GET"]),
        Route(f"{PATH}/backtest", frame.operator(pages.ask), methods=["GET"]),
        Route(f"{PATH}/backtest", frame.operator(pages.start), methods=["POST"]),
        Route(f"{PATH}/backtest/{{id}}", frame.operator(pages.result), methods=["GET"]),
    ]


class _Rules:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._backtests = backtests.Backtests(frame.workspace)

    def show(self, request: Request) -> Response:
        workspace, now = self._frame.workspace, self._frame.clock()
        days = parameters.days(request.query_params, now)
        with workspace.store.read() as connection:
            ruleset = workspace.ruleset(connection)
            if ruleset is None:
                raise HTTPException(404, "No rules are active yet; `connector run` makes them so.")
            fired = firing(connection, ruleset, days.since, days.until)
            identity = answers.active_ruleset(connection) or ""
            since = activations.active_since(connection, identity, now)
        return self._frame.page(
            request,
            "rules.html",
            days=days,
            periods=parameters.periods(),
            fired=fired,
            table=decision_table(ruleset, _FEW),
            ruleset=identity,
            since=since,
            default=DEFAULT_ID,
        )

    def ask(self, request: Request) -> Response:
        return self._form(request, self._backtests.active_text(), _DAYS[1])

    def start(self, request: Request) -> Response:
        form = self._frame.form(request)
        text = form.get("rules", "")
        days = next((n for n in _DAYS if str(n) == form.get("days")), _DAYS[1])
        try:
            begun = self._backtests.start(text, days, self._frame.clock())
        except backtests.Wrong as wrong:
            return self._form(request, text, days, str(wrong), wrong.problems, 400)
        except backtests.Refused as refused:
            return self._form(request, text, days, str(refused), (), 409)
        return RedirectResponse(f"{PATH}/backtest/{begun.id}", 303)

    def result(self, request: Request) -> Response:
        found = self._backtests.find(request.path_params["id"])
        if found is None:
            raise HTTPException(404, "This backtest is not kept any more: ask for it again.")
        partly = "hx-request" in request.headers and not found.is_over.is_set()
        template = "parts/backtest.html" if partly else "backtest_result.html"
        response = self._frame.page(request, template, found=found, told=_told(found))
        if "hx-request" in request.headers and found.is_over.is_set():
            response.headers["HX-Refresh"] = "true"
        return response

    def _form(
        self,
        request: Request,
        text: str,
        days: int,
        wrong: str = "",
        problems: Any = (),
        status: int = 200,
    ) -> Response:
        return self._frame.page(
            request,
            "backtest.html",
            status=status,
            text=text,
            days=days,
            every=_DAYS,
            wrong=wrong,
            problems=problems,
        )


def _told(found: Backtest) -> dict[str, Any] | None:
    """What the page shows of a result."""
    if found.result is None:
        return None
    tally = found.result.tally
    return {
        "answers": tally.answers,
        "history": tally.history,
        "erased": found.result.span.erased if found.result.span else 0,
        "rules": _counts(tally, found),
        "changes": sorted((*key, count) for key, count in tally.changes.items()),
        "differences": tally.differences,
        "same": found.candidate.hash == found.active.hash,
    }


def _counts(tally: Tally, found: Backtest) -> list[tuple[str, str, int, int]]:
    """(rule, what, under the active rules, under the others) in the order of the other file."""
    ids = [rule.id for ruleset in (found.candidate, found.active) for rule in ruleset.rules]
    order = {id: number for number, id in enumerate(dict.fromkeys([*ids, DEFAULT_ID]))}
    keys = sorted(tally.rules, key=lambda key: (order[key[0]], key[1] != MATCHED, key[1]))
    return [(rule, what, *_pair(tally.rules[rule, what])) for rule, what in keys]


def _pair(counted: Sequence[int]) -> tuple[int, int]:
    here, there = counted
    return here, there
