"""What people do on the pages of deliveries: each step asks first, and is a POST of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connector import intervening
from connector.store import browsing
from connector.text import one_line
from connector.web import parameters

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request

    from connector.web.frame import Frame, Served

_MOST_AT_ONCE = 1_000
_VERDICTS: dict[str, intervening.Verdict] = {"there": "there", "not-needed": "not needed"}
# What a page says after it was done; the address carries the word alone.
_SAID = {
    "retried": "It will be tried again within a minute.",
    "retried-all": "They will be tried again within a minute.",
    "there": "Ended: it is there.",
    "not-needed": "Ended: nothing is needed.",
    "released": "Released: what was held goes out now.",
    "nothing": "There was nothing to do: somebody else may have been quicker.",
    "paused": "Paused: nothing more is sent to this account until somebody resumes it.",
    "resumed": "Resumed: it goes on within a minute.",
}


def routes(frame: Frame, path: str) -> list[Route]:
    doing = _Doing(frame, path)

    def post(end: str, served: Served) -> Route:
        return Route(path + end, served, methods=["POST"])

    return [
        post("/{action:int}/retry", frame.operator(doing.retry)),
        post("/{action:int}/resolve", frame.operator(doing.resolve)),
        post("/retry", frame.operator(doing.retry_all)),
        post("/release", frame.operator(doing.release)),
        post("/accounts/pause", frame.admin(doing.pause)),
        post("/accounts/resume", frame.admin(doing.resume)),
    ]


def said(request: Request) -> str:
    return _SAID.get(request.query_params.get("said", ""), "")


class _Doing:
    def __init__(self, frame: Frame, path: str) -> None:
        self.frame = frame
        self.path = path
        self.store = frame.workspace.store

    def retry(self, request: Request) -> Response:
        action = request.path_params["action"]
        work = self._by(request, intervening.retry, [action])
        self._expect(action, intervening.RETRIABLE)
        return self._back(f"/{action}", "retried" if self.store.write(work) else "nothing")

    def resolve(self, request: Request) -> Response:
        action, form = request.path_params["action"], self.frame.form(request)
        verdict = _VERDICTS.get(form.get("verdict", ""))
        if verdict is None:
            raise HTTPException(400, "Say what became of it: it is there, or it is not needed.")
        remote_id = one_line(form.get("remote_id", ""), 200) or None
        url = one_line(form.get("url", ""), 2000) or None
        if (remote_id or url) and verdict != "there":
            raise HTTPException(400, "An id or a link goes with: it is there.")
        if url and not url.startswith(("https://", "http://")):
            raise HTTPException(400, "A link begins with https://.")
        self._expect(action, intervening.RESOLVABLE)
        note, there_as = form.get("note", ""), (remote_id, url)
        by, now = self.frame.visitor(request).name, self.frame.clock()
        done = self.store.write(
            lambda c: intervening.resolve(c, [action], verdict, by, now, note, there_as)
        )
        return self._back(f"/{action}", form["verdict"] if done else "nothing")

    def retry_all(self, request: Request) -> Response:
        """Those that the page has listed; what was parked since is not meant."""
        told = self.frame.form(request).get("actions", "").split(",")
        ids = [id for id in map(parameters.whole, told[:_MOST_AT_ONCE]) if id is not None]
        if not ids:
            raise HTTPException(400, "No action is named.")
        done = self.store.write(self._by(request, intervening.retry, ids))
        return self._back("", "retried-all" if done else "nothing", state="parked")

    def release(self, request: Request) -> Response:
        source = self.frame.form(request).get("source", "")
        if not source:
            raise HTTPException(400, "No source is named.")
        done = self.store.write(self._by(request, intervening.release, [source]))
        return self._back("", "released" if done else "nothing", state="held")

    def pause(self, request: Request) -> Response:
        account = self._account(request)
        reason = self.frame.form(request).get("reason", "")
        by, now = self.frame.visitor(request).name, self.frame.clock()
        self.store.write(lambda c: intervening.pause(c, account, by, reason, now))
        return self._back("/accounts", "paused")

    def resume(self, request: Request) -> Response:
        resumed = self.store.write(self._by(request, intervening.resume, self._account(request)))
        return self._back("/accounts", "resumed" if resumed else "nothing")

    def _by(
        self, request: Request, function: Callable[..., Any], what: Any
    ) -> Callable[[Connection], Any]:
        """`function(connection, what, who, now)` as a transaction of this visitor."""
        by, now = self.frame.visitor(request).name, self.frame.clock()
        return lambda connection: function(connection, what, by, now)

    def _expect(self, action: int, states: tuple[str, ...]) -> None:
        with self.store.read() as connection:
            state = browsing.states_of(connection, [action]).get(action)
        if state is None:
            raise HTTPException(404, "There is no such action.")
        if state not in states:
            told = state.replace("_", " ")
            raise HTTPException(409, f"Action {action} is {told} now; nothing was changed.")

    def _account(self, request: Request) -> str:
        account = self.frame.form(request).get("account", "")
        if account not in self.frame.workspace.accounts.values():
            raise HTTPException(404, "No sink of connector.yaml uses this account.")
        return account

    def _back(self, end: str, word: str, **query: str) -> Response:
        where: Mapping[str, str] = {**query, "said": word}
        return RedirectResponse(f"{self.path}{end}?{urlencode(where)}", 303)
