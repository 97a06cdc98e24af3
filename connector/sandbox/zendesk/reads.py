"""What Zendesk lists: tickets, the export of changes, the search, people and settings."""

from __future__ import annotations

from connector.sandbox.core import Call, Clock, Refusal, Reply
from connector.sandbox.zendesk import lists
from connector.sandbox.zendesk.desk import AGENT_ID, LOCALES, Row
from connector.sandbox.zendesk.hands import Hands
from connector.sandbox.zendesk.limits import Limits

MOST_SHOWN = 100


class Lists(Hands):
    def __init__(self, clock: Clock, state: Row) -> None:
        super().__init__(clock, state)
        self.limits = Limits(self.state, clock)

    def _alive(self) -> list[Row]:
        archived = set(self.state["archived"])
        tickets: dict[str, Row] = self.state["tickets"]
        return [
            ticket
            for ticket in tickets.values()
            if ticket["status"] != "deleted" and ticket["id"] not in archived
        ]

    def _list(self, call: Call) -> Reply:
        """Consistent, unlike the search; archived tickets are not in it."""
        wanted = call.q("external_id")
        rows = self._alive()
        if wanted is not None:
            rows = [ticket for ticket in rows if ticket["external_id"] == wanted]
        return Reply(200, lists.page(call, "tickets", rows))

    def _show_many(self, call: Call) -> Reply:
        hidden = {str(one) for one in self.state["archived"]}
        rows = [
            ticket
            for number in _ids(call)
            if number not in hidden and (ticket := self.desk.ticket(number))
        ]
        more = {}
        if "metric_sets" in (call.q("include") or "").split(","):
            more = {"metric_sets": [self.desk.metrics(ticket) for ticket in rows]}
        return Reply(200, lists.page(call, "tickets", rows, **more))

    def _search(self, call: Call) -> Reply:
        lag = self.state["settings"]["search_lag_seconds"]
        indexed = self.clock.timestamp() - lag
        rows = [t for t in self._alive() if t["generated_timestamp"] <= indexed]
        found = lists.search(rows, call.q("query") or "")
        shown = [{**ticket, "result_type": "ticket"} for ticket in found]
        return Reply(200, lists.page(call, "results", shown, facets=None))

    def _incremental(self, call: Call) -> Reply:
        self.limits.take("incremental", self.state["settings"]["incremental_per_minute"])
        if self.state["users"][str(AGENT_ID)]["role"] != "admin":
            text = "You do not have access to this page. Please contact the account owner"
            raise Refusal(403, {"error": {"title": "Forbidden", "message": text}})
        newest = self.clock.timestamp() - self.state["settings"]["export_lag_seconds"]
        found = lists.since(list(self.state["tickets"].values()), call, newest)
        if "metric_sets" in (call.q("include") or "").split(","):
            found["tickets"] = [
                {**ticket, "metric_set": self.desk.metrics(ticket)} for ticket in found["tickets"]
            ]
        return Reply(200, found)

    # -- people and settings -------------------------------------------------------------------

    def _listed(self, call: Call, name: str) -> Reply:
        return Reply(200, lists.page(call, name, self.state[name]))

    def _locales(self, call: Call) -> Reply:
        rows = [{"id": number, "locale": locale} for number, locale in LOCALES]
        return Reply(200, lists.page(call, "locales", rows))

    def _me(self, call: Call) -> Reply:
        return Reply(200, {"user": self.state["users"][str(AGENT_ID)]})

    def _show_user(self, call: Call) -> Reply:
        if (user := self.state["users"].get(call.params["id"])) is None:
            raise Refusal(404, {"error": "RecordNotFound", "description": "Not found"})
        return Reply(200, {"user": user})

    def _show_users(self, call: Call) -> Reply:
        users = self.state["users"]
        rows = [users[number] for number in _ids(call) if number in users]
        return Reply(200, lists.page(call, "users", rows))

    def _groups_of(self, call: Call) -> Reply:
        numbers = self.state["memberships"].get(call.params["id"], [])
        rows = [group for group in self.state["groups"] if group["id"] in numbers]
        return Reply(200, lists.page(call, "groups", rows))

    def _search_users(self, call: Call) -> Reply:
        wanted = (call.q("query") or "").removeprefix("email:").strip('"').casefold()
        users = self.state["users"].values()
        rows = [u for u in users if wanted in (u["email"].casefold(), u["name"].casefold())]
        return Reply(200, lists.page(call, "users", rows))


def _ids(call: Call) -> list[str]:
    """The `ids` of a show_many; Zendesk takes a hundred."""
    numbers = (call.q("ids") or "").split(",")
    if len(numbers) > MOST_SHOWN or not all(number.isdigit() for number in numbers):
        text = f"ids: give 1 to {MOST_SHOWN} ids, separated by commas"
        raise Refusal(400, {"error": "InvalidValue", "description": text})
    return numbers
