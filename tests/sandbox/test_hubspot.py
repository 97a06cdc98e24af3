"""The HubSpot stand-in: batches with and without trace ids, one task per unique value."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from hubspot import HubSpot as Client
from hubspot.crm.objects.tasks import exceptions as task_errors

from connector.sandbox import Sandbox
from connector.sandbox.hubspot import HubSpot

TOKEN = {"Authorization": "Bearer pat-sandbox"}
TASKS = "/crm/v3/objects/tasks"
CONTACTS = "/crm/v3/objects/contacts"
DORA = {"to": {"id": "101"}, "types": [{"associationCategory": "HUBSPOT_DEFINED"}]}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


@pytest.fixture
def hubspot(sandbox: Sandbox) -> HubSpot:
    return sandbox.hubspot


class Api:
    def __init__(self, base: str) -> None:
        self.base = base

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        options = {"headers": TOKEN, **options}
        return requests.request(method, self.base + path, json=body, timeout=5, **options)

    def create(self, *inputs: dict[str, Any]) -> Any:
        return self("POST", f"{TASKS}/batch/create", {"inputs": list(inputs)})

    def read(self, *markers: str) -> Any:
        body = {
            "idProperty": "nps_action_id",
            "properties": ["hs_task_status"],
            "inputs": [{"id": marker} for marker in markers],
        }
        return self("POST", f"{TASKS}/batch/read", body)


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox.urls["hubspot"])


def association(to: str = "101", type_id: int = 204) -> dict[str, Any]:
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}
    return {"to": {"id": to}, "types": [kind]}


def task(marker: str = "a1", trace: str | None = None, **changes: Any) -> dict[str, Any]:
    """An input; `changes` are properties, and `associations`."""
    associations = changes.pop("associations", [association()])
    properties = {
        "hs_timestamp": "2026-11-24T12:00:00Z",
        "hs_task_subject": "Call",
        "nps_action_id": marker,
        **changes,
    }
    properties = {name: value for name, value in properties.items() if value is not None}
    made: dict[str, Any] = {"properties": properties, "associations": associations}
    return made | ({"objectWriteTraceId": trace} if trace else {})


BAD_ITEMS: list[tuple[str, dict[str, Any], str, str]] = [
    ("no due date", {"hs_timestamp": None}, "VALIDATION_ERROR", "REQUIRED_FIELD"),
    ("no date", {"hs_timestamp": "soon"}, "VALIDATION_ERROR", "INVALID_DATE"),
    ("date without zone", {"hs_timestamp": "2026-11-24T12:00"}, "VALIDATION_ERROR", "INVALID_DATE"),
    ("seconds", {"hs_timestamp": "1764000000"}, "VALIDATION_ERROR", "INVALID_DATE"),
    ("unknown property", {"mood": "x"}, "VALIDATION_ERROR", "PROPERTY_DOESNT_EXIST"),
    ("unknown status", {"hs_task_status": "OPEN"}, "VALIDATION_ERROR", "INVALID_OPTION"),
    ("unknown priority", {"hs_task_priority": "URGENT"}, "VALIDATION_ERROR", "INVALID_OPTION"),
    ("unknown type", {"hs_task_type": "MEETING"}, "VALIDATION_ERROR", "INVALID_OPTION"),
    ("unknown owner", {"hubspot_owner_id": "1"}, "VALIDATION_ERROR", "INVALID_OWNER_ID"),
    (
        "deal association to a contact",
        {"associations": [association(type_id=3)]},
        "VALIDATION_ERROR",
        "INVALID_ASSOCIATION_TYPE",
    ),
    (
        "unknown contact",
        {"associations": [association("999")]},
        "OBJECT_NOT_FOUND",
        "INVALID_OBJECT_IDS",
    ),
    ("used marker", {"nps_action_id": "used"}, "VALIDATION_ERROR", "CONFLICTING_UNIQUE_VALUE"),
]
bad_items = pytest.mark.parametrize(
    ("changes", "category", "code"),
    [row[1:] for row in BAD_ITEMS],
    ids=[row[0] for row in BAD_ITEMS],
)


@bad_items
def test_with_trace_ids_one_bad_item_is_refused_alone(
    api: Api, hubspot: HubSpot, changes: dict[str, Any], category: str, code: str
) -> None:
    api.create(task("used"))
    answer = api.create(task("good", "t1"), task("bad", "t2", **changes), task("fine", "t3"))
    body = answer.json()
    assert (answer.status_code, body["numErrors"]) == (207, 1)
    assert [result["objectWriteTraceId"] for result in body["results"]] == ["t1", "t3"]
    error = body["errors"][0]
    assert error["context"] == {"objectWriteTraceId": ["t2"]}
    assert (error["category"], error["errors"][0]["code"]) == (category, code)
    assert hubspot.counts() == {"hubspot.task": 3}


@bad_items
def test_without_trace_ids_one_bad_item_refuses_the_batch(
    api: Api, hubspot: HubSpot, changes: dict[str, Any], category: str, code: str
) -> None:
    api.create(task("used"))
    answer = api.create(task("good", "t1"), task("bad", **changes))
    body = answer.json()
    assert answer.status_code in (400, 409)
    assert (body["category"], body["errors"][0]["code"]) == (category, code)
    assert hubspot.counts() == {"hubspot.task": 1}


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [task(f"a{n}") for n in range(101)],
        ["task"],
        [{"associations": []}],
        [{"properties": {"hs_timestamp": "2026-11-24T12:00:00Z"}}],
        [task("a1", "t1", hs_task_priority=1)],
        [task("a1", "t1", associations=[{"to": {"id": "101"}}])],
        [task("a1", "t1", associations=[DORA])],
        [task("a1", "t1", associations=None)],
        [task("a1", "same"), task("a2", "same")],
    ],
    ids=[
        "empty",
        "101 inputs",
        "no object",
        "no properties",
        "no associations",
        "number as value",
        "association without types",
        "association without type id",
        "associations null",
        "one trace id twice",
    ],
)
def test_an_unreadable_batch_is_refused_whole(
    api: Api, hubspot: HubSpot, inputs: list[Any]
) -> None:
    good = [] if len(inputs) in (0, 101) else [task("good", "t0")]
    answer = api("POST", f"{TASKS}/batch/create", {"inputs": [*good, *inputs]})
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
    assert hubspot.counts() == {"hubspot.task": 0}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "category"),
    [
        ("GET", f"{TASKS}/7", None, 404, "OBJECT_NOT_FOUND"),
        ("PATCH", f"{TASKS}/7", {"properties": {}}, 404, "OBJECT_NOT_FOUND"),
        ("GET", "/crm/v3/objects/moods/7", None, 404, "OBJECT_NOT_FOUND"),
        ("GET", "/crm/v3/properties/tasks/mood", None, 404, "OBJECT_NOT_FOUND"),
        ("POST", f"{TASKS}/batch/read", {"inputs": [{"id": 7}]}, 400, "VALIDATION_ERROR"),
        (
            "POST",
            f"{TASKS}/batch/read",
            {"idProperty": "hs_task_subject", "inputs": [{"id": "Call"}]},
            400,
            "VALIDATION_ERROR",
        ),
        (
            "POST",
            f"{CONTACTS}/batch/update",
            {"inputs": [{"id": "dora@example.com", "idProperty": "email", "properties": {}}]},
            400,
            "VALIDATION_ERROR",
        ),
        (
            "POST",
            f"{TASKS}/batch/upsert",
            {"inputs": [{"id": "a", "idProperty": "nps_action_id", **task()}]},
            400,
            "VALIDATION_ERROR",
        ),
        ("POST", f"{CONTACTS}/search", {"limit": 201}, 400, "VALIDATION_ERROR"),
        ("POST", f"{CONTACTS}/search", {"after": "9999"}, 400, "VALIDATION_ERROR"),
        ("POST", "/crm/v3/properties/tasks", {"name": "x"}, 400, "VALIDATION_ERROR"),
        (
            "POST",
            CONTACTS,
            {"properties": {"email": "DORA@example.com"}, "associations": []},
            409,
            "CONFLICT",
        ),
        ("POST", TASKS, task(hs_timestamp="soon"), 400, "VALIDATION_ERROR"),
    ],
)
def test_a_wrong_request_is_refused(
    api: Api, method: str, path: str, body: Any, status: int, category: str
) -> None:
    answer = api(method, path, body)
    assert (answer.status_code, answer.json()["category"]) == (status, category)
    assert answer.json()["status"] == "error"


def test_a_conflict_of_contacts_names_the_existing_one(api: Api) -> None:
    answer = api("POST", CONTACTS, {"properties": {"email": "dora@example.com"}})
    assert answer.json()["message"] == "Contact already exists. Existing ID: 101"


def test_a_body_that_is_not_json_is_refused(api: Api) -> None:
    assert api("POST", f"{TASKS}/batch/create", data=b"{").status_code == 400


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer old"}])
def test_a_wrong_token_is_refused(api: Api, headers: dict[str, str]) -> None:
    answer = api("GET", "/crm/v3/owners", headers=headers)
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


# -- contacts --------------------------------------------------------------------------------------


def test_unknown_contacts_make_the_answer_a_207(api: Api) -> None:
    body: dict[str, Any] = {
        "idProperty": "email",
        "properties": ["email", "hubspot_owner_id"],
        "inputs": [{"id": "Dora@example.com"}, {"id": "nobody@example.com"}],
    }
    answer = api("POST", f"{CONTACTS}/batch/read", body)
    assert answer.status_code == 207
    assert [row["id"] for row in answer.json()["results"]] == ["101"]
    assert answer.json()["results"][0]["properties"]["hubspot_owner_id"] == "64492917"
    assert answer.json()["errors"][0]["context"] == {"ids": ["nobody@example.com"]}
    del body["inputs"][1]
    assert api("POST", f"{CONTACTS}/batch/read", body).status_code == 200


def test_the_search_lags_behind_and_reading_does_not(api: Api, sandbox: Sandbox) -> None:
    made = sandbox.hubspot.add_contact("new@example.com", firstname="Nora")
    by_email = {"idProperty": "email", "inputs": [{"id": "new@example.com"}]}
    read = api("POST", f"{CONTACTS}/batch/read", by_email).json()
    assert [row["id"] for row in read["results"]] == [made["id"]]
    one = {"propertyName": "email", "operator": "EQ", "value": "new@example.com"}
    search = {"filterGroups": [{"filters": [one]}], "properties": ["email"]}
    assert api("POST", f"{CONTACTS}/search", search).json()["total"] == 0
    sandbox.clock.advance(61)
    found = api("POST", f"{CONTACTS}/search", search)
    assert [row["id"] for row in found.json()["results"]] == [made["id"]]
    assert "X-HubSpot-RateLimit-Max" not in found.headers


def test_search_results_come_in_pages(api: Api) -> None:
    first = api("POST", f"{CONTACTS}/search", {"limit": 2}).json()
    assert (first["total"], len(first["results"])) == (3, 2)
    after = first["paging"]["next"]["after"]
    second = api("POST", f"{CONTACTS}/search", {"limit": 2, "after": after}).json()
    assert (len(second["results"]), "paging" in second) == (1, False)


def test_contacts_are_upserted_by_address(api: Api) -> None:
    inputs = [
        {"id": email, "idProperty": "email", "properties": {"email": email}}
        for email in ("dora@example.com", "new@example.com")
    ]
    answer = api("POST", f"{CONTACTS}/batch/upsert", {"inputs": inputs})
    assert [row["new"] for row in answer.json()["results"]] == [False, True]


# -- tasks -----------------------------------------------------------------------------------------


def test_a_batch_of_tasks_is_made_with_its_associations(api: Api, hubspot: HubSpot) -> None:
    answer = api.create(task("a1", "t1"), task("a2", "t2", associations=[]))
    assert (answer.status_code, answer.json()["status"]) == (201, "COMPLETE")
    first, second = (row["id"] for row in answer.json()["results"])
    assert hubspot.associations(first) == [("101", 204)]
    assert hubspot.associations(second) == []
    assert answer.json()["results"][0]["properties"]["hs_task_status"] == "NOT_STARTED"
    assert hubspot.counts() == {"hubspot.task": 2}


def test_without_trace_ids_one_marker_twice_refuses_the_batch(api: Api, hubspot: HubSpot) -> None:
    assert api.create(task("a1"), task("a1")).status_code == 409
    assert hubspot.counts() == {"hubspot.task": 0}


def test_after_a_lost_reply_the_tasks_are_found_by_their_marker(api: Api, hubspot: HubSpot) -> None:
    hubspot.fault("lose_reply", path=f"{TASKS}/batch/create")
    with pytest.raises(requests.ConnectionError):
        api.create(task("a1", "t1"), task("a2", "t2"))
    found = api.read("a1", "a2", "a3")
    assert (found.status_code, len(found.json()["results"])) == (207, 2)
    again = api.create(task("a1", "t1"), task("a2", "t2"))
    codes = [error["errors"][0]["code"] for error in again.json()["errors"]]
    assert codes == ["CONFLICTING_UNIQUE_VALUE"] * 2
    assert hubspot.counts() == {"hubspot.task": 2}


@pytest.mark.parametrize(("traces", "status"), [((None, None), 400), (("t1", "t2"), 207)])
def test_every_second_item_of_a_batch_can_fail(
    api: Api, hubspot: HubSpot, traces: tuple[str | None, str | None], status: int
) -> None:
    hubspot.fault("half_batch")
    assert api.create(task("a1", traces[0]), task("a2", traces[1])).status_code == status


def test_completion_is_dated_and_shown(api: Api, hubspot: HubSpot) -> None:
    number = api.create(task()).json()["results"][0]["id"]
    hubspot.complete(number)
    properties = api.read("a1").json()["results"][0]["properties"]
    assert properties["hs_task_status"] == "COMPLETED"
    shown = api("GET", f"{TASKS}/{number}?properties=hs_task_completion_date").json()
    assert shown["properties"]["hs_task_completion_date"].endswith("Z")
    hubspot.touch_by_agent(number, hs_task_status="WAITING")
    shown = api("GET", f"{TASKS}/{number}?properties=hs_task_completion_date").json()
    assert shown["properties"]["hs_task_completion_date"] is None


def test_tasks_are_updated_alone_and_in_batches(api: Api) -> None:
    first, second = (row["id"] for row in api.create(task("a1"), task("a2")).json()["results"])
    body = {"properties": {"hs_task_priority": "HIGH"}}
    assert api("PATCH", f"{TASKS}/{first}", body).json()["properties"]["hs_task_priority"] == "HIGH"
    by_marker = api("PATCH", f"{TASKS}/a2?idProperty=nps_action_id", body)
    assert by_marker.json()["id"] == second
    wrong = {"properties": {"hs_task_priority": "URGENT"}}
    assert api("PATCH", f"{TASKS}/{first}", wrong).status_code == 400
    taken = {"properties": {"nps_action_id": "a2"}}
    assert api("PATCH", f"{TASKS}/{first}", taken).status_code == 409
    inputs = [{"id": first, **body, "objectWriteTraceId": "t1"}]
    inputs.append({"id": "7", **body, "objectWriteTraceId": "t2"})
    answer = api("POST", f"{TASKS}/batch/update", {"inputs": inputs})
    assert (answer.status_code, len(answer.json()["results"])) == (207, 1)


def test_a_deleted_task_is_gone_and_frees_its_marker(api: Api, hubspot: HubSpot) -> None:
    number = api.create(task()).json()["results"][0]["id"]
    hubspot.delete(number)
    assert api("GET", f"{TASKS}/{number}").status_code == 404
    assert api.read("a1").json()["results"] == []
    assert api.create(task()).status_code == 201
    other = hubspot.tasks()[0]["id"]
    assert api("DELETE", f"{TASKS}/{other}").status_code == 204
    assert hubspot.tasks() == []


# -- properties, owners, limits --------------------------------------------------------------------


def test_the_marker_property_can_be_missing_and_be_made(api: Api, hubspot: HubSpot) -> None:
    assert api("GET", "/crm/v3/properties/tasks/nps_action_id").json()["hasUniqueValue"] is True
    hubspot.remove_marker()
    assert api("GET", "/crm/v3/properties/tasks/nps_action_id").status_code == 404
    assert api.read("a1").status_code == 400
    assert api.create(task()).json()["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"
    definition = {
        "name": "nps_action_id",
        "label": "NPS action",
        "groupName": "information",
        "type": "string",
        "fieldType": "text",
        "hasUniqueValue": True,
    }
    hubspot.state["settings"]["tasks_allow_unique"] = False
    assert api("POST", "/crm/v3/properties/tasks", definition).status_code == 400
    hubspot.state["settings"]["tasks_allow_unique"] = True
    assert api("POST", "/crm/v3/properties/tasks", definition).status_code == 201
    again = api("POST", "/crm/v3/properties/tasks", definition)
    assert (again.status_code, again.json()["category"]) == (409, "OBJECT_ALREADY_EXISTS")
    assert api.create(task()).status_code == 201
    assert api.create(task()).status_code == 409
    names = [one["name"] for one in api("GET", "/crm/v3/properties/tasks").json()["results"]]
    assert "nps_action_id" in names


def test_owners_are_found_by_address_and_in_pages(api: Api) -> None:
    found = api("GET", "/crm/v3/owners?email=casper@example.com").json()["results"]
    assert [owner["id"] for owner in found] == ["64492918"]
    first = api("GET", "/crm/v3/owners?limit=1").json()
    after = first["paging"]["next"]["after"]
    assert "paging" not in api("GET", f"/crm/v3/owners?limit=1&after={after}").json()


def test_any_ten_seconds_have_a_limit(api: Api, sandbox: Sandbox) -> None:
    sandbox.hubspot.state["settings"]["requests_per_10_seconds"] = 1
    sandbox.clock.advance(9.9 - sandbox.clock.timestamp() % 10)
    api("GET", "/crm/v3/owners")
    sandbox.clock.advance(5)  # into the next ten seconds of the clock
    assert api("GET", "/crm/v3/owners").status_code == 429
    sandbox.clock.advance(5)
    first, second = (api("GET", "/crm/v3/owners") for _ in range(2))
    assert first.headers["X-HubSpot-RateLimit-Remaining"] == "0"
    assert (second.status_code, second.json()["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
    assert second.json()["errorType"] == "RATE_LIMIT"
    sandbox.clock.advance(int(second.headers["Retry-After"]))
    assert api("GET", "/crm/v3/owners").status_code == 200


def test_searches_have_a_limit_of_their_own(api: Api) -> None:
    statuses = [api("POST", f"{CONTACTS}/search", {}).status_code for _ in range(60)]
    assert statuses[:5] == [200] * 5
    assert 429 in statuses


def test_the_day_ends_at_midnight_of_the_account(api: Api, sandbox: Sandbox) -> None:
    zone = ZoneInfo(api("GET", "/account-info/v3/details").json()["timeZone"])
    sandbox.hubspot.state["settings"]["requests_per_day"] = 0
    refused = api("GET", "/crm/v3/owners")
    assert (refused.status_code, refused.json()["policyName"]) == (429, "DAILY")
    assert "Retry-After" not in refused.headers
    sandbox.hubspot.state["settings"]["requests_per_day"] = 2  # the first call above was one
    local = sandbox.clock.now().astimezone(zone)
    evening = local.replace(hour=23, minute=59, second=30)
    sandbox.clock.advance((evening - local).total_seconds())
    assert [api("GET", "/crm/v3/owners").status_code for _ in range(2)] == [200, 429]
    sandbox.clock.advance(60)
    assert api("GET", "/crm/v3/owners").status_code == 200


# -- hubspot-api-client, the client that the product uses ------------------------------------------


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(access_token="pat-sandbox", host=sandbox.urls["hubspot"], retry=False)


def test_the_client_makes_and_reads_tasks(sandbox: Sandbox, client: Client) -> None:
    batch = client.crm.objects.tasks.batch_api
    made = batch.create({"inputs": [task("a1", "t1")]}, _request_timeout=5)
    assert made.results[0].object_write_trace_id == "t1"
    assert isinstance(made.results[0].created_at, datetime)
    partly = batch.create({"inputs": [task("a1", "t1"), task("a2", "t2")]}, _request_timeout=5)
    assert partly.errors[0].context == {"objectWriteTraceId": ["t1"]}
    assert partly.errors[0].errors[0].code == "CONFLICTING_UNIQUE_VALUE"
    wanted = {
        "idProperty": "nps_action_id",
        "properties": ["nps_action_id"],
        "propertiesWithHistory": [],
        "inputs": [{"id": "a2"}, {"id": "a3"}],
    }
    read = batch.read(wanted, _request_timeout=5)
    assert [row.properties["nps_action_id"] for row in read.results] == ["a2"]
    assert read.errors[0].context == {"ids": ["a3"]}
    number = read.results[0].id
    change = {"properties": {"hs_task_status": "COMPLETED"}}
    client.crm.objects.tasks.basic_api.update(number, change, _request_timeout=5)
    assert sandbox.hubspot.state["objects"]["tasks"][number]["properties"][
        "hs_task_completion_date"
    ]


def test_the_client_reads_contacts_owners_and_properties(client: Client) -> None:
    body = {
        "idProperty": "email",
        "properties": ["email"],
        "propertiesWithHistory": [],
        "inputs": [{"id": "dora@example.com"}],
    }
    assert client.crm.contacts.batch_api.read(body).results[0].id == "101"
    owners = client.crm.owners.owners_api.get_page(limit=100).results
    assert [owner.email for owner in owners] == ["sonia@example.com", "casper@example.com"]
    marker = client.crm.properties.core_api.get_by_name("tasks", "nps_action_id")
    assert marker.has_unique_value is True
    query = {"filterGroups": [], "limit": 1, "properties": ["email"]}
    found = client.crm.contacts.search_api.do_search(query)
    assert (found.total, found.paging.next.after) == (3, "1")


def test_the_client_sees_refusals(sandbox: Sandbox, client: Client) -> None:
    batch = client.crm.objects.tasks.batch_api
    with pytest.raises(task_errors.ApiException) as refused:
        batch.create({"inputs": [task(mood="x")]}, _request_timeout=5)
    assert refused.value.status == 400
    assert "PROPERTY_DOESNT_EXIST" in refused.value.body
    sandbox.hubspot.fault("status", status=429, headers={"Retry-After": "7"})
    with pytest.raises(task_errors.ApiException) as refused:
        batch.create({"inputs": [task()]}, _request_timeout=5)
    assert refused.value.headers["Retry-After"] == "7"


# -- hands ---------------------------------------------------------------------------------------


def by_hand(sandbox: Sandbox, **what: Any) -> requests.Response:
    url = f"{sandbox.urls['hubspot']}/_sandbox/hands"
    return requests.post(url, json=what, timeout=5)


def with_history(*ids: str) -> dict[str, Any]:
    names = {"properties": ["hubspot_owner_id"], "propertiesWithHistory": ["hs_task_status"]}
    return {**names, "inputs": [{"id": one} for one in ids]}


def test_people_work_on_tasks_and_the_history_tells_who(sandbox: Sandbox, api: Api) -> None:
    number = api.create(task()).json()["results"][0]["id"]
    row = sandbox.hubspot.crm.rows("tasks")[number]
    for do, more in (
        ("start", {}),
        ("reassign", {"to": "casper@example.com"}),
        ("fill", {"fields": {"nps_cause": "Late invoice"}}),
        ("complete", {}),
        ("reopen", {}),
    ):
        sandbox.clock.advance(60)
        before = row["properties"]["hs_lastmodifieddate"]
        answer = by_hand(sandbox, do=do, task_id=number, **more)
        assert answer.status_code == 200, answer.text
        assert row["properties"]["hs_lastmodifieddate"] > before
    [shown] = api("POST", f"{TASKS}/batch/read", with_history(number)).json()["results"]
    history = shown["propertiesWithHistory"]["hs_task_status"]
    told = [(one["value"], one["sourceType"]) for one in history]
    assert told == [
        ("IN_PROGRESS", "CRM_UI"),
        ("COMPLETED", "CRM_UI"),
        ("IN_PROGRESS", "CRM_UI"),
        ("NOT_STARTED", "INTEGRATION"),
    ]
    assert shown["properties"]["hubspot_owner_id"] == "64492918"


def test_a_deleted_task_is_shown_only_to_who_asks_for_deleted_ones(
    sandbox: Sandbox, api: Api
) -> None:
    number = api.create(task()).json()["results"][0]["id"]
    assert by_hand(sandbox, do="delete", task_id=number).status_code == 200
    path, body = f"{TASKS}/batch/read", {"properties": [], "inputs": [{"id": number}]}
    answer = api("POST", path, body)
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"ids": [number]}
    [shown] = api("POST", f"{path}?archived=true", body).json()["results"]
    assert shown["archived"]
    assert shown["archivedAt"]


def test_history_is_told_of_fifty_at_most_and_odd_ids_are_refused(api: Api) -> None:
    path = f"{TASKS}/batch/read"
    assert api("POST", path, with_history(*map(str, range(51)))).status_code == 400
    assert api("POST", path, with_history("see mail")).status_code == 400


@pytest.mark.parametrize(
    "what",
    [
        {"do": "dance"},
        {"do": "start", "task_id": "1"},
        {"do": "fill", "task_id": None, "fields": {"hs_task_status": "ODD"}},
        {"do": "reassign", "task_id": None, "to": "nobody@example.com"},
    ],
)
def test_a_hand_that_slips_changes_nothing(
    sandbox: Sandbox, api: Api, what: dict[str, Any]
) -> None:
    number = api.create(task()).json()["results"][0]["id"]
    before = dict(sandbox.hubspot.crm.rows("tasks")[number]["properties"])
    if "task_id" in what:
        what = what | {"task_id": what["task_id"] or number}
    assert by_hand(sandbox, **what).status_code == 400
    assert sandbox.hubspot.crm.rows("tasks")[number]["properties"] == before
