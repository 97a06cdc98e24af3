"""People at the stand-in's desk: each change leaves an audit; what Zendesk refuses is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector.sandbox import Sandbox
from connector.sandbox.core import Refusal
from connector.sandbox.zendesk import Zendesk

AUTH = ("agent@example.com/token", "zd-sandbox-token")
ANA, BRUNO = 9002, 9003


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


@pytest.fixture
def zendesk(sandbox: Sandbox) -> Zendesk:
    return sandbox.zendesk


def ask(sandbox: Sandbox, path: str, **params: Any) -> Any:
    url = f"{sandbox.urls['zendesk']}/api/v2/{path}"
    return requests.get(url, params=params, auth=AUTH, timeout=5)


def made(sandbox: Sandbox, **fields: Any) -> int:
    requester = {"name": "Jo", "email": "jo@example.org"}
    ticket = {"comment": {"body": "why", "public": False}, "requester": requester, **fields}
    url = f"{sandbox.urls['zendesk']}/api/v2/tickets"
    answer = requests.post(url, json={"ticket": ticket}, auth=AUTH, timeout=5)
    number: int = answer.json()["ticket"]["id"]
    return number


def test_each_pair_of_hands_leaves_an_audit_with_its_author_and_channel(
    sandbox: Sandbox, zendesk: Zendesk
) -> None:
    number, other = made(sandbox), made(sandbox)
    requester = zendesk.state["tickets"][str(number)]["requester_id"]
    zendesk.take(number)
    zendesk.assign(number, to=BRUNO)
    zendesk.comment(number, "Hello", public=True, agent_id=BRUNO)
    zendesk.set_status(number, "pending", agent_id=BRUNO)
    zendesk.reply(number)
    zendesk.solve(number, {"Root cause": "cause_slow_support"}, agent_id=BRUNO)
    zendesk.reopen(number)
    zendesk.automation(number, priority="high")
    zendesk.merge(number, into=other)
    audits = ask(sandbox, f"tickets/{number}/audits").json()["audits"]
    assert [(audit["author_id"], audit["via"]["channel"]) for audit in audits] == [
        (9001, "api"),
        (ANA, "web"),
        (ANA, "web"),
        (BRUNO, "web"),
        (BRUNO, "web"),
        (requester, "email"),
        (BRUNO, "web"),
        (ANA, "web"),
        (-1, "rule"),
        (ANA, "web"),
    ]
    assert audits[-1]["via"]["source"]["rel"] == "merge"
    assert "closed_by_merge" in zendesk.state["tickets"][str(number)]["tags"]


def test_a_new_ticket_opens_when_somebody_gets_it_and_a_waiting_one_when_the_customer_answers(
    sandbox: Sandbox, zendesk: Zendesk
) -> None:
    number = made(sandbox)
    assert zendesk.assign(number, to=BRUNO)["status"] == "open"
    zendesk.set_status(number, "pending")
    assert zendesk.reply(number)["status"] == "open"


def test_what_a_trigger_does_stands_in_the_audit_of_who_set_it_off(
    sandbox: Sandbox, zendesk: Zendesk
) -> None:
    number = made(sandbox)
    zendesk.trigger(tags=["vip"])
    zendesk.comment(number, "Hello")
    audit = ask(sandbox, f"tickets/{number}/audits").json()["audits"][-1]
    assert audit["author_id"] == ANA
    by_rule = [event.get("via", {}).get("channel") == "rule" for event in audit["events"]]
    assert by_rule == [False, True]


def test_hands_are_refused_what_zendesk_refuses(sandbox: Sandbox, zendesk: Zendesk) -> None:
    number = made(sandbox)
    for act in (
        lambda: zendesk.assign(number, to=4711),
        lambda: zendesk.solve(number, {"Root cause": "no such option"}),
        lambda: zendesk.set_status(number, "done"),
        lambda: zendesk.comment(number, " "),
    ):
        with pytest.raises(Refusal):
            act()
    assert len(zendesk.state["audits"][str(number)]) == 1
    zendesk.solve(number)
    zendesk.close(number)
    with pytest.raises(Refusal):
        zendesk.comment(number, "one more thing")
    with pytest.raises(Refusal):
        zendesk.reply(number)


def test_a_metric_set_is_in_the_tickets_of_an_export_and_beside_those_of_a_list(
    sandbox: Sandbox, zendesk: Zendesk
) -> None:
    number = made(sandbox)
    zendesk.solve(number)
    zendesk.reopen(number)
    zendesk.solve(number)
    sandbox.clock.advance(120)
    since = int(sandbox.clock.timestamp()) - 600
    path = "incremental/tickets/cursor"
    [exported] = ask(sandbox, path, start_time=since, include="metric_sets").json()["tickets"]
    listed = ask(sandbox, "tickets/show_many", ids=number, include="metric_sets").json()
    assert listed["metric_sets"] == [exported["metric_set"]]
    assert exported["metric_set"]["reopens"] == 1
    assert exported["metric_set"]["solved_at"] == exported["updated_at"]
    assert "metric_set" not in ask(sandbox, path, start_time=since).json()["tickets"][0]


def test_the_export_is_for_administrators_and_takes_one_place_at_a_time(
    sandbox: Sandbox, zendesk: Zendesk
) -> None:
    path = "incremental/tickets/cursor"
    assert ask(sandbox, path, start_time=0, cursor="x").status_code == 400
    with zendesk.changing():
        zendesk.state["users"]["9001"]["role"] = "agent"
    assert ask(sandbox, path, start_time=0).status_code == 403


@pytest.mark.parametrize("ids", ["", "x", ",".join(map(str, range(1, 102)))])
def test_a_hundred_tickets_or_users_are_shown_at_once(sandbox: Sandbox, ids: str) -> None:
    for what in ("tickets", "users"):
        assert ask(sandbox, f"{what}/show_many", ids=ids).status_code == 400
    assert [
        user["role"] for user in ask(sandbox, "users/show_many", ids="9002,4711").json()["users"]
    ] == ["agent"]


def test_hands_are_reached_over_http_and_unknown_ones_are_named(
    sandbox: Sandbox, zendesk: Zendesk
) -> None:
    number = made(sandbox)
    hands = f"{sandbox.urls['zendesk']}/_sandbox/hands"

    def do(**told: Any) -> requests.Response:
        return requests.post(hands, json=told, timeout=5)

    assert do(do="take", ticket_id=number).json()["assignee_id"] == ANA
    assert do(do="delete", ticket_id=number).status_code == 200
    assert ask(sandbox, f"tickets/{number}").status_code == 404
    assert do(do="restore", ticket_id=number).json()["status"] == "open"
    assert "take" in do(do="reset").json()["error"]
    assert do(do="set_status", ticket_id=number, status="done").status_code == 422
    assert do(do="take", ticket=number).status_code == 400
    assert do(do="take", ticket_id=4711).json()["error"] == "RecordNotFound"
