"""Rules: the decision table, how often each fired, and what other rules would have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector.reports.backtested import shown
from connector.reports.firing import firing
from connector.rules.decision_table import decision_table
from connector.rules.model import DEFAULT_ID
from connector.store import activations, answers
from connector.store.backtests import DIED
from connector.web import backtests, parameters

if TYPE_CHECKING:
    from starlette.requests import Request

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
            id = self._backtests.start(text, days, self._frame.clock())
        except backtests.Wrong as wrong:
            return self._form(request, text, days, str(wrong), wrong.problems, 400)
        except backtests.Refused as refused:
            return self._form(request, text, days, str(refused), (), 409)
        return RedirectResponse(f"{PATH}/backtest/{id}", 303)

    def result(self, request: Request) -> Response:
        now, by_itself = self._frame.clock(), "hx-request" in request.headers
        found = self._backtests.find(request.path_params["id"], now)
        if found is None:
            raise HTTPException(404, "This backtest is not kept any more: ask for it again.")
        if found.running and found.ends_at > now:
            template = "parts/backtest.html" if by_itself else "backtest_runs.html"
            return self._frame.page(request, template, found=found)
        if by_itself:
            return Response(headers={"HX-Refresh": "true"})
        changed = []
        if found.result is not None:
            with self._frame.workspace.store.read() as connection:
                changed = shown(connection, found.result)
        return self._frame.page(
            request,
            "backtest_result.html",
            found=found,
            told=found.result,
            changed=changed,
            died=DIED,
        )

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
