"""The Hotjar stand-in refuses what Hotjar refuses; its list shifts under whoever reads it."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.sandbox.credentials import SECRETS
from connector.sandbox.hotjar import Hotjar, question
from connector.sandbox.server import Sandbox

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = {
    "grant_type": "client_credentials",
    "client_id": SECRETS["HOTJAR_CLIENT_ID"],
    "client_secret": SECRETS["HOTJAR_CLIENT_SECRET"],
}
QUESTIONS = [
    question(
        "q_nps",
        "nps",
        "¿Qué probabilidad hay de que nos recomiendes?",
        is_required=True,
        labels={"low_label": "Nada", "high_label": "Mucho"},
    ),
    question("q_why", "long-text", "¿Por qué?"),
    question("q_mail", "email", "E-mail"),
]
SURVEY = "survey_af479a77-abea-42bf-a73f-bc02f18503bf"
SURVEYS = "/v1/sites/12345/surveys"
RESPONSES = f"{SURVEYS}/{SURVEY}/responses"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    """One server for the whole module, put back to its first state after each test."""
    vendor = running.hotjar
    empty = copy.deepcopy(vendor.state)
    running.hotjar.add_survey(QUESTIONS, id=SURVEY, at=NOON - timedelta(days=90))
    yield running
    vendor.state.clear()
    vendor.state.update(empty)
    vendor.clear_faults()
    running.clock.offset_seconds = 0.0


@pytest.fixture
def hotjar(sandbox: Sandbox) -> Hotjar:
    return sandbox.hotjar


def ask_token(sandbox: Sandbox, **changes: str) -> requests.Response:
    url = f"{sandbox.urls['hotjar']}/v1/oauth/token"
    return requests.post(url, data={**KEY, **changes}, timeout=5)


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return str(ask_token(sandbox).json()["access_token"])


def get(sandbox: Sandbox, token: str, path: str = RESPONSES, **query: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(sandbox.urls["hotjar"] + path, params=query, headers=headers, timeout=5)


def ids(reply: requests.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [row["id"] for row in reply.json()["results"]]


def fill(hotjar: Hotjar, number: int, *, first: int = 0) -> list[str]:
    """Newest last."""
    return [
        hotjar.add_response(SURVEY, {"q_nps": n % 11}, at=NOON + timedelta(minutes=n))["id"]
        for n in range(first, first + number)
    ]


def test_a_token_is_given_for_an_hour(sandbox: Sandbox, token: str) -> None:
    body = ask_token(sandbox).json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3600)
    assert body["access_token"] != token
    sandbox.clock.advance(3590)
    assert get(sandbox, token).status_code == 200
    sandbox.clock.advance(20)
    refused = get(sandbox, token)
    assert refused.status_code == 401
    assert set(refused.json()) == {"error", "message"}
    assert get(sandbox, ask_token(sandbox).json()["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_key_or_flow_gets_no_token(
    sandbox: Sandbox, changes: dict[str, str], status: int, error: str
) -> None:
    refused = ask_token(sandbox, **changes)
    assert (refused.status_code, refused.json()["error"]) == (status, error)


def test_the_token_request_must_be_a_form(sandbox: Sandbox) -> None:
    url = f"{sandbox.urls['hotjar']}/v1/oauth/token"
    mislabelled = {"Content-Type": "application/json"}
    for refused in (
        requests.post(url, json=KEY, timeout=5),
        requests.post(url, data=KEY, headers=mislabelled, timeout=5),
        requests.post(url, timeout=5),
    ):
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_an_api_key_ends_after_a_year(sandbox: Sandbox) -> None:
    sandbox.clock.advance(364 * 86_400)
    assert ask_token(sandbox).status_code == 200
    sandbox.clock.advance(2 * 86_400)
    assert ask_token(sandbox).status_code == 401


def test_without_a_known_token_nothing_is_read(sandbox: Sandbox, token: str) -> None:
    url = sandbox.urls["hotjar"] + RESPONSES
    for header in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": f"Basic {token}"}):
        assert requests.get(url, headers=header, timeout=5).status_code == 401


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        (RESPONSES, {"limit": 101}, 400),
        (RESPONSES, {"limit": 0}, 400),
        (RESPONSES, {"limit": "all"}, 400),
        (RESPONSES, {"cursor": "2"}, 400),
        (RESPONSES, {"cursor": ""}, 400),
        (RESPONSES, {"cursor": "eyJFWEFNUExF"}, 400),
        (SURVEYS, {"with_questions": "True"}, 400),
        (SURVEYS, {"limit": 101}, 400),
        ("/v1/sites/99/surveys", {}, 404),
        (f"/v1/sites/99/surveys/{SURVEY}/responses", {}, 404),
        (f"{SURVEYS}/survey_0", {}, 404),
        (f"{SURVEYS}/survey_0/responses", {}, 404),
        ("/v1/sites", {}, 404),
    ],
)
def test_a_bad_question_is_refused(
    sandbox: Sandbox, token: str, path: str, query: dict[str, Any], status: int
) -> None:
    refused = get(sandbox, token, path, **query)
    assert refused.status_code == status
    assert set(refused.json()) == {"error", "message"}


def test_surveys_show_their_questions_on_request(sandbox: Sandbox, token: str) -> None:
    [plain] = get(sandbox, token, SURVEYS).json()["results"]
    [full] = get(sandbox, token, SURVEYS, with_questions="true").json()["results"]
    assert "questions" not in plain
    assert full == {**plain, "questions": QUESTIONS}
    assert full["responses_url"] == RESPONSES
    assert get(sandbox, token, f"{SURVEYS}/{SURVEY}").json() == full


def test_surveys_are_paged_and_belong_to_one_site(
    sandbox: Sandbox, hotjar: Hotjar, token: str
) -> None:
    other = hotjar.add_survey(QUESTIONS)["id"]
    elsewhere = hotjar.add_survey(QUESTIONS, site="777")["id"]
    first = get(sandbox, token, SURVEYS, limit=1)
    second = get(sandbox, token, SURVEYS, limit=1, cursor=first.json()["next_cursor"])
    assert ids(first) + ids(second) == [SURVEY, other]
    assert second.json()["next_cursor"] is None
    assert ids(get(sandbox, token, "/v1/sites/777/surveys")) == [elsewhere]


def test_a_response_looks_as_hotjar_shows_it(sandbox: Sandbox, hotjar: Hotjar, token: str) -> None:
    hotjar.add_response(
        SURVEY,
        {"q_nps": 0, "q_why": None},
        at=NOON,
        attributes={"user_id": "C-1042", "email": "ana@example.com"},
        device="mobile",
    )
    [row] = get(sandbox, token).json()["results"]
    assert row["created_time"] == "2026-11-20T12:00:00Z"
    assert row["device"] == "mobile"
    assert row["user_attributes"] == [
        {"name": "user_id", "value": "C-1042"},
        {"name": "email", "value": "ana@example.com"},
    ]
    rest = {"comment": None, "tags": [], "sentiment": None}
    assert row["answers"] == [
        {"question_id": "q_nps", "answer": "0", **rest},
        {"question_id": "q_why", "answer": None, **rest},
    ]
    assert set(row) == {
        "id",
        "created_time",
        "is_complete",
        "hotjar_user_id",
        "device",
        "browser",
        "os",
        "country",
        "window_size",
        "response_origin_url",
        "recording_url",
        "user_attributes",
        "answers",
    }


def test_several_options_are_several_answers(hotjar: Hotjar) -> None:
    survey = hotjar.add_survey([question("q", "multiple-option", "What else?")])["id"]
    row = hotjar.add_response(survey, {"q": ["price", "speed"]})
    assert [answer["answer"] for answer in row["answers"]] == ["price", "speed"]


def test_the_newest_answer_comes_first_and_no_parameter_filters(
    sandbox: Sandbox, hotjar: Hotjar, token: str
) -> None:
    known = fill(hotjar, 25)
    early = hotjar.add_response(SURVEY, {"q_nps": 1}, at=NOON - timedelta(days=1))["id"]
    newest_first = [*reversed(known), early]
    first = get(sandbox, token, since="2027-01-01")
    assert ids(first) == newest_first[:20]
    second = get(sandbox, token, cursor=first.json()["next_cursor"])
    assert ids(second) == newest_first[20:]
    assert second.json()["next_cursor"] is None


def test_an_answer_given_meanwhile_pushes_the_list_down(
    sandbox: Sandbox, hotjar: Hotjar, token: str
) -> None:
    known = fill(hotjar, 6)
    first = get(sandbox, token, limit=3)
    late = fill(hotjar, 1, first=6)
    second = get(sandbox, token, limit=3, cursor=first.json()["next_cursor"])
    assert ids(first) == [known[5], known[4], known[3]]
    assert ids(second) == [known[3], known[2], known[1]]
    assert late[0] not in ids(first) + ids(second)


def test_an_answer_erased_meanwhile_hides_another(
    sandbox: Sandbox, hotjar: Hotjar, token: str
) -> None:
    known = fill(hotjar, 6)
    first = get(sandbox, token, limit=3)
    hotjar.delete_response(known[5])
    second = get(sandbox, token, limit=3, cursor=first.json()["next_cursor"])
    assert known[2] not in ids(first) + ids(second)


def test_a_cursor_kept_from_an_earlier_walk_points_somewhere_else(
    sandbox: Sandbox, hotjar: Hotjar, token: str
) -> None:
    known = fill(hotjar, 4)
    kept = get(sandbox, token, limit=2).json()["next_cursor"]
    later = fill(hotjar, 4, first=4)
    assert ids(get(sandbox, token, limit=2, cursor=kept)) == [later[1], later[0]]
    assert known[1] not in ids(get(sandbox, token, limit=2, cursor=kept))


def test_a_cursor_belongs_to_its_list(sandbox: Sandbox, hotjar: Hotjar, token: str) -> None:
    fill(hotjar, 2)
    cursor = get(sandbox, token, limit=1).json()["next_cursor"]
    other = hotjar.add_survey(QUESTIONS)["id"]
    path = f"{SURVEYS}/{other}/responses"
    assert get(sandbox, token, path, cursor=cursor).status_code == 400


def test_what_is_completed_or_tagged_later_is_seen_only_by_reading_it_again(
    sandbox: Sandbox, hotjar: Hotjar, token: str
) -> None:
    id = hotjar.add_response(SURVEY, {"q_nps": 2, "q_why": None}, at=NOON, complete=False)["id"]
    fill(hotjar, 2, first=1)
    before = get(sandbox, token).json()["results"][-1]
    assert before["is_complete"] is False
    hotjar.complete_response(id, {"q_why": "Llegó tarde", "q_mail": "ana@example.com"})
    hotjar.analyse(id, "q_why", tags=["delivery"], sentiment="negative")
    after = get(sandbox, token).json()["results"][-1]
    assert after["is_complete"] is True
    assert (after["id"], after["created_time"]) == (id, before["created_time"])
    answers = {answer["question_id"]: answer for answer in after["answers"]}
    assert {name: answer["answer"] for name, answer in answers.items()} == {
        "q_nps": "2",
        "q_why": "Llegó tarde",
        "q_mail": "ana@example.com",
    }
    assert answers["q_why"]["tags"] == [{"name": "delivery"}]
    assert answers["q_why"]["sentiment"] == "negative"


def test_a_plan_without_exports_is_forbidden(sandbox: Sandbox, hotjar: Hotjar, token: str) -> None:
    hotjar.allow_exports(False)
    for path in (SURVEYS, RESPONSES):
        assert get(sandbox, token, path).status_code == 403
    hotjar.allow_exports(True)
    assert get(sandbox, token).status_code == 200


def test_the_limit_is_per_minute_and_names_no_time_to_come_back(
    sandbox: Sandbox, hotjar: Hotjar, token: str
) -> None:
    sandbox.clock.advance(60 - sandbox.clock.timestamp() % 60)  # to the start of a minute
    hotjar.limit(2)
    assert [get(sandbox, token).status_code for _ in range(3)] == [200, 200, 429]
    assert "Retry-After" not in get(sandbox, token).headers
    sandbox.clock.advance(60)
    assert get(sandbox, token).status_code == 200


def test_five_thousand_answers_are_read_within_seconds(
    sandbox: Sandbox, hotjar: Hotjar, token: str
) -> None:
    known = fill(hotjar, 5000)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    began = datetime.now(UTC)
    seen: list[str] = []
    query = {"limit": "100"}
    while True:
        reply = session.get(sandbox.urls["hotjar"] + RESPONSES, params=query, timeout=5)
        seen += ids(reply)
        if (cursor := reply.json()["next_cursor"]) is None:
            break
        query["cursor"] = cursor
    assert seen == known[::-1]
    assert datetime.now(UTC) - began < timedelta(seconds=10)


def test_mistakes_in_a_test_are_told(hotjar: Hotjar) -> None:
    with pytest.raises(ValueError, match="q_who"):
        hotjar.add_response(SURVEY, {"q_who": 1})
    with pytest.raises(ValueError, match="colour"):
        hotjar.add_response(SURVEY, {"q_nps": 1}, colour="red")
    with pytest.raises(ValueError, match="1-5-rating"):
        question("q", "1-5-rating", "How was it?")
    with pytest.raises(ValueError, match="already"):
        hotjar.add_survey(QUESTIONS, id=SURVEY)
    with pytest.raises(KeyError):
        hotjar.complete_response("response_0", {})
    hotjar.add_response(SURVEY, {"q_nps": 1}, id="r")
    with pytest.raises(ValueError, match="already"):
        hotjar.add_response(SURVEY, {"q_nps": 1}, id="r")


def test_a_reopened_sandbox_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as first:
        first.hotjar.add_survey(QUESTIONS, id=SURVEY)
        known = fill(first.hotjar, 2)
        token = str(ask_token(first).json()["access_token"])
    with Sandbox(tmp_path) as second:
        known += fill(second.hotjar, 1, first=2)
        assert ids(get(second, token)) == known[::-1]
