"""The Google stand-in refuses what Google refuses, and gives its pages in no useful order."""

import copy
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from google.auth.transport.requests import AuthorizedSession
from google.auth.transport.requests import Request as AuthRequest
from google.oauth2 import service_account

from connector.sandbox.credentials import GOOGLE_CLIENT_EMAIL, google_service_account, rsa_key
from connector.sandbox.google import Google, items
from connector.sandbox.server import Sandbox

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/"
BODY, RESPONSES = SCOPE + "forms.body.readonly", SCOPE + "forms.responses.readonly"
FORM = "1FAIpQL-nps"
LIST = f"/v1/forms/{FORM}/responses"
OWNER = "owner@example.com"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    """One server for the whole module, put back to its first state after each test."""
    vendor = running.google
    empty = copy.deepcopy(vendor.state)
    running.google.add_form(
        FORM,
        items.scale("6a401f94", "Quanto è probabile che tu ci raccomandi?"),
        items.text("2063e2c0", "Perché?"),
        items.page_break("Sezione"),
        items.choice("0c0ffee0", "Cosa altro?", ["prezzo", "velocità"], kind="CHECKBOX"),
    )
    yield running
    vendor.state.clear()
    vendor.state.update(empty)
    vendor.clear_faults()
    running.clock.offset_seconds = 0.0


@pytest.fixture
def google(sandbox: Sandbox) -> Google:
    return sandbox.google


def assertion(sandbox: Sandbox, key: str = "google", **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": GOOGLE_CLIENT_EMAIL,
        "aud": f"{sandbox.urls['google']}/token",
        "iat": now,
        "exp": now + 3600,
        "scope": f"{BODY} {RESPONSES}",
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, rsa_key(key)[0], algorithm="RS256")


def ask_token(sandbox: Sandbox, signed: str, grant: str = GRANT) -> requests.Response:
    form = {"grant_type": grant, "assertion": signed}
    return requests.post(f"{sandbox.urls['google']}/token", data=form, timeout=5)


def token_for(sandbox: Sandbox, **changes: Any) -> str:
    reply = ask_token(sandbox, assertion(sandbox, **changes))
    assert reply.status_code == 200, reply.text
    return str(reply.json()["access_token"])


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    return token_for(sandbox)


def get(sandbox: Sandbox, token: str, path: str = LIST, **query: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(sandbox.urls["google"] + path, params=query, headers=headers, timeout=5)


def ids(reply: requests.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [row["responseId"] for row in reply.json().get("responses", [])]


def fill(google: Google, number: int) -> list[str]:
    return [
        google.add_response(FORM, {"6a401f94": n % 11}, at=NOON + timedelta(seconds=n))[
            "responseId"
        ]
        for n in range(number)
    ]


def walk(sandbox: Sandbox, token: str, **query: Any) -> list[list[str]]:
    pages: list[list[str]] = []
    while True:
        reply = get(sandbox, token, **query)
        pages.append(ids(reply))
        if "nextPageToken" not in reply.json():
            return pages
        query["pageToken"] = reply.json()["nextPageToken"]


def test_googles_own_library_gets_a_token_and_reads(sandbox: Sandbox, google: Google) -> None:
    known = fill(google, 1)
    info = json.loads(google_service_account(f"{sandbox.urls['google']}/token"))
    account = service_account.Credentials.from_service_account_info(info, scopes=[RESPONSES])
    session = AuthorizedSession(account)
    assert ids(session.get(sandbox.urls["google"] + LIST)) == known
    sandbox.clock.advance(7200)
    account.refresh(AuthRequest())
    assert ids(session.get(sandbox.urls["google"] + LIST)) == known


def test_a_token_is_given_for_an_hour(sandbox: Sandbox, token: str) -> None:
    body = ask_token(sandbox, assertion(sandbox)).json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    sandbox.clock.advance(3590)
    assert get(sandbox, token).status_code == 200
    sandbox.clock.advance(20)
    refused = get(sandbox, token)
    assert refused.status_code == 401
    assert refused.json()["error"]["status"] == "UNAUTHENTICATED"
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"iss": "stranger@example.com"}, 400, "invalid_grant"),
        ({"key": "somebody else"}, 400, "invalid_grant"),
        ({"aud": "https://forms.googleapis.com/"}, 400, "invalid_grant"),
        ({"aud": None}, 400, "invalid_grant"),
        ({"exp": None}, 400, "invalid_grant"),
        ({"iat": None}, 400, "invalid_grant"),
        ({"iat": 1_700_000_000, "exp": 1_700_003_600}, 400, "invalid_grant"),
        ({"iat": 4_000_000_000, "exp": 4_000_003_600}, 400, "invalid_grant"),
        ({"exp": int(time.time()) + 7200}, 400, "invalid_grant"),
        ({"scope": None}, 400, "invalid_scope"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"scope": SCOPE + "forms.everything"}, 400, "invalid_scope"),
        ({"sub": OWNER}, 401, "unauthorized_client"),
    ],
)
def test_a_bad_assertion_gets_no_token(
    sandbox: Sandbox, changes: dict[str, Any], status: int, error: str
) -> None:
    refused = ask_token(sandbox, assertion(sandbox, **changes))
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert refused.json()["error_description"]


def test_a_bad_token_request_is_refused(sandbox: Sandbox) -> None:
    good = assertion(sandbox)
    unsigned = jwt.encode({"iss": GOOGLE_CLIENT_EMAIL}, "", algorithm="none")
    for signed, grant, error in [
        (good, "client_credentials", "unsupported_grant_type"),
        ("", GRANT, "invalid_request"),
        ("not.a.jwt", GRANT, "invalid_grant"),
        (unsigned, GRANT, "invalid_grant"),
        (good[:-8] + "AAAAAAAA", GRANT, "invalid_grant"),
    ]:
        refused = ask_token(sandbox, signed, grant)
        assert (refused.status_code, refused.json()["error"]) == (400, error)


def test_the_moved_clock_of_the_sandbox_counts_for_assertions_too(sandbox: Sandbox) -> None:
    sandbox.clock.advance(86_400)
    now = int(sandbox.clock.timestamp())
    assert token_for(sandbox, iat=now, exp=now + 3600)
    assert token_for(sandbox)


def test_without_a_known_token_nothing_is_read(sandbox: Sandbox, token: str) -> None:
    url = sandbox.urls["google"] + LIST
    for header in ({}, {"Authorization": "Bearer made-up"}, {"Authorization": f"Basic {token}"}):
        refused = requests.get(url, headers=header, timeout=5)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == 401


@pytest.mark.parametrize(
    ("scope", "form", "responses"),
    [
        ("drive", 200, 200),
        ("drive.readonly", 200, 403),
        ("forms.body", 200, 403),
        ("forms.body.readonly", 200, 403),
        ("forms.responses.readonly", 403, 200),
    ],
)
def test_each_call_needs_one_of_its_scopes(
    sandbox: Sandbox, scope: str, form: int, responses: int
) -> None:
    narrow = token_for(sandbox, scope=SCOPE + scope)
    replies = [get(sandbox, narrow, f"/v1/forms/{FORM}"), get(sandbox, narrow)]
    assert [reply.status_code for reply in replies] == [form, responses]
    for refused in (reply for reply in replies if reply.status_code == 403):
        assert refused.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"


def test_a_form_must_be_shared_with_whoever_asks(
    sandbox: Sandbox, google: Google, token: str
) -> None:
    google.share(FORM, OWNER)
    for path in (f"/v1/forms/{FORM}", LIST):
        refused = get(sandbox, token, path)
        assert refused.status_code == 403
        assert refused.json()["error"]["status"] == "PERMISSION_DENIED"
    google.delegate(OWNER)
    assert get(sandbox, token_for(sandbox, sub=OWNER)).status_code == 200
    google.share(FORM, GOOGLE_CLIENT_EMAIL)
    assert get(sandbox, token).status_code == 200


def test_what_does_not_exist_is_not_found(sandbox: Sandbox, token: str) -> None:
    for path in ("/v1/forms/x", "/v1/forms/x/responses", f"{LIST}/x"):
        refused = get(sandbox, token, path)
        assert refused.status_code == 404
        assert refused.json()["error"]["status"] == "NOT_FOUND"
    assert get(sandbox, token, "/v1/form/x").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "timestamp = 2026-11-20T12:00:00Z"},
        {"filter": "timestamp < 2026-11-20T12:00:00Z"},
        {"filter": "timestamp>=2026-11-20T12:00:00Z"},
        {"filter": "timestamp >  2026-11-20T12:00:00Z"},
        {"filter": 'timestamp > "2026-11-20T12:00:00Z"'},
        {"filter": "timestamp > 2026-11-20T12:00:00+00:00"},
        {"filter": "timestamp > 2026-11-20T12:00:00"},
        {"filter": "timestamp > 2026-11-20 12:00:00Z"},
        {"filter": "timestamp > 2026-11-31T12:00:00Z"},
        {"filter": "timestamp > 2026-11-20T12:00:00.1234567890Z"},
        {"filter": "timestamp > 1795176000"},
        {"filter": "lastSubmittedTime > 2026-11-20T12:00:00Z"},
        {"filter": "timestamp > 2026-11-20T12:00:00Z AND timestamp > 2026-11-20T12:00:00Z"},
        {"timestamp": "2026-11-20T12:00:00Z"},
        {"pageSize": 5001},
        {"pageSize": -1},
        {"pageSize": "all"},
        {"pageToken": "2"},
        {"pageToken": "W10="},
        {"page_size": 10},
        {"orderBy": "createTime"},
    ],
)
def test_a_bad_question_is_an_invalid_argument(
    sandbox: Sandbox, token: str, query: dict[str, Any]
) -> None:
    refused = get(sandbox, token, **query)
    assert refused.status_code == 400
    assert refused.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_the_form_leaves_out_default_values(sandbox: Sandbox, token: str) -> None:
    form = get(sandbox, token, f"/v1/forms/{FORM}").json()
    assert form["settings"] == {"emailCollectionType": "RESPONDER_INPUT"}
    scale, text, page_break, choice = form["items"]
    assert scale["questionItem"]["question"] == {
        "questionId": "6a401f94",
        "scaleQuestion": {"high": 10},
    }
    assert text["questionItem"]["question"]["textQuestion"] == {"paragraph": True}
    assert page_break["pageBreakItem"] == {}
    assert choice["questionItem"]["question"]["choiceQuestion"] == {
        "type": "CHECKBOX",
        "options": [{"value": "prezzo"}, {"value": "velocità"}],
    }
    assert len({item["itemId"] for item in form["items"]}) == 4


def test_every_kind_of_item_can_be_made(google: Google) -> None:
    form = google.add_form(
        "other",
        items.scale("a", "From one", low=1, high=5),
        items.rating("b", "Stars"),
        items.text("c", "Short", paragraph=False),
        items.choice("d", "Pick", ["0"], other=True),
        items.grid("Grid", {"e": "Row one", "f": "Row two"}, ["good", "bad"]),
        email_collection="DO_NOT_COLLECT",
    )
    questions = [item.get("questionItem", {}).get("question") for item in form["items"]]
    assert questions[0]["scaleQuestion"] == {"low": 1, "high": 5}
    assert questions[1]["ratingQuestion"] == {"ratingScaleLevel": 5, "iconType": "STAR"}
    assert questions[2]["textQuestion"] == {}
    assert questions[3]["choiceQuestion"]["options"] == [{"value": "0"}, {"isOther": True}]
    group = form["items"][4]["questionGroupItem"]
    assert group["questions"][0] == {"questionId": "e", "rowQuestion": {"title": "Row one"}}
    assert google.add_response("other", {"f": "bad"})["answers"]["f"]["questionId"] == "f"


def test_responses_look_as_google_shows_them(sandbox: Sandbox, google: Google, token: str) -> None:
    given = {"6a401f94": 0, "2063e2c0": "Lento", "0c0ffee0": ["prezzo", "velocità"]}
    moment = NOON + timedelta(microseconds=55_199)
    google.add_response(FORM, given, email="luca@example.com", at=moment, id="R1")
    google.add_response(FORM, {}, at=NOON, id="R2")
    rows = {row["responseId"]: row for row in get(sandbox, token).json()["responses"]}
    answers = rows["R1"].pop("answers")
    assert rows == {
        "R1": {
            "responseId": "R1",
            "createTime": "2026-11-20T12:00:00.055Z",
            "lastSubmittedTime": "2026-11-20T12:00:00.055199Z",
            "respondentEmail": "luca@example.com",
        },
        "R2": {
            "responseId": "R2",
            "createTime": "2026-11-20T12:00:00Z",
            "lastSubmittedTime": "2026-11-20T12:00:00Z",
        },
    }
    texts = {
        name: [text["value"] for text in answer["textAnswers"]["answers"]]
        for name, answer in answers.items()
    }
    assert texts == {"6a401f94": ["0"], "2063e2c0": ["Lento"], "0c0ffee0": ["prezzo", "velocità"]}
    assert answers["6a401f94"]["questionId"] == "6a401f94"
    one = get(sandbox, token, f"{LIST}/R2").json()
    assert one == {"formId": FORM, **rows["R2"]}


def test_an_empty_list_is_an_empty_object(sandbox: Sandbox, token: str) -> None:
    assert get(sandbox, token).json() == {}
    assert get(sandbox, token, pageSize=0, filter="timestamp > 2030-01-01T00:00:00Z").json() == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("timestamp > 2026-11-20T12:00:01Z", [2]),
        ("timestamp >= 2026-11-20T12:00:01Z", [1, 2]),
        ("timestamp >= 2026-11-20T12:00:01.000000001Z", [2]),
        ("timestamp > 2026-11-20T12:00:00.999999999Z", [1, 2]),
        ("timestamp > 2026-11-20T12:00:02.000Z", []),
    ],
)
def test_the_filter_compares_to_the_nanosecond(
    sandbox: Sandbox, google: Google, token: str, text: str, found: list[int]
) -> None:
    known = fill(google, 3)
    assert set(ids(get(sandbox, token, filter=text))) == {known[n] for n in found}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("timestamp > 2026-11-20T12:00:00.499999Z", True),
        ("timestamp >= 2026-11-20T12:00:00.5Z", True),
        ("timestamp > 2026-11-20T12:00:00.500000000Z", False),
        ("timestamp >= 2026-11-20T12:00:00.500001Z", False),
    ],
)
def test_decimals_of_different_length_are_compared_as_fractions(
    sandbox: Sandbox, google: Google, token: str, text: str, found: bool
) -> None:
    google.add_response(FORM, {}, at=NOON + timedelta(milliseconds=500))
    assert bool(ids(get(sandbox, token, filter=text))) is found


def test_an_edit_changes_only_the_last_submitted_time(
    sandbox: Sandbox, google: Google, token: str
) -> None:
    known = fill(google, 3)
    before = get(sandbox, token, f"{LIST}/{known[0]}").json()
    later = NOON + timedelta(days=1, microseconds=500_123)
    google.edit_response(FORM, known[0], {"6a401f94": None, "2063e2c0": "Ripensato"}, at=later)
    after = get(sandbox, token, f"{LIST}/{known[0]}").json()
    assert after["createTime"] == before["createTime"]
    assert after["lastSubmittedTime"] == "2026-11-21T12:00:00.500123Z"
    assert list(after["answers"]) == ["2063e2c0"]
    recent = "timestamp > 2026-11-21T00:00:00Z"
    assert ids(get(sandbox, token, filter=recent)) == [known[0]]
    google.filter_by("createTime")
    assert ids(get(sandbox, token, filter=recent)) == []


def test_pages_come_in_no_useful_order_and_lose_nothing(
    sandbox: Sandbox, google: Google, token: str
) -> None:
    known = fill(google, 50)
    pages = walk(sandbox, token, pageSize=20)
    seen = [id for page in pages for id in page]
    assert [len(page) for page in pages] == [20, 20, 10]
    assert sorted(seen) == sorted(known)
    assert seen not in (known, known[::-1])
    assert known[-1] not in pages[0] or known[-2] not in pages[0]


def test_a_page_may_be_shorter_than_asked_although_more_follow(
    sandbox: Sandbox, google: Google, token: str
) -> None:
    known = fill(google, 10)
    google.cap_pages(4)
    pages = walk(sandbox, token, pageSize=100)
    assert [len(page) for page in pages] == [4, 4, 2]
    assert sorted(id for page in pages for id in page) == sorted(known)


def test_a_page_token_needs_the_same_form_and_filter(
    sandbox: Sandbox, google: Google, token: str
) -> None:
    fill(google, 4)
    google.add_form("other", items.scale("a", "How likely?"))
    text = "timestamp >= 2026-11-20T12:00:00Z"
    page_token = get(sandbox, token, filter=text, pageSize=2).json()["nextPageToken"]
    assert get(sandbox, token, pageToken=page_token).status_code == 400
    changed = {"filter": "timestamp >= 2026-11-20T12:00:01Z", "pageToken": page_token}
    assert get(sandbox, token, **changed).status_code == 400
    other = "/v1/forms/other/responses"
    assert get(sandbox, token, other, filter=text, pageToken=page_token).status_code == 400
    rest = get(sandbox, token, filter=text, pageSize=3, pageToken=page_token)
    assert len(ids(rest)) == 2


@pytest.mark.parametrize(
    "limits", [{"per_user": 2, "per_project": 9}, {"per_user": 9, "per_project": 2}]
)
def test_a_used_up_quota_comes_back_with_the_next_minute(
    sandbox: Sandbox, google: Google, token: str, limits: dict[str, int]
) -> None:
    google.set_quota("Expensive read requests", **limits)
    sandbox.clock.advance(60 - sandbox.clock.timestamp() % 60)  # to the start of a minute
    assert [get(sandbox, token).status_code for _ in range(3)] == [200, 200, 429]
    refused = get(sandbox, token)
    assert refused.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert "Retry-After" not in refused.headers
    assert get(sandbox, token, f"/v1/forms/{FORM}").status_code == 200
    sandbox.clock.advance(60)
    assert get(sandbox, token).status_code == 200


def test_five_thousand_responses_are_one_page_within_seconds(
    sandbox: Sandbox, google: Google, token: str
) -> None:
    known = fill(google, 5001)
    began = datetime.now(UTC)
    pages = walk(sandbox, token, filter="timestamp >= 2026-11-20T12:00:00Z")
    assert [len(page) for page in pages] == [5000, 1]
    assert sorted(id for page in pages for id in page) == sorted(known)
    assert datetime.now(UTC) - began < timedelta(seconds=10)


def test_mistakes_in_a_test_are_told(google: Google) -> None:
    google.add_form("plain", items.text("a", "Why?"), email_collection="DO_NOT_COLLECT")
    with pytest.raises(ValueError, match="does not collect"):
        google.add_response("plain", {}, email="luca@example.com")
    with pytest.raises(ValueError, match="no question b"):
        google.add_response("plain", {"b": "x"})
    with pytest.raises(ValueError, match="one id"):
        google.add_form("twice", items.text("a", "Why?"), items.text("a", "Why?"))
    with pytest.raises(ValueError, match="emailCollectionType"):
        google.add_form("typo", email_collection="NONE")
    google.add_response("plain", {}, id="R")
    with pytest.raises(ValueError, match="already"):
        google.add_response("plain", {}, id="R")
    with pytest.raises(KeyError):
        google.edit_response("plain", "unknown", {})


def test_a_reopened_sandbox_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as first:
        first.google.add_form(FORM, items.scale("6a401f94", "Quanto è probabile?"))
        known = fill(first.google, 3)
        token = token_for(first)
        page = get(first, token, pageSize=2)
    with Sandbox(tmp_path) as second:
        rest = get(second, token, pageSize=2, pageToken=page.json()["nextPageToken"])
        assert sorted(ids(page) + ids(rest)) == sorted(known)
