"""The Zendesk stand-in refuses what Zendesk refuses, remembers keys for two hours, and lags."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector.sandbox import Sandbox
from connector.sandbox.zendesk import Zendesk

AUTH = ("agent@example.com/token", "zd-sandbox-token")
HOUR = 3600


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


class Api:
    """Plain HTTP against the stand-in."""

    def __init__(self, base: str) -> None:
        self.base = f"{base}/api/v2"

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        options = {"auth": AUTH, **options}
        return requests.request(method, f"{self.base}/{path}", json=body, timeout=5, **options)

    def create(self, key: str | None = None, **fields: Any) -> Any:
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self("POST", "tickets", {"ticket": ticket(**fields)}, headers=headers)

    def made(self, **fields: Any) -> int:
        number: int = self.create(**fields).json()["ticket"]["id"]
        return number


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    return Api(sandbox.urls["zendesk"])


def ticket(**fields: Any) -> dict[str, Any]:
    return {
        "external_id": "nps:1",
        "subject": "NPS 2",
        "comment": {"body": "why", "public": False},
        "requester": {"name": "Jo Example", "email": "jo@example.org"},
        **fields,
    }


BAD_TICKETS: list[tuple[str, dict[str, Any], str]] = [
    ("no comment", {"comment": None}, "description"),
    ("blank comment", {"comment": {"body": " "}}, "description"),
    ("comment as text", {"comment": "why"}, "comment"),
    ("public as text", {"comment": {"body": "b", "public": "no"}}, "comment"),
    ("priority super", {"priority": "super"}, "priority"),
    ("unknown type", {"type": "ticket"}, "type"),
    ("unknown status", {"status": "done"}, "status"),
    ("group as text", {"group_id": "360001"}, "group_id"),
    ("unknown group", {"group_id": 12}, "group_id"),
    ("unknown brand", {"brand_id": 12}, "brand_id"),
    ("assignee is no agent", {"assignee_id": 12}, "assignee_id"),
    ("unknown assignee address", {"assignee_email": "x@example.com"}, "assignee_id"),
    ("unknown requester id", {"requester_id": 12}, "requester_id"),
    ("requester as text", {"requester": "jo@example.org"}, "requester"),
    ("requester without name", {"requester": {"email": "new@example.org"}}, "requester"),
    ("requester's bad address", {"requester": {"name": "J", "email": "jo"}}, "requester"),
    (
        "unknown locale",
        {"requester": {"name": "J", "email": "j@e.co", "locale_id": 3}},
        "requester",
    ),
    ("due date without zone", {"due_at": "2026-11-24T12:00:00"}, "due_at"),
    ("due date in words", {"due_at": "tomorrow"}, "due_at"),
    ("tags as text", {"tags": "nps"}, "tags"),
    ("number as external id", {"external_id": 7}, "external_id"),
    ("custom fields as object", {"custom_fields": {"1": 2}}, "custom_fields"),
    ("unknown custom field", {"custom_fields": [{"id": 1, "value": "2"}]}, "custom_fields"),
    ("text in a number", {"custom_fields": [{"id": 360012345, "value": "two"}]}, "custom_fields"),
    ("no such option", {"custom_fields": [{"id": 360012346, "value": "x"}]}, "custom_fields"),
    ("metadata as text", {"metadata": "x"}, "metadata"),
]


@pytest.mark.parametrize(
    ("fields", "field"), [row[1:] for row in BAD_TICKETS], ids=[row[0] for row in BAD_TICKETS]
)
def test_a_wrong_ticket_is_refused_by_field_and_leaves_nothing_behind(
    api: Api, zendesk: Zendesk, fields: dict[str, Any], field: str
) -> None:
    answer = api.create(**fields)
    assert answer.status_code == 422
    body = answer.json()
    assert (body["error"], list(body["details"])) == ("RecordInvalid", [field])
    assert set(body["details"][field][0]) == {"description", "error"}
    assert zendesk.counts()["zendesk.ticket"] == 0
    assert len(zendesk.state["users"]) == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "tickets", {"subject": "no wrapper"}, 422, "RecordInvalid"),
        ("POST", "tickets", {"ticket": {}}, 422, "RecordInvalid"),
        ("POST", "tickets", [], 422, "RecordInvalid"),
        ("POST", "tickets/create_many", {"tickets": []}, 422, "RecordInvalid"),
        ("POST", "tickets/create_many", {"tickets": [{}] * 101}, 422, "RecordInvalid"),
        ("GET", "tickets/7", None, 404, "RecordNotFound"),
        ("PUT", "tickets/7", {"ticket": {}}, 404, "RecordNotFound"),
        ("GET", "users/7", None, 404, "RecordNotFound"),
        ("GET", "job_statuses/7", None, 404, "RecordNotFound"),
        ("GET", "nonsense", None, 404, "InvalidEndpoint"),
        ("GET", "tickets?per_page=x", None, 400, "InvalidPaginationParameter"),
        ("GET", "search?query=colour:red", None, 422, "invalid"),
        ("GET", "incremental/tickets/cursor", None, 422, "StartTimeTooRecent"),
        ("GET", "incremental/tickets/cursor?cursor=x", None, 400, "InvalidCursor"),
    ],
)
def test_a_wrong_request_is_refused(
    api: Api, method: str, path: str, body: Any, status: int, error: str
) -> None:
    answer = api(method, path, body)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_body_that_is_not_json_is_unprocessable(api: Api) -> None:
    answer = api("POST", "tickets", data=b"{")
    assert answer.status_code == 422
    assert answer.json()["message"] == "Server could not parse JSON"


@pytest.mark.parametrize(
    "auth", [None, ("agent@example.com", "zd-sandbox-token"), ("agent@example.com/token", "old")]
)
def test_a_wrong_login_is_refused(api: Api, auth: Any) -> None:
    answer = api("GET", "users/me", auth=auth)
    assert (answer.status_code, answer.json()) == (401, {"error": "Couldn't authenticate you"})


def test_a_revoked_token_stops_working(api: Api, zendesk: Zendesk) -> None:
    zendesk.state["settings"]["api_token"] = "another"
    assert api("GET", "users/me").status_code == 401


def test_a_ticket_is_made_as_asked(api: Api, zendesk: Zendesk) -> None:
    answer = api.create(
        group_id=360002,
        priority="urgent",
        type="task",
        due_at="2026-11-24T12:00:00Z",
        tags=["NPS", "two words"],
        custom_fields=[{"id": 360012345, "value": "0"}],
        metadata={"nps_action_id": "a1"},
        satisfaction_rating={"score": "good"},
    )
    assert answer.status_code == 201
    made, audit = answer.json()["ticket"], answer.json()["audit"]
    assert (made["group_id"], made["priority"], made["status"]) == (360002, "urgent", "new")
    assert made["tags"] == ["nps", "two", "words"]
    assert {"id": 360012345, "value": "0"} in made["custom_fields"]
    assert audit["metadata"]["custom"] == {"nps_action_id": "a1"}
    assert audit["author_id"] == 9001
    assert api("GET", f"tickets/{made['id']}.json").json()["ticket"] == made
    requester = api("GET", f"users/{made['requester_id']}").json()["user"]
    assert (requester["email"], requester["role"]) == ("jo@example.org", "end-user")
    assert zendesk.state["ignored"] == ["satisfaction_rating"]


def test_the_same_requester_is_found_again(api: Api) -> None:
    first = api.create(requester={"name": "Jo", "email": "Jo@Example.org"}).json()["ticket"]
    second = api.create(requester={"email": "jo@example.ORG"}).json()["ticket"]
    assert first["requester_id"] == second["requester_id"]
    found = api("GET", "users/search?query=email:jo@example.org").json()["users"]
    assert [user["id"] for user in found] == [first["requester_id"]]


def test_a_public_first_comment_is_mailed_and_a_private_one_is_not(
    api: Api, zendesk: Zendesk
) -> None:
    api.create()
    assert zendesk.state["mailed"] == []
    number = api.made(comment={"body": "hello"})  # public is the vendor's default
    assert [mail["to"] for mail in zendesk.state["mailed"]] == ["jo@example.org"]
    api("PUT", f"tickets/{number}", {"ticket": {"comment": {"body": "again"}}})
    assert len(zendesk.state["mailed"]) == 2


def test_html_in_a_plain_comment_is_stripped(api: Api) -> None:
    number = api.made(comment={"body": "<b>2 < 3</b><script>x</script>", "public": False})
    comment = api("GET", f"tickets/{number}/comments").json()["comments"][0]
    assert comment["body"] == "2 < 3x"


# -- Idempotency-Key -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["tickets", "tickets.json"])
def test_a_replayed_key_gives_the_first_answer(api: Api, zendesk: Zendesk, path: str) -> None:
    options = {"headers": {"Idempotency-Key": "k1"}}
    first = api("POST", path, {"ticket": ticket()}, **options)
    second = api("POST", path, {"ticket": ticket()}, **options)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.headers["x-idempotency-lookup"] == "miss"
    assert second.headers["x-idempotency-lookup"] == "hit"
    assert first.json() == second.json()
    assert zendesk.counts()["zendesk.ticket"] == 1


def test_a_key_is_forgotten_after_two_hours_and_not_before(api: Api, sandbox: Sandbox) -> None:
    api.create(key="k1")
    sandbox.clock.advance(2 * HOUR - 5)
    assert api.create(key="k1").headers["x-idempotency-lookup"] == "hit"
    sandbox.clock.advance(10)
    assert api.create(key="k1").headers["x-idempotency-lookup"] == "miss"
    assert sandbox.counts()["zendesk.ticket"] == 2


def test_a_key_with_other_bytes_is_refused(api: Api, zendesk: Zendesk) -> None:
    api.create(key="k1")
    answer = api.create(key="k1", subject="rendered again")
    assert (answer.status_code, answer.json()["error"]) == (400, "IdempotentRequestError")
    assert zendesk.counts()["zendesk.ticket"] == 1


def test_a_key_has_255_characters_at_most(api: Api) -> None:
    assert api.create(key="k" * 255).status_code == 201
    assert api.create(key="k" * 256).json()["error"] == "IdempotentRequestError"


def test_a_refused_ticket_does_not_use_up_its_key(api: Api) -> None:
    assert api.create(key="k1", priority="super").status_code == 422
    assert api.create(key="k1").status_code == 201


def test_losing_every_first_reply_and_trying_again_makes_each_ticket_once(
    api: Api, zendesk: Zendesk
) -> None:
    zendesk.fault("lose_reply", method="POST", times=1, each_body=True)
    for number in range(10):
        fields = {"key": f"k{number}", "external_id": f"nps:{number}"}
        with pytest.raises(requests.ConnectionError):
            api.create(**fields)
        assert api.create(**fields).headers["x-idempotency-lookup"] == "hit"
    assert zendesk.counts()["zendesk.ticket"] == 10


# -- finding again ---------------------------------------------------------------------------------


def test_the_list_finds_a_ticket_at_once_and_the_search_minutes_later(
    api: Api, sandbox: Sandbox
) -> None:
    number = api.made(external_id="nps:acme:r&1 x")
    api.made(external_id="other")
    found = api("GET", "tickets", params={"external_id": "nps:acme:r&1 x"}).json()
    assert ([row["id"] for row in found["tickets"]], found["count"]) == ([number], 1)
    query = {"query": "type:ticket external_id:other"}
    assert api("GET", "search.json", params=query).json()["count"] == 0
    sandbox.clock.advance(121)
    assert api("GET", "search.json", params=query).json()["count"] == 1


def test_an_external_id_is_not_unique(api: Api) -> None:
    numbers = [api.made(), api.made()]
    rows = api("GET", "tickets?external_id=nps:1").json()["tickets"]
    assert [row["id"] for row in rows] == numbers


def test_deleted_and_archived_tickets_leave_the_list(api: Api, zendesk: Zendesk) -> None:
    gone, old = api.made(), api.made()
    zendesk.delete(gone)
    zendesk.archive(old)
    assert api("GET", "tickets?external_id=nps:1").json()["count"] == 0
    assert api("GET", f"tickets/{gone}").status_code == 404
    assert api("GET", f"tickets/{old}").status_code == 200


def test_lists_come_in_pages(api: Api) -> None:
    numbers = [api.made() for _ in range(3)]
    first = api("GET", "tickets?per_page=2").json()
    assert (len(first["tickets"]), first["count"]) == (2, 3)
    assert "page=2" in first["next_page"]
    assert api("GET", "tickets?per_page=2&page=2").json()["next_page"] is None
    cursor = api("GET", "tickets", params={"page[size]": 2}).json()
    assert cursor["meta"]["has_more"] is True
    after = {"page[size]": 2, "page[after]": cursor["meta"]["after_cursor"]}
    assert [row["id"] for row in api("GET", "tickets", params=after).json()["tickets"]] == numbers[
        2:
    ]


def test_the_incremental_export_never_shows_the_last_minute(api: Api, sandbox: Sandbox) -> None:
    start = int(sandbox.clock.timestamp()) - 120
    number = api.made()
    path = f"incremental/tickets/cursor?start_time={start}"
    empty = api("GET", path).json()
    assert (empty["tickets"], empty["end_of_stream"]) == ([], True)
    sandbox.clock.advance(62)
    gone = api.made()
    sandbox.zendesk.delete(gone)
    sandbox.clock.advance(62)
    rows = api("GET", path + "&per_page=1").json()
    assert ([row["id"] for row in rows["tickets"]], rows["end_of_stream"]) == ([number], False)
    more = api("GET", f"incremental/tickets/cursor?cursor={rows['after_cursor']}").json()
    assert [(row["id"], row["status"]) for row in more["tickets"]] == [(gone, "deleted")]
    assert more["end_of_stream"] is True
    kept = api("GET", path + "&exclude_deleted=true").json()["tickets"]
    assert [row["id"] for row in kept] == [number]


def test_the_incremental_export_has_a_limit_of_its_own(api: Api, sandbox: Sandbox) -> None:
    path = f"incremental/tickets/cursor?start_time={int(sandbox.clock.timestamp()) - 300}"
    statuses = [api("GET", path).status_code for _ in range(22)]
    assert 429 in statuses  # 10 a minute; two minutes at most have gone by
    assert api("GET", "users/me").status_code == 200


# -- updates ---------------------------------------------------------------------------------------


def test_an_update_appends_a_note_and_leaves_an_audit(api: Api, zendesk: Zendesk) -> None:
    number = api.made(priority="normal")
    body = {"priority": "urgent", "comment": {"body": "note", "public": False}}
    answer = api("PUT", f"tickets/{number}", {"ticket": body})
    assert answer.json()["ticket"]["priority"] == "urgent"
    comments = api("GET", f"tickets/{number}/comments").json()["comments"]
    assert [(row["body"], row["public"]) for row in comments] == [("why", False), ("note", False)]
    audit = api("GET", f"tickets/{number}/audits").json()["audits"][-1]
    change = audit["events"][1]
    assert (change["field_name"], change["previous_value"], change["value"]) == (
        "priority",
        "normal",
        "urgent",
    )
    api("PUT", f"tickets/{number}", {"ticket": {"comment": {"body": "hi", "public": True}}})
    counts = zendesk.counts()
    assert (counts["zendesk.note"], counts["zendesk.public_comment"]) == (1, 1)


def test_an_assignee_belongs_to_the_group(api: Api, zendesk: Zendesk) -> None:
    assert len(api("GET", "users/9003/groups").json()["groups"]) == 3
    zendesk.state["memberships"]["9003"] = [360003]
    assert api.create(group_id=360002, assignee_id=9003).status_code == 422
    assert api.create(group_id=360003, assignee_id=9003).status_code == 201
    number = api.made(group_id=360002)
    assert api("PUT", f"tickets/{number}", {"ticket": {"assignee_id": 9003}}).status_code == 422


def test_an_audit_tells_the_agent_from_the_connector(api: Api, zendesk: Zendesk) -> None:
    number = api.made()
    zendesk.touch_by_agent(number, assignee_id=9003, comment={"body": "calling"})
    audits = api("GET", f"tickets/{number}/audits").json()["audits"]
    who = [(audit["author_id"], audit["via"]["channel"]) for audit in audits]
    assert who == [(9001, "api"), (9002, "web")]
    assert zendesk.counts()["zendesk.note"] == 0  # not made through the API


def test_an_update_makes_no_user(api: Api, zendesk: Zendesk) -> None:
    number, users = api.made(), len(zendesk.state["users"])
    other = {"name": "New Person", "email": "new@example.org"}
    api("PUT", f"tickets/{number}", {"ticket": {"requester": other}})
    assert len(zendesk.state["users"]) == users


def test_a_closed_ticket_takes_nothing(api: Api, zendesk: Zendesk) -> None:
    number = api.made()
    zendesk.solve(number)
    assert api("PUT", f"tickets/{number}", {"ticket": {"tags": ["x"]}}).status_code == 200
    zendesk.close(number)
    answer = api("PUT", f"tickets/{number}", {"ticket": {"tags": ["y"]}})
    assert answer.status_code == 422
    assert "closed" in answer.json()["details"]["status"][0]["description"]


def test_a_ticket_has_5000_comments_at_most(api: Api, zendesk: Zendesk) -> None:
    number = api.made()
    zendesk.state["comments"][str(number)] *= 5000
    answer = api("PUT", f"tickets/{number}", {"ticket": {"comment": {"body": "one more"}}})
    assert answer.status_code == 422


def test_a_safe_update_notices_the_agent(api: Api, sandbox: Sandbox) -> None:
    made = api.create().json()["ticket"]
    sandbox.clock.advance(2)
    sandbox.zendesk.touch_by_agent(made["id"], priority="low")
    safe = {"priority": "urgent", "safe_update": True, "updated_stamp": made["updated_at"]}
    assert api("PUT", f"tickets/{made['id']}", {"ticket": safe}).status_code == 409
    now = api("GET", f"tickets/{made['id']}").json()["ticket"]["updated_at"]
    fresh = safe | {"updated_stamp": now}
    assert api("PUT", f"tickets/{made['id']}", {"ticket": fresh}).status_code == 200


def test_tags_are_replaced_by_an_update_and_added_by_their_own_path(api: Api) -> None:
    number = api.made(tags=["a"])
    api("PUT", f"tickets/{number}/tags", {"tags": ["b"]})
    assert api("GET", f"tickets/{number}").json()["ticket"]["tags"] == ["a", "b"]
    api("PUT", f"tickets/{number}", {"ticket": {"tags": ["c"]}})
    assert api("GET", f"tickets/{number}").json()["ticket"]["tags"] == ["c"]


def test_one_ticket_can_be_updated_thirty_times_in_ten_minutes(api: Api) -> None:
    number = api.made()
    statuses = [
        api("PUT", f"tickets/{number}", {"ticket": {"priority": "low"}}).status_code
        for _ in range(61)
    ]
    assert 429 in statuses


# -- jobs and limits -------------------------------------------------------------------------------


def test_a_job_tells_each_item_by_its_index(api: Api, zendesk: Zendesk) -> None:
    batch = [ticket(), ticket(comment={"body": ""}), ticket(priority="super")]
    job = api("POST", "tickets/create_many", {"tickets": batch}).json()["job_status"]
    assert (job["status"], job["results"]) == ("queued", None)
    job = api("GET", f"job_statuses/{job['id']}").json()["job_status"]
    assert job["status"] == "completed"
    first, second, third = job["results"]
    assert first == {"index": 0, "id": zendesk.tickets()[0]["id"]}
    assert (second["index"], second["error"]) == (1, "TicketCreateFailed")
    assert "cannot be blank" in second["details"]
    assert "Priority" in third["details"]
    assert zendesk.counts()["zendesk.ticket"] == 1


def test_a_job_of_failures_has_failed(api: Api) -> None:
    job = api("POST", "tickets/create_many", {"tickets": [{}]}).json()["job_status"]
    shown = api("GET", f"job_statuses/show_many?ids={job['id']}").json()["job_statuses"]
    assert [one["status"] for one in shown] == ["failed"]


def test_every_second_item_of_a_batch_can_fail(api: Api, zendesk: Zendesk) -> None:
    zendesk.fault("half_batch")
    job = api("POST", "tickets/create_many", {"tickets": [ticket()] * 4}).json()["job_status"]
    results = api("GET", f"job_statuses/{job['id']}").json()["job_status"]["results"]
    assert ["error" in result for result in results] == [False, True, False, True]


def test_thirty_jobs_may_wait_and_a_job_is_forgotten_after_a_day(
    api: Api, sandbox: Sandbox
) -> None:
    sandbox.zendesk.state["settings"]["job_seconds"] = 60
    jobs = [api("POST", "tickets/create_many", {"tickets": [ticket()]}) for _ in range(31)]
    assert [job.status_code for job in jobs] == [200] * 30 + [429]
    assert jobs[-1].json()["error"] == "TooManyJobs"
    number = jobs[0].json()["job_status"]["id"]
    assert api("GET", f"job_statuses/{number}").json()["job_status"]["status"] == "queued"
    sandbox.clock.advance(60)
    assert api("GET", f"job_statuses/{number}").json()["job_status"]["status"] == "completed"
    sandbox.clock.advance(25 * HOUR)
    assert api("GET", f"job_statuses/{number}").status_code == 404


def test_update_many_answers_per_ticket(api: Api) -> None:
    number = api.made()
    batch = [{"id": number, "priority": "low"}, {"id": 1234567, "priority": "low"}]
    job = api("PUT", "tickets/update_many", {"tickets": batch}).json()["job_status"]
    results = api("GET", f"job_statuses/{job['id']}").json()["job_status"]["results"]
    assert [result["success"] for result in results] == [True, False]
    assert api("GET", f"tickets/{number}").json()["ticket"]["priority"] == "low"


def test_the_account_has_a_limit_per_minute(api: Api, sandbox: Sandbox) -> None:
    sandbox.zendesk.state["settings"]["requests_per_minute"] = 2
    # A new minute, so that the three calls fall into one window.
    sandbox.clock.advance(61 - sandbox.clock.timestamp() % 60)
    first, _, third = (api("GET", "users/me") for _ in range(3))
    assert (first.headers["X-Rate-Limit"], first.headers["X-Rate-Limit-Remaining"]) == ("2", "1")
    assert third.status_code == 429
    wait = int(third.headers["Retry-After"])
    assert 1 <= wait <= 60
    sandbox.clock.advance(wait)
    assert api("GET", "users/me").status_code == 200


def test_the_account_shows_its_groups_fields_brands_and_locales(api: Api) -> None:
    groups = api("GET", "groups.json").json()["groups"]
    assert [group["name"] for group in groups] == ["Support", "Retention", "Customer Care"]
    fields = api("GET", "ticket_fields").json()["ticket_fields"]
    assert [field["title"] for field in fields] == [
        "NPS score",
        "NPS segment",
        "Root cause",
        "Action taken",
    ]
    assert api("GET", "brands").json()["count"] == 1
    assert {row["locale"] for row in api("GET", "locales").json()["locales"]} >= {"es", "pt-BR"}
    shown = api("GET", "tickets/show_many?ids=1,2").json()
    assert shown["tickets"] == []


def test_a_webhook_is_signed_as_zendesk_signs(zendesk: Zendesk) -> None:
    body = b'{"id":1}'
    headers = zendesk.webhook_headers(body)
    stamp = headers["X-Zendesk-Webhook-Signature-Timestamp"].encode()
    secret = zendesk.state["settings"]["webhook_secret"].encode()
    wanted = base64.b64encode(hmac.new(secret, stamp + body, hashlib.sha256).digest()).decode()
    assert headers["X-Zendesk-Webhook-Signature"] == wanted
