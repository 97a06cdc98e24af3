"""What every stand-in has in common: faults, log, clock, counts, saving, a quick end."""

import base64
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.sandbox import Sandbox, credentials, server
from connector.sandbox.core import Call, Clock, Fault, Reply, Route, Vendor

AUTH = ("agent@example.com/token", "zd-sandbox-token")
TICKET = {"ticket": {"subject": "s", "comment": {"body": "b", "public": False}}}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


def create(
    sandbox: Sandbox, body: Any = TICKET, timeout: float = 5, **options: Any
) -> requests.Response:
    url = f"{sandbox.urls['zendesk']}/api/v2/tickets"
    return requests.post(url, json=body, auth=AUTH, timeout=timeout, **options)


def control(sandbox: Sandbox, method: str, what: str, body: Any = None) -> requests.Response:
    url = f"{sandbox.urls['zendesk']}/_sandbox/{what}"
    return requests.request(method, url, json=body, timeout=5)


def made(sandbox: Sandbox) -> int:
    return sandbox.counts()["zendesk.ticket"]


def test_every_vendor_and_the_mail_server_accept_connections(sandbox: Sandbox) -> None:
    assert set(sandbox.urls) == {
        "zendesk",
        "salesforce",
        "hubspot",
        "slack",
        "mail",
        "smtp",
        "delighted",
        "google",
        "hotjar",
    }
    for url in sandbox.urls.values():
        host, port = url.removeprefix("http://").split(":")
        socket.create_connection((host, int(port)), timeout=1).close()


def test_a_lost_reply_has_done_its_work(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("lose_reply", method="POST", path="/api/v2/tickets")
    with pytest.raises(requests.ConnectionError):
        create(sandbox)
    assert made(sandbox) == 1
    assert create(sandbox).status_code == 201  # once only
    assert made(sandbox) == 2


def test_a_dropped_request_has_done_nothing(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("drop")
    with pytest.raises(requests.ConnectionError):
        create(sandbox)
    assert made(sandbox) == 0


def test_a_hanging_request_does_no_work_and_is_then_cut(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("hang", seconds=0.05)
    with pytest.raises(requests.ConnectionError):
        create(sandbox)
    assert made(sandbox) == 0


def test_a_slow_request_works_even_when_the_client_has_gone(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("slow", seconds=0.2)
    with pytest.raises(requests.Timeout):
        create(sandbox, timeout=0.05)
    assert made(sandbox) == 0
    deadline = time.monotonic() + 5
    while made(sandbox) == 0 and time.monotonic() < deadline:
        control(sandbox, "GET", "counts")
    assert made(sandbox) == 1


def test_a_held_request_does_not_work_into_the_next_test(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("slow", seconds=0.1)
    with pytest.raises(requests.Timeout):
        create(sandbox, timeout=0.05)
    sandbox.reset()
    sandbox.zendesk.fault("slow", seconds=0.2)
    assert create(sandbox).status_code == 201
    assert made(sandbox) == 1


def test_a_status_is_answered_as_ordered(sandbox: Sandbox) -> None:
    later = "Wed, 25 Nov 2026 16:00:00 GMT"
    for fault in (
        {"fault": "status", "status": 429, "headers": {"Retry-After": later}},
        {"fault": "status", "status": 500, "body": "<h1>Oh</h1>"},
    ):
        assert control(sandbox, "POST", "faults", fault).status_code == 200
    first, second = create(sandbox), create(sandbox)
    assert (first.status_code, first.headers["Retry-After"]) == (429, later)
    assert (second.status_code, second.text) == (500, "<h1>Oh</h1>")
    assert second.headers["Content-Type"].startswith("text/html")
    assert made(sandbox) == 0


def test_a_fault_hits_only_its_method_and_path(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("status", method="POST", path="/api/v2/tickets/create_many")
    sandbox.zendesk.fault("status", method="PUT")
    assert create(sandbox).status_code == 201


def test_a_fault_can_hit_every_request_once_and_its_repetition_never(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("status", status=503, each_body=True)
    other = {"ticket": {"subject": "other", "comment": {"body": "b"}}}
    statuses = [create(sandbox, body).status_code for body in (TICKET, other, TICKET, other)]
    assert statuses == [503, 503, 201, 201]


def test_a_fault_can_let_some_requests_pass_first(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("status", skip=1, times=None)
    assert [create(sandbox).status_code for _ in range(3)] == [201, 500, 500]


def test_faults_can_be_cleared_and_unknown_ones_are_named(sandbox: Sandbox) -> None:
    control(sandbox, "POST", "faults", [{"fault": "drop", "times": None}])
    assert control(sandbox, "DELETE", "faults").json() == {"armed": 0}
    assert create(sandbox).status_code == 201
    refused = control(sandbox, "POST", "faults", {"fault": "explode"})
    assert refused.status_code == 400
    assert "half_batch" in refused.json()["error"]
    assert control(sandbox, "POST", "faults", {"fault": "drop", "colour": 1}).status_code == 400


def test_the_log_tells_what_really_arrived(sandbox: Sandbox) -> None:
    sandbox.zendesk.fault("drop")
    with pytest.raises(requests.ConnectionError):
        create(sandbox)
    create(sandbox, headers={"Idempotency-Key": "k"})
    first, second = control(sandbox, "GET", "log").json()
    assert (first["fault"], first["status"]) == ("drop", None)
    assert (second["method"], second["path"], second["status"]) == ("POST", "/api/v2/tickets", 201)
    assert second["headers"]["idempotency-key"] == "k"
    assert json.loads(second["body"]) == TICKET
    assert len(sandbox.zendesk.calls("POST", "/api/v2/tickets")) == 2


def test_counts_and_state_need_no_vendor_login(sandbox: Sandbox) -> None:
    create(sandbox)
    assert control(sandbox, "GET", "counts").json()["zendesk.ticket"] == 1
    assert len(control(sandbox, "GET", "state").json()["tickets"]) == 1
    assert control(sandbox, "GET", "nonsense").status_code == 404


def test_the_clock_is_shared_and_moved_over_http(sandbox: Sandbox) -> None:
    before = sandbox.clock.now()
    assert control(sandbox, "POST", "clock", {"advance_seconds": 7200}).status_code == 200
    assert 7200 <= (sandbox.clock.now() - before).total_seconds() < 7260
    assert sandbox.clock.timestamp() - before.timestamp() >= 7200
    assert sandbox.salesforce.clock is sandbox.zendesk.clock
    assert control(sandbox, "POST", "clock", {"advance": 1}).status_code == 400


def test_a_hanging_request_is_logged_while_it_hangs(sandbox: Sandbox) -> None:
    """Not when it ends: by then the log may be another test's."""
    sandbox.zendesk.fault("hang", seconds=600)
    with pytest.raises(requests.Timeout):
        create(sandbox, timeout=0.05)
    deadline = time.monotonic() + 5
    while not sandbox.zendesk.log and time.monotonic() < deadline:
        control(sandbox, "GET", "counts")
    [entry] = sandbox.zendesk.calls()
    assert (entry.method, entry.status, entry.fault) == ("POST", None, "hang")


def test_a_sandbox_ends_even_while_a_request_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LAST_REQUESTS_SECONDS", 600)
    others = threading.enumerate()
    sandbox = Sandbox()
    sandbox.start()
    sandbox.zendesk.fault("hang", seconds=600)
    failures: list[BaseException] = []

    def call() -> None:
        try:
            create(sandbox, timeout=30)
        except requests.RequestException as failure:
            failures.append(failure)

    caller = threading.Thread(target=call)
    caller.start()
    deadline = time.monotonic() + 5
    while not sandbox.zendesk.faults[0].seen and time.monotonic() < deadline:
        control(sandbox, "GET", "counts")
    sandbox.stop()
    caller.join(10)
    assert isinstance(failures[0], requests.ConnectionError)
    assert set(threading.enumerate()) <= set(others)


def test_a_reopened_sandbox_knows_everything_and_keeps_its_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(tmp_path) as first:
        create(first, headers={"Idempotency-Key": "k"})
        first.clock.advance(60)
        urls, account = first.urls, first.secrets["GOOGLE_SERVICE_ACCOUNT"]
    monkeypatch.setattr(credentials, "_keys", {})  # as in another process
    with Sandbox(tmp_path) as second:
        assert second.urls == urls
        assert second.secrets["GOOGLE_SERVICE_ACCOUNT"] == account
        assert second.clock.offset_seconds == 60
        again = create(second, headers={"Idempotency-Key": "k"})
        assert again.headers["x-idempotency-lookup"] == "hit"
        assert made(second) == 1


def test_changes_are_saved_while_it_runs(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox:
        create(sandbox)
        deadline = time.monotonic() + 5
        saved: dict[str, Any] = {"tickets": {}}
        while not saved["tickets"] and time.monotonic() < deadline:
            control(sandbox, "GET", "counts")
            saved = json.loads((tmp_path / "zendesk.json").read_text())
        assert len(saved["tickets"]) == 1


def test_a_reset_puts_everything_back(sandbox: Sandbox) -> None:
    create(sandbox)
    sandbox.zendesk.fault("drop")
    sandbox.clock.advance(5)
    sandbox.reset()
    assert (made(sandbox), sandbox.clock.offset_seconds) == (0, 0)
    assert create(sandbox).status_code == 201
    assert len(sandbox.zendesk.calls()) == 1


ODD_BODIES: list[Any] = [
    None,
    7,
    "text",
    [],
    [7],
    {},
    *({name: odd} for name in ("ticket", "tags") for odd in (None, 7, "x", [7], {"id": 7})),
    {"ticket": {"comment": [7], "requester": {"email": 7}, "custom_fields": [{"id": []}]}},
    {"ticket": {"priority": [], "status": {}, "group_id": [], "assignee_email": {}, "tags": [7]}},
    {"ticket": {"requester_id": [], "due_at": 7, "metadata": None, "external_id": {}}},
    {"tickets": [None, 7, {"id": []}, {"comment": {"body": 7}}]},
    {"records": 7},
    {"records": [7]},
    {"records": [{"attributes": 7}]},
    {"records": [{"attributes": {"type": "Task"}, "NPS_Response_Id__c": 7}]},
    {"records": [{"attributes": {"type": "Task"}, "WhoId": [], "Priority": {}}]},
    {"Subject": [], "WhoId": 7},
    {"inputs": 7},
    {"inputs": [None]},
    {"inputs": [{"id": [], "properties": {"email": "x@example.com"}, "idProperty": []}]},
    {"inputs": [{"id": "x", "properties": {}, "associations": 7, "objectWriteTraceId": []}]},
    {"inputs": [{"properties": {}, "associations": [{"to": 7, "types": 7}]}]},
    {
        "inputs": [
            {
                "properties": {"hs_timestamp": "1764000000000"},
                "associations": [
                    {
                        "to": {"id": []},
                        "types": [{"associationCategory": [], "associationTypeId": []}],
                    }
                ],
            }
        ]
    },
    {"inputs": [{"id": "x"}], "properties": 7, "idProperty": 7},
    {"properties": 7},
    {"properties": {"hs_timestamp": 7}},
    {"filterGroups": 7},
    {"filterGroups": [7]},
    {"filterGroups": [{"filters": [7]}], "limit": "x", "after": []},
    {"filterGroups": [{"filters": [{"propertyName": [], "operator": []}]}]},
    {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "IN"}]}]},
    {"name": [], "label": 7},
    {"channel": [], "text": 7, "blocks": [7]},
    {"channel": "nps", "text": "x", "blocks": [{"type": "section", "text": {"text": 7}}]},
]


@pytest.mark.parametrize("name", ["zendesk", "salesforce", "hubspot", "slack"])
def test_no_body_however_odd_breaks_a_stand_in(sandbox: Sandbox, name: str) -> None:
    vendor = sandbox.vendors[name]
    zendesk = base64.b64encode(":".join(AUTH).encode()).decode()
    sandbox.salesforce.state["tokens"]["t"] = sandbox.clock.timestamp() + 100
    authorization = {
        "zendesk": f"Basic {zendesk}",
        "salesforce": "Bearer t",
        "hubspot": "Bearer pat-sandbox",
        "slack": "Bearer xoxb-sandbox",
    }[name]
    headers = {"authorization": authorization, "content-type": "application/json"}
    number = create(sandbox).json()["ticket"]["id"]
    values = {
        "version": "v64.0",
        "kind": "tasks",
        "field": "NPS_Response_Id__c",
        "id": {"zendesk": str(number), "hubspot": "101"}.get(name, "00TSx0000000100AAA"),
    }
    for method, template, _ in vendor.routes():
        path = re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "x"), template)
        for kind in ("tasks", "contacts") if "{kind}" in template else ("",):
            for body in ODD_BODIES:
                place = path.replace("/tasks", f"/{kind}") if kind else path
                sent = json.dumps(body).encode()
                call = Call(method, place, {}, [], headers, sent)
                assert vendor.answer(call, place).status < 500


class Echo(Vendor):
    """The smallest stand-in."""

    name = "echo"

    def routes(self) -> list[Route]:
        return [("POST", "/things/{kind}/{id}", self.show)]

    def show(self, call: Call) -> Reply:
        return Reply(200, {"params": call.params, "form": call.form(), "q": call.q("a", "none")})


def ask(raw_path: str, body: bytes = b"", query: Any = ()) -> Any:
    vendor = Echo(Clock(), {})
    call = Call("POST", raw_path, {}, list(query), {}, body)
    reply = vendor.answer(call, raw_path)
    return reply.status, json.loads(reply.body)


def test_an_encoded_slash_stays_inside_its_path_parameter() -> None:
    status, body = ask("/things/a/r%2F1%3F%C3%A9", b"x=1&y=", [("a", "first"), ("a", "second")])
    assert status == 200
    assert body["params"] == {"kind": "a", "id": "r/1?é"}
    assert body["form"] == {"x": "1", "y": ""}
    assert body["q"] == "first"


def test_an_unknown_path_is_the_vendors_404() -> None:
    assert ask("/things/a")[0] == 404


@pytest.mark.parametrize(
    ("fault", "fires"),
    [
        (Fault("drop"), True),
        (Fault("drop", path="/things"), True),
        (Fault("drop", path="/other"), False),
        (Fault("drop", method="GET"), False),
        (Fault("drop", times=0), False),
        (Fault("drop", times=None), True),
    ],
)
def test_a_fault_knows_which_calls_it_hits(fault: Fault, fires: bool) -> None:
    assert fault.fires(Call("POST", "/things/1", {}, [], {}, b"")) is fires
