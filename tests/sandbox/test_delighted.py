"""The Delighted stand-in refuses what Delighted refuses, and loses what careless readers lose."""

import base64
import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.sandbox.credentials import SECRETS
from connector.sandbox.delighted import Delighted, sign
from connector.sandbox.server import Sandbox

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = (SECRETS["DELIGHTED_API_KEY"], "")
ROW_KEYS = {
    "id",
    "person",
    "survey_type",
    "score",
    "comment",
    "permalink",
    "created_at",
    "updated_at",
    "person_properties",
    "notes",
    "tags",
    "additional_answers",
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    """One server for the whole module, put back to its first state after each test."""
    vendor = running.delighted
    empty = copy.deepcopy(vendor.state)
    yield running
    vendor.state.clear()
    vendor.state.update(empty)
    vendor.clear_faults()
    running.clock.offset_seconds = 0.0


@pytest.fixture
def delighted(sandbox: Sandbox) -> Delighted:
    return sandbox.delighted


def get(sandbox: Sandbox, path: str = "survey_responses.json", **query: Any) -> requests.Response:
    expand = {"expand[]": query.pop("expand")} if "expand" in query else {}
    url = f"{sandbox.urls['delighted']}/v1/{path}"
    return requests.get(url, params={**query, **expand}, auth=KEY, timeout=5)


def ids(reply: requests.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [row["id"] for row in reply.json()]


def unix(moment: datetime) -> int:
    return int(moment.timestamp())


def fill(delighted: Delighted, number: int, *, seconds: int = 60) -> list[str]:
    rows = [
        delighted.add_response(n % 11, at=NOON + n * timedelta(seconds=seconds))
        for n in range(number)
    ]
    return [row["id"] for row in rows]


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("another-key:"),
        basic(f"{KEY[0]}:{KEY[0]}"),
        basic(KEY[0]),
        {"Authorization": "Basic ***"},
        {"Authorization": f"Bearer {KEY[0]}"},
        {"X-Api-Key": KEY[0]},
    ],
    ids=["none", "wrong key", "password", "no colon", "not base64", "bearer", "other header"],
)
def test_only_the_key_with_an_empty_password_opens_the_api(
    sandbox: Sandbox, headers: dict[str, str]
) -> None:
    url = f"{sandbox.urls['delighted']}/v1/survey_responses.json"
    refused = requests.get(url, headers=headers, timeout=5)
    assert refused.status_code == 401
    assert refused.json()["status"] == 401
    assert get(sandbox).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"per_page": 101}, "per_page"),
        ({"per_page": 0}, "per_page"),
        ({"per_page": "many"}, "per_page"),
        ({"page": 0}, "page"),
        ({"page": -1}, "page"),
        ({"since": "2026-11-20T12:00:00Z"}, "since"),
        ({"until": 1.5}, "until"),
        ({"updated_since": ""}, "updated_since"),
        ({"updated_until": "now"}, "updated_until"),
        ({"order": "asc:created_at"}, "order"),
        ({"order": "updated_at"}, "order"),
        ({"expand": "people"}, "expand"),
        ({"trend": "7"}, "trend"),
    ],
)
def test_a_bad_parameter_is_unprocessable(
    sandbox: Sandbox, query: dict[str, Any], field: str
) -> None:
    refused = get(sandbox, **query)
    assert refused.status_code == 422
    body = refused.json()
    assert body["status"] == 422
    assert list(body["errors"]) == [field]


def test_json_must_be_asked_for_by_suffix_or_header(sandbox: Sandbox) -> None:
    assert get(sandbox, "survey_responses").status_code == 406
    url = f"{sandbox.urls['delighted']}/v1/survey_responses"
    accepting = {"Accept": "application/json"}
    assert requests.get(url, headers=accepting, auth=KEY, timeout=5).json() == []


def test_an_unknown_address_is_not_found(sandbox: Sandbox) -> None:
    assert get(sandbox, "responses.json").status_code == 404


def test_after_the_sunset_every_call_is_gone(sandbox: Sandbox, delighted: Delighted) -> None:
    delighted.end_service()
    for path in ("survey_responses.json", "people.json", "metrics.json"):
        assert get(sandbox, path).status_code == 410


def test_a_full_bucket_says_in_seconds_when_to_come_back(
    sandbox: Sandbox, delighted: Delighted
) -> None:
    delighted.limit(burst=2, per_second=0.2)
    assert [get(sandbox).status_code for _ in range(3)] == [200, 200, 429]
    refused = get(sandbox)
    wait = int(refused.headers["Retry-After"])
    assert 4 <= wait <= 5
    sandbox.clock.advance(wait)
    assert get(sandbox).status_code == 200
    assert get(sandbox).status_code == 429


def test_a_row_looks_as_in_delighteds_documentation(sandbox: Sandbox, delighted: Delighted) -> None:
    made = delighted.add_response(
        0, email="ana@example.com", name="Ana", properties={"plan": "scale"}, tags=["vip"], at=NOON
    )
    [row] = get(sandbox).json()
    assert set(row) == ROW_KEYS
    assert (row["score"], row["comment"], row["updated_at"]) == (0, None, None)
    assert row["created_at"] == unix(NOON)
    assert row["person"] == made["person"]["id"]
    assert isinstance(row["id"], str)
    assert row["person_properties"] == {"plan": "scale"}
    assert row["tags"] == ["vip"]


def test_without_expand_there_is_no_address(sandbox: Sandbox, delighted: Delighted) -> None:
    delighted.add_response(9, email="ana@example.com", name="Ana", at=NOON)
    assert "ana@example.com" not in get(sandbox).text
    url = f"{sandbox.urls['delighted']}/v1/survey_responses.json?expand=person"
    assert "ana@example.com" not in requests.get(url, auth=KEY, timeout=5).text
    person = get(sandbox, expand="person").json()[0]["person"]
    assert (person["email"], person["name"]) == ("ana@example.com", "Ana")
    assert person["created_at"] == unix(NOON)
    assert get(sandbox, expand=["person", "notes"]).json()[0]["person"] == person


def test_one_address_is_one_person_and_nobody_is_somebody_new(delighted: Delighted) -> None:
    first = delighted.add_response(9, email="ana@example.com")["person"]["id"]
    again = delighted.add_response(3, email="Ana@Example.com")["person"]["id"]
    nobody = [delighted.add_response(5)["person"]["id"] for _ in range(2)]
    assert first == again
    assert len({first, *nobody}) == 3


def test_the_list_is_oldest_first_and_twenty_long(sandbox: Sandbox, delighted: Delighted) -> None:
    late = delighted.add_response(1, at=NOON + timedelta(days=1))["id"]
    known = fill(delighted, 24)
    assert ids(get(sandbox)) == known[:20]
    assert ids(get(sandbox, page=2)) == [*known[20:], late]
    assert ids(get(sandbox, page=3)) == []
    assert ids(get(sandbox, order="desc", per_page=2)) == [late, known[-1]]


def test_the_last_of_a_repeated_parameter_counts(sandbox: Sandbox, delighted: Delighted) -> None:
    known = fill(delighted, 3)
    url = f"{sandbox.urls['delighted']}/v1/survey_responses.json?per_page=1&per_page=2"
    assert ids(requests.get(url, auth=KEY, timeout=5)) == known[:2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"since": 60}, [1, 2]),
        ({"since": 61}, [2]),
        ({"until": 60}, [0, 1]),
        ({"until": 59}, [0]),
        ({"since": 60, "until": 60}, [1]),
        ({"updated_since": 120}, [0, 2]),
        ({"updated_since": 600}, [0]),
        ({"updated_since": 601}, []),
        ({"updated_until": 600}, [0, 1, 2]),
        ({"updated_until": 599}, [1, 2]),
    ],
)
def test_both_bounds_belong_to_the_window(
    sandbox: Sandbox, delighted: Delighted, query: dict[str, int], found: list[int]
) -> None:
    known = fill(delighted, 3)
    delighted.revise(known[0], comment="later", at=NOON + timedelta(seconds=600))
    window = {name: unix(NOON) + seconds for name, seconds in query.items()}
    assert ids(get(sandbox, **window)) == [known[n] for n in found]


def test_answers_are_found_by_person(sandbox: Sandbox, delighted: Delighted) -> None:
    fill(delighted, 2)
    row = delighted.add_response(4, email="ana@example.com")
    assert ids(get(sandbox, person_email="ANA@example.com")) == [row["id"]]
    assert ids(get(sandbox, person_id=row["person"]["id"])) == [row["id"]]
    assert ids(get(sandbox, person_email="nobody@example.com")) == []


def test_a_revised_row_keeps_its_place_in_one_order_and_moves_in_the_other(
    sandbox: Sandbox, delighted: Delighted
) -> None:
    known = fill(delighted, 3)
    row = delighted.revise(known[0], comment="Too slow", score=2, at=NOON + timedelta(hours=1))
    assert (row["comment"], row["score"]) == ("Too slow", 2)
    assert row["updated_at"] == unix(NOON) + 3600
    assert ids(get(sandbox)) == known
    assert ids(get(sandbox, order="asc:updated_at")) == [known[1], known[2], known[0]]
    assert ids(get(sandbox, order="desc:updated_at")) == [known[0], known[2], known[1]]


def test_a_row_that_moves_while_pages_are_read_takes_another_out_of_sight(
    sandbox: Sandbox, delighted: Delighted
) -> None:
    known = fill(delighted, 6)
    seen = ids(get(sandbox, order="asc:updated_at", per_page=3))
    delighted.revise(known[0], comment="meanwhile", at=NOON + timedelta(hours=1))
    seen += ids(get(sandbox, order="asc:updated_at", per_page=3, page=2))
    assert known[3] not in seen
    assert seen.count(known[0]) == 2


def test_a_window_that_ends_in_the_past_loses_the_moved_row_and_shifts_the_rest(
    sandbox: Sandbox, delighted: Delighted
) -> None:
    known = fill(delighted, 6)
    window = {"updated_until": unix(NOON) + 600, "order": "asc:updated_at", "per_page": 3}
    seen = ids(get(sandbox, **window))
    delighted.revise(known[0], comment="meanwhile", at=NOON + timedelta(hours=1))
    seen += ids(get(sandbox, page=2, **window))
    assert seen == [*known[:3], *known[4:]]


def test_an_erased_person_takes_every_answer_along(sandbox: Sandbox, delighted: Delighted) -> None:
    known = fill(delighted, 2)
    erased = delighted.add_response(3, email="ana@example.com")["person"]["id"]
    delighted.delete_person("ana@example.com")
    assert ids(get(sandbox)) == known
    assert "ana@example.com" not in get(sandbox, "people.json").text
    again = delighted.add_response(3, email="ana@example.com")["person"]["id"]
    assert again != erased


def test_five_thousand_answers_are_read_within_seconds(
    sandbox: Sandbox, delighted: Delighted
) -> None:
    known = fill(delighted, 5000, seconds=7)
    session = requests.Session()
    session.auth = KEY
    url = f"{sandbox.urls['delighted']}/v1/survey_responses.json"
    began = datetime.now(UTC)
    seen: list[str] = []
    page = 1
    while rows := session.get(
        url, params={"per_page": "100", "page": str(page), "expand[]": "person"}, timeout=5
    ).json():
        seen += [row["id"] for row in rows]
        page += 1
    assert seen == known
    assert datetime.now(UTC) - began < timedelta(seconds=10)


def test_people_are_paged_by_the_link_header(sandbox: Sandbox, delighted: Delighted) -> None:
    addresses = [f"person{n}@example.com" for n in range(5)]
    for n, address in enumerate(addresses):
        delighted.add_response(9, email=address, at=NOON + timedelta(minutes=n))
    reply = get(sandbox, "people.json", per_page=2, since=unix(NOON) + 1)
    seen = [person["email"] for person in reply.json()]
    while "next" in reply.links:
        reply = requests.get(reply.links["next"]["url"], auth=KEY, timeout=5)
        seen += [person["email"] for person in reply.json()]
    assert seen == addresses[1:]


def test_people_are_found_by_address_and_phone(sandbox: Sandbox, delighted: Delighted) -> None:
    delighted.add_response(9, email="ana@example.com")
    delighted.add_response(9, phone="+34600000000")
    [by_email] = get(sandbox, "people.json", email="ana@example.com").json()
    [by_phone] = get(sandbox, "people.json", phone_number="+34600000000").json()
    assert (by_email["phone_number"], by_phone["email"]) == (None, None)


def test_adding_ones_own_parameters_to_the_next_link_ends_in_414(
    sandbox: Sandbox, delighted: Delighted
) -> None:
    for n in range(600):
        delighted.add_response(9, at=NOON + timedelta(minutes=n))
    own = {"per_page": "1", "since": "1"}
    reply = get(sandbox, "people.json", **own)
    while "next" in reply.links:
        reply = requests.get(reply.links["next"]["url"], params=own, auth=KEY, timeout=5)
    assert reply.status_code == 414


def test_a_made_up_page_is_refused(sandbox: Sandbox) -> None:
    for page_info in ("2", "bm90IGpzb24=", "WzFd"):
        assert get(sandbox, "people.json", page_info=page_info).status_code == 422


def test_metrics_count_the_last_thirty_days_with_zero_among_the_detractors(
    sandbox: Sandbox, delighted: Delighted
) -> None:
    now = sandbox.clock.now()
    for score in (0, 6, 7, 8, 9, 10, 10, None):
        delighted.add_response(score, at=now - timedelta(days=1))
    delighted.add_response(0, at=now - timedelta(days=40))
    assert get(sandbox, "metrics.json").json() == {
        "nps": 14,
        "promoter_count": 3,
        "promoter_percent": 42.9,
        "passive_count": 2,
        "passive_percent": 28.6,
        "detractor_count": 2,
        "detractor_percent": 28.6,
        "response_count": 7,
    }
    since = unix(now - timedelta(days=50))
    assert get(sandbox, "metrics.json", since=since).json()["detractor_count"] == 3
    assert get(sandbox, "metrics.json", until=since).json()["response_count"] == 0


def test_the_signature_is_the_hex_hmac_sha256_of_the_raw_body() -> None:
    body = b'{"event_type":"survey_response.created"}'
    expected = "sha256=8f7f409eb251cb833e5afb6786012f68c6e1464ea23cafa15748e8adf066097a"
    assert sign("test_api_key", body) == expected


def test_a_webhook_tells_the_score_first_and_the_comment_later(delighted: Delighted) -> None:
    id = delighted.add_response(3, email="ana@example.com", at=NOON)["id"]
    before = delighted.webhook(id, "survey_response.created")
    delighted.revise(id, comment="¡Fatal!", at=NOON + timedelta(minutes=2))
    assert delighted.webhook(id, "survey_response.created") == before
    body, headers = delighted.webhook(id, "survey_response.updated")
    assert headers["X-Delighted-Webhook-Signature"] == sign(KEY[0], body)
    first, second = json.loads(before[0]), json.loads(body)
    assert first["event_data"]["comment"] is None
    assert second["event_data"]["comment"] == "¡Fatal!"
    assert set(second["event_data"]) == ROW_KEYS
    assert set(second["event_data"]["person"]) == {"id", "email", "name", "created_at"}
    assert first["event_id"] != second["event_id"]
    assert all(len(event["event_id"]) == 64 for event in (first, second))


def test_each_revision_is_an_event_of_its_own_though_it_falls_into_the_same_second(
    delighted: Delighted,
) -> None:
    id = delighted.add_response(3, at=NOON)["id"]
    events = []
    for comment in ("one", "two"):
        delighted.revise(id, comment=comment, at=NOON)
        events.append(json.loads(delighted.webhook(id, "survey_response.updated")[0])["event_id"])
    assert events[0] != events[1]


def test_events_that_did_not_happen_cannot_be_sent(delighted: Delighted) -> None:
    id = delighted.add_response(3, email="ana@example.com")["id"]
    with pytest.raises(ValueError, match="not been revised"):
        delighted.webhook(id, "survey_response.updated")
    with pytest.raises(ValueError, match="unknown event"):
        delighted.webhook(id, "created")
    body, _ = delighted.webhook(id, "unsubscribe.created")
    assert json.loads(body)["event_data"]["email"] == "ana@example.com"


def test_a_taken_id_and_an_unknown_column_are_mistakes_in_a_test(delighted: Delighted) -> None:
    delighted.add_response(3, id="77")
    with pytest.raises(ValueError, match="77"):
        delighted.add_response(3, id="77")
    with pytest.raises(ValueError, match="tagz"):
        delighted.add_response(3, tagz=["a"])


def test_faults_reach_the_reader(sandbox: Sandbox, delighted: Delighted) -> None:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    delighted.fault("status", status=429, headers={"Retry-After": date})
    assert get(sandbox).headers["Retry-After"] == date
    delighted.fault("lose_reply")
    with pytest.raises(requests.ConnectionError):
        get(sandbox)
    assert get(sandbox).status_code == 200
    assert delighted.counts() == {}


def test_a_reopened_sandbox_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as first:
        known = fill(first.delighted, 2)
        first.delighted.revise(known[0], comment="later")
        event = first.delighted.webhook(known[0], "survey_response.updated")
    with Sandbox(tmp_path) as second:
        assert second.delighted.webhook(known[0], "survey_response.updated") == event
        known += fill(second.delighted, 1)
        assert sorted(ids(get(second))) == sorted(known)
