"""The Salesforce stand-in: tokens, SOQL, and one task per response id."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import jwt
import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce as Client
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id, format_soql

from connector.sandbox import Sandbox
from connector.sandbox.credentials import SECRETS, rsa_key
from connector.sandbox.salesforce import Salesforce

KEY, SECRET = SECRETS["SALESFORCE_CONSUMER_KEY"], SECRETS["SALESFORCE_CONSUMER_SECRET"]
MARKER = "NPS_Response_Id__c"
UPSERT = f"composite/sobjects/Task/{MARKER}"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


@pytest.fixture
def salesforce(sandbox: Sandbox) -> Salesforce:
    return sandbox.salesforce


def login(sandbox: Sandbox, **form: str) -> requests.Response:
    form = {"client_id": KEY, "client_secret": SECRET, **form}
    form.setdefault("grant_type", "client_credentials")
    url = f"{sandbox.urls['salesforce']}/services/oauth2/token"
    return requests.post(url, data=form, timeout=5)


class Api:
    """Plain HTTP against the stand-in."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.base = f"{sandbox.urls['salesforce']}/services/data/v64.0"
        self.headers = {"Authorization": f"Bearer {login(sandbox).json()['access_token']}"}

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        options = {"headers": self.headers, **options}
        url = f"{self.base}/{path}"
        return requests.request(method, url, json=body, timeout=5, **options)

    def query(self, soql: str) -> Any:
        return self("GET", "query/", params={"q": soql})

    def rows(self, soql: str) -> list[dict[str, Any]]:
        answer = self.query(soql)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["records"]
        return rows

    def upsert(self, *records: dict[str, Any]) -> Any:
        sent = [{"attributes": {"type": "Task"}, **record} for record in records]
        return self("PATCH", UPSERT, {"allOrNone": False, "records": sent})


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox)


def task(marker: str = "r1", **fields: Any) -> dict[str, Any]:
    return {MARKER: marker, "Subject": "Call", **fields}


# -- tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": "x"}, "invalid_client_id"),
        ({"client_secret": "x"}, "invalid_client"),
    ],
)
def test_a_wrong_login_gets_no_token(sandbox: Sandbox, form: dict[str, str], error: str) -> None:
    answer = login(sandbox, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def assertion(now: float, owner: str = "salesforce", **changes: Any) -> str:
    claims = {
        "iss": KEY,
        "sub": "connector@example.com",
        "aud": "https://login.salesforce.com",
        "exp": int(now) + 180,
    }
    return jwt.encode(claims | changes, rsa_key(owner)[0], algorithm="RS256")


def bearer(sandbox: Sandbox, text: str) -> requests.Response:
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    return login(sandbox, grant_type=grant, assertion=text)


def test_a_signed_assertion_gets_a_token(sandbox: Sandbox) -> None:
    answer = bearer(sandbox, assertion(sandbox.clock.timestamp()))
    assert answer.status_code == 200
    assert answer.json()["instance_url"] == sandbox.urls["salesforce"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"owner": "somebody else"}, "invalid_grant"),
        ({"aud": "https://example.com"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"sub": "nobody@example.com"}, "invalid_grant"),
        ({"iss": "x"}, "invalid_client_id"),
    ],
)
def test_a_wrong_assertion_gets_no_token(
    sandbox: Sandbox, changes: dict[str, Any], error: str
) -> None:
    answer = bearer(sandbox, assertion(sandbox.clock.timestamp(), **changes))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_token_ends_by_the_clock(api: Api, sandbox: Sandbox) -> None:
    assert api("GET", "limits").status_code == 200
    sandbox.clock.advance(7201)
    answer = api("GET", "limits")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


# -- requests that are refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "nonsense", None, 404, "NOT_FOUND"),
        ("GET", f"sobjects/Task/{MARKER}/r9", None, 404, "NOT_FOUND"),
        ("GET", "sobjects/Task/Subject/Call", None, 404, "NOT_FOUND"),
        ("PATCH", "sobjects/Task/Subject/Call", {}, 404, "NOT_FOUND"),
        ("PATCH", f"sobjects/Task/{MARKER}/r9?updateOnly=true", {}, 404, "NOT_FOUND"),
        ("PATCH", f"sobjects/Task/{MARKER}/r9", {MARKER: "r9"}, 400, "INVALID_FIELD"),
        ("PATCH", f"sobjects/Task/{MARKER}/r9", {"Mood__c": "x"}, 400, "INVALID_FIELD"),
        ("PATCH", f"sobjects/Task/{MARKER}/r9", [], 400, "JSON_PARSER_ERROR"),
        ("PATCH", f"sobjects/Task/{MARKER}/r9", {"Subject": 7}, 400, "JSON_PARSER_ERROR"),
        ("PATCH", f"sobjects/Task/{MARKER}/r9", {"Subject": "x" * 256}, 400, "STRING_TOO_LONG"),
        ("PATCH", "sobjects/Task/00TSx0000000001", {}, 404, "NOT_FOUND"),
        ("GET", "sobjects/Mood/describe", None, 404, "NOT_FOUND"),
        ("PATCH", UPSERT, {"records": []}, 400, "JSON_PARSER_ERROR"),
        ("PATCH", UPSERT, {"records": [{MARKER: "r1"}]}, 400, "INVALID_FIELD"),
        ("PATCH", "composite/sobjects/Task/Subject", {"records": [{}]}, 404, "NOT_FOUND"),
    ],
)
def test_a_wrong_request_is_refused_with_an_array(
    api: Api, sandbox: Sandbox, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = api(method, path, body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)
    assert sandbox.counts()["salesforce.task"] == 0


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([task(Mood__c="x")], "INVALID_FIELD"),
        ([task(ActivityDate="2026-13-01")], "JSON_PARSER_ERROR"),
        ([task(IsReminderSet="yes")], "JSON_PARSER_ERROR"),
        ([task(f"r{n}") for n in range(201)], "EXCEEDED_MAX_SIZE_REQUEST"),
    ],
    ids=["unknown field", "no date", "no boolean", "201 records"],
)
def test_an_unreadable_batch_is_refused_whole(
    api: Api, sandbox: Sandbox, records: list[dict[str, Any]], code: str
) -> None:
    answer = api.upsert(task("good"), *records)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
    assert sandbox.counts()["salesforce.task"] == 0


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Subject": "x" * 256}, "STRING_TOO_LONG"),
        ({"Description": "x" * 32_001}, "STRING_TOO_LONG"),
        ({"Priority": "Urgent"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"WhoId": "003Sx0000000999"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"WhoId": "001Sx0000000001"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"WhoId": "dora"}, "MALFORMED_ID"),
        ({"OwnerId": "005Sx0000000009"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"OwnerId": "005Sx0000000003"}, "INACTIVE_OWNER_OR_USER"),
        (
            {"WhoId": "00QSx0000000001", "WhatId": "001Sx0000000001"},
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        ({"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({MARKER: None}, "MISSING_ARGUMENT"),
        ({MARKER: "GOOD"}, "DUPLICATE_VALUE"),
    ],
)
def test_one_bad_record_is_refused_alone(
    api: Api, sandbox: Sandbox, fields: dict[str, Any], code: str
) -> None:
    answer = api.upsert(task("good"), task("bad", **fields), task("fine"))
    assert answer.status_code == 200
    assert [item["success"] for item in answer.json()] == [True, False, True]
    assert answer.json()[1]["errors"][0]["statusCode"] == code
    assert sandbox.counts()["salesforce.task"] == 2


def test_urls_and_headers_have_16_kilobytes(api: Api) -> None:
    addresses = ",".join(f"'person{n}@example.com'" for n in range(700))
    answer = api.query("SELECT Id FROM Contact WHERE Email IN (?)".replace("?", addresses))
    assert answer.status_code == 414


def test_a_used_up_day_is_a_403_and_ends_with_the_day(api: Api, sandbox: Sandbox) -> None:
    sandbox.salesforce.state["settings"]["requests_per_day"] = 1
    first, second = api("GET", "limits"), api("GET", "limits")
    assert first.headers["Sforce-Limit-Info"] == "api-usage=1/1"
    assert (second.status_code, second.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    sandbox.salesforce.state["settings"]["token_seconds"] = 90_000
    api.headers = Api(sandbox).headers
    sandbox.clock.advance(86_400)
    assert api("GET", "limits").status_code == 200


# -- SOQL ------------------------------------------------------------------------------------------


def test_people_are_found_by_address_whatever_its_case(api: Api) -> None:
    rows = api.rows(
        "SELECT Id, Email, OwnerId, Account.Name, Owner.Name FROM Contact "
        "WHERE Email IN ('DORA@example.com', 'nobody@example.com') AND Email != null"
    )
    assert len(rows) == 1
    assert (rows[0]["Account"]["Name"], rows[0]["Owner"]["Name"]) == ("Acme Example", "Sonia Sales")
    assert rows[0]["attributes"]["type"] == "Contact"
    assert len(api.rows("SELECT Id FROM Contact WHERE Email = 'shared@example.com'")) == 2
    leads = api.rows("SELECT Name FROM Lead WHERE IsConverted = false")
    assert [lead["Name"] for lead in leads] == ["Lena Lead"]


def test_conditions_order_and_limit_are_understood(api: Api, sandbox: Sandbox) -> None:
    api.upsert(task("r1"), task("r2", Subject="O'Brien \\ x"))
    since = datetime.fromtimestamp(sandbox.clock.timestamp() - 60, UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    recent = api.rows(
        "select NPS_Response_Id__c from task where NPS_Response_Id__c != null "
        "and (SystemModstamp >= ?) order by NPS_Response_Id__c desc limit 1".replace("?", since)
    )
    assert [row[MARKER] for row in recent] == ["r2"]
    named = api.rows("SELECT Id FROM Task WHERE Subject = 'O\\'Brien \\\\ x'")
    assert len(named) == 1
    assert api.rows("SELECT Id FROM Task WHERE ActivityDate > 2026-01-01 OR Subject = 'x'") == []
    others = api.rows("SELECT NPS_Response_Id__c FROM Task WHERE NPS_Response_Id__c NOT IN ('r1')")
    assert [row[MARKER] for row in others] == ["r2"]
    assert len(api.rows("SELECT Id FROM Task WHERE IsClosed = false")) == 2


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Contact WHERE Email = 'O'Brien'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Email = 'a\\qb'", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Contact WHERE Email = 'a' OR Name = 'b' AND Id != null",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Contact WHERE Email LIKE 'a%'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("SELECT COUNT() FROM Contact", "MALFORMED_QUERY"),
        ("SELECT * FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact LIMIT 1 x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact; DELETE", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
        ("SELECT Mood FROM Contact", "INVALID_FIELD"),
        ("SELECT Mood.Name FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE Email = 7", "INVALID_FIELD"),
        ("SELECT Id FROM Mood", "INVALID_TYPE"),
    ],
)
def test_a_wrong_query_is_refused(api: Api, soql: str, code: str) -> None:
    answer = api.query(soql)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)


def test_a_long_result_comes_in_pages(api: Api) -> None:
    for start in range(0, 2200, 200):
        api.upsert(*(task(f"r{n}") for n in range(start, start + 200)))
    first = api.query("SELECT Id FROM Task").json()
    assert (first["totalSize"], first["done"], len(first["records"])) == (2200, False, 2000)
    path = first["nextRecordsUrl"].removeprefix("/services/data/v64.0/")
    second = api("GET", path).json()
    assert (second["done"], len(second["records"])) == (True, 200)
    assert api("GET", "query/nonsense").json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


# -- tasks -----------------------------------------------------------------------------------------


def test_a_task_is_made_once_whatever_is_sent_again(api: Api, salesforce: Salesforce) -> None:
    value = "r/1?é"
    path = f"sobjects/Task/{MARKER}/{quote(value, safe='')}"
    first = api("PATCH", path, {"Subject": "Call", "WhoId": "003Sx0000000001"})
    second = api("PATCH", path, {"Subject": "Call again"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (second.status_code, second.json()["created"]) == (200, False)
    found = api("GET", path).json()
    assert (found["Id"], found[MARKER]) == (first.json()["id"], value)
    assert found["Subject"] == "Call again"  # an upsert overwrites
    assert (found["Status"], found["IsClosed"]) == ("Not Started", False)
    assert found["AccountId"].startswith("001Sx0000000001")
    assert salesforce.counts() == {"salesforce.task": 1}


def test_a_second_worker_of_the_same_moment_gets_duplicate_value(
    api: Api, salesforce: Salesforce
) -> None:
    salesforce.fault("duplicate_value")
    item = api.upsert(task("r1")).json()[0]
    assert item["errors"][0]["statusCode"] == "DUPLICATE_VALUE"
    found = api("GET", f"sobjects/Task/{MARKER}/r1").json()
    assert found["Id"] in item["errors"][0]["message"]
    assert salesforce.counts() == {"salesforce.task": 1}
    assert api("POST", "sobjects/Task", task("R1")).json()[0]["errorCode"] == "DUPLICATE_VALUE"


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ("lock_row", ["UNABLE_TO_LOCK_ROW"] * 2),
        ("half_locked", [None, "UNABLE_TO_LOCK_ROW"]),
        ("half_batch", [None, "FIELD_CUSTOM_VALIDATION_EXCEPTION"]),
    ],
)
def test_items_fail_as_ordered(
    api: Api, salesforce: Salesforce, fault: str, codes: list[str | None]
) -> None:
    salesforce.fault(fault)
    items = api.upsert(task("r1"), task("r2")).json()
    found = [item["errors"][0]["statusCode"] if item["errors"] else None for item in items]
    assert found == codes
    assert salesforce.counts()["salesforce.task"] == codes.count(None)


def test_a_task_lives_through_update_and_deletion(api: Api, salesforce: Salesforce) -> None:
    number = api("POST", "sobjects/Task", task()).json()["id"]
    assert api("PATCH", f"sobjects/Task/{number}", {"Priority": "High"}).status_code == 204
    salesforce.complete(number)
    found = api("GET", f"sobjects/Task/{number[:15]}").json()
    assert (found["Priority"], found["IsClosed"]) == ("High", True)
    assert found["LastModifiedById"] != found["CreatedById"]
    salesforce.delete(number)
    assert api("PATCH", f"sobjects/Task/{number}", {}).json()[0]["errorCode"] == "ENTITY_IS_DELETED"
    assert api.rows("SELECT Id FROM Task") == []
    everything = api("GET", "queryAll", params={"q": "SELECT Id FROM Task WHERE IsDeleted = true"})
    assert everything.json()["totalSize"] == 1
    assert api.upsert(task()).json()[0]["created"] is True


def test_describe_shows_picklists_and_the_marker_field(api: Api, salesforce: Salesforce) -> None:
    fields = {one["name"]: one for one in api("GET", "sobjects/Task/describe").json()["fields"]}
    assert [v["value"] for v in fields["Priority"]["picklistValues"]] == ["High", "Normal", "Low"]
    assert (fields[MARKER]["unique"], fields[MARKER]["externalId"]) == (True, True)
    salesforce.state["settings"]["has_marker_field"] = False
    names = [one["name"] for one in api("GET", "sobjects/Task/describe").json()["fields"]]
    assert MARKER not in names
    assert api.upsert(task()).status_code == 404


def test_people_can_be_added(api: Api, salesforce: Salesforce) -> None:
    contact = salesforce.add_contact("new@example.com")
    lead = salesforce.add_lead("lead@example.com")
    assert api.upsert(task("r1", WhoId=contact["Id"]), task("r2", WhoId=lead["Id"])).json()[1][
        "success"
    ]
    assert len(api.rows("SELECT Id FROM Lead WHERE Email = 'lead@example.com'")) == 1


# -- simple-salesforce, the client that the product uses -------------------------------------------


class Loopback(HTTPAdapter):
    """Sends what is meant for https://<any host> to the stand-in."""

    def __init__(self, base: str) -> None:
        self.base = base
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        real, parts = request.copy(), urlsplit(request.url or "")
        query = f"?{parts.query!s}" if parts.query else ""
        real.url = f"{self.base}{parts.path!s}{query}"
        return super().send(real, *args, **options)


@pytest.fixture
def session(sandbox: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.mount("https://", Loopback(sandbox.urls["salesforce"]))
        yield session


def connect(session: requests.Session, secret: str = SECRET) -> Any:
    return Client(
        consumer_key=KEY,
        consumer_secret=secret,
        domain="sandbox.my",
        session=session,
        version="64.0",
    )


def test_simple_salesforce_reads_and_writes(sandbox: Sandbox, session: requests.Session) -> None:
    client = connect(session)
    wanted = ["dora@example.com", "o'brien\\@example.com"]
    found = client.query(format_soql("SELECT Id FROM Contact WHERE Email IN {}", wanted))
    assert found["totalSize"] == 1
    path = f"{MARKER}/{format_external_id(MARKER, 'r/1?é').removeprefix(MARKER + '/')}"
    body = {"Subject": "Call", "WhoId": found["records"][0]["Id"]}
    assert client.Task.upsert(path, body) == 201
    assert client.Task.upsert(path, {"Subject": "Call"}) == 200
    assert client.Task.get(path)["Subject"] == "Call"
    answer = client.restful(
        UPSERT,
        method="PATCH",
        json={"allOrNone": False, "records": [{"attributes": {"type": "Task"}, MARKER: "r2"}]},
    )
    assert answer[0]["created"] is True
    marked = "SELECT Id FROM Task WHERE NPS_Response_Id__c != null"
    assert len(list(client.query_all_iter(marked))) == 2
    assert client.Task.describe()["name"] == "Task"
    assert client.api_usage["api-usage"].total == 100_000
    assert sandbox.counts()["salesforce.task"] == 2


def test_simple_salesforce_sees_refusals(sandbox: Sandbox, session: requests.Session) -> None:
    with pytest.raises(SalesforceAuthenticationFailed):
        connect(session, secret="wrong")
    client = connect(session)
    with pytest.raises(SalesforceMalformedRequest, match="Mood__c"):
        client.Task.create({"Mood__c": "x"})
    with pytest.raises(SalesforceResourceNotFound):
        client.Task.get("00TSx0000000001")
    sandbox.clock.advance(7201)
    assert client.query("SELECT Id FROM User")["totalSize"] == 4  # logged in again by itself
    sandbox.salesforce.state["settings"]["requests_per_day"] = 0
    with pytest.raises(SalesforceRefusedRequest, match="REQUEST_LIMIT_EXCEEDED"):
        client.query("SELECT Id FROM User")
    sandbox.salesforce.state["settings"]["token_seconds"] = 0
    sandbox.salesforce.tokens.expire_all()
    with pytest.raises(SalesforceExpiredSession):
        client.query("SELECT Id FROM User")


# -- hands ---------------------------------------------------------------------------------------


def by_hand(sandbox: Sandbox, vendor: str, **what: Any) -> requests.Response:
    return requests.post(f"{sandbox.urls[vendor]}/_sandbox/hands", json=what, timeout=5)


def test_people_work_on_tasks_and_every_change_is_stamped(sandbox: Sandbox, api: Api) -> None:
    api.upsert(task())
    [row] = sandbox.salesforce.all_tasks()
    made = row["SystemModstamp"]
    for number, (do, more) in enumerate(
        [
            ("start", {}),
            ("reassign", {"to": "marta@example.com"}),
            ("fill", {"fields": {"NPS_Cause__c": "Late invoice"}, "by": "marta@example.com"}),
            ("complete", {}),
            ("reopen", {}),
        ],
        1,
    ):
        sandbox.clock.advance(60)
        before = row["SystemModstamp"]
        answer = by_hand(sandbox, "salesforce", do=do, task_id=row["Id"], **more)
        assert answer.status_code == 200, answer.text
        assert row["SystemModstamp"] > before, number
        assert row["LastModifiedById"] != row["CreatedById"]
        assert (row["CompletedDateTime"] is not None) == (do == "complete")
    assert row["OwnerId"] != row["CreatedById"]
    fields = "SELECT Id, IsDeleted, Owner.Name FROM Task"
    seen = f"{fields} WHERE SystemModstamp > {made[:-5]}Z ORDER BY SystemModstamp, Id"
    assert [one["Owner"]["Name"] for one in api.rows(seen)] == ["Marta Manager"]
    by_hand(sandbox, "salesforce", do="delete", task_id=row["Id"])
    assert api.rows(seen) == []
    binned = api("GET", "queryAll/", params={"q": seen}).json()["records"]
    assert [one["IsDeleted"] for one in binned] == [True]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"do": "dance"}, "complete, delete, fill, reassign, reopen, start"),
        ({"do": "start", "task_id": "00T"}, "00T"),
        ({"do": "start", "task_id": None, "by": "nobody"}, "there is no user nobody"),
        ({"do": "fill", "task_id": None, "fields": {"Status": "Odd"}}, "restricted picklist"),
        ({"task_id": None}, "do"),
    ],
)
def test_a_hand_that_slips_changes_nothing(
    sandbox: Sandbox, api: Api, what: dict[str, Any], words: str
) -> None:
    api.upsert(task())
    [row] = sandbox.salesforce.all_tasks()
    before = dict(row)
    if "task_id" in what:
        what = what | {"task_id": what["task_id"] or row["Id"]}
    answer = by_hand(sandbox, "salesforce", **what)
    assert answer.status_code == 400
    assert words in answer.text
    assert row == before


def test_hidden_fields_and_odd_ids_are_refused_in_a_query(sandbox: Sandbox, api: Api) -> None:
    sandbox.salesforce.state["settings"]["hidden_fields"] = ["NPS_Cause__c"]
    for soql, code in (
        ("SELECT NPS_Cause__c FROM Task", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE Id IN ('4711')", "INVALID_QUERY_FILTER_OPERATOR"),
    ):
        answer = api.query(soql)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
