"""Hotjar: a list without dates or order of change, read whole and handed on once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from connector.domain import Note, Response
from connector.errors import Paused, TryLater, Unreadable
from connector.http import Session
from connector.sandbox.credentials import SECRETS
from connector.sandbox.hotjar import Hotjar as StandIn
from connector.sandbox.hotjar import question
from connector.sandbox.server import Sandbox
from connector.sources import hotjar as module
from connector.sources.hotjar import Hotjar, HotjarSettings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "hotjar"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=2)
PLAIN = {
    "type": "hotjar",
    "survey": "nps",
    "site_id": 12345,
    "client_id": SECRETS["HOTJAR_CLIENT_ID"],
    "client_secret": SECRETS["HOTJAR_CLIENT_SECRET"],
}
QUESTIONS = (
    question("q_nps", "nps", "How likely are you to recommend us?"),
    question("q_why", "long-text", "Why?"),
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def vendor(sandbox: Sandbox) -> StandIn:
    with sandbox.hotjar.changing():
        for part in ("surveys", "site_of", "responses", "tokens"):
            sandbox.hotjar.state[part].clear()
        sandbox.hotjar.state.update(exports=True, per_minute=3000)
        sandbox.hotjar.state["used"] = {"minute": 0, "requests": 0}
    sandbox.hotjar.add_survey(QUESTIONS, id="survey_1")
    return sandbox.hotjar


@pytest.fixture
def source(sandbox: Sandbox, vendor: StandIn) -> Hotjar:
    return adapter(sandbox)


def adapter(sandbox: Sandbox, **settings: Any) -> Hotjar:
    return of(Session(base_url=sandbox.urls["hotjar"]), **settings)


def of(session: requests.Session, **settings: Any) -> Hotjar:
    return Hotjar(HotjarSettings.model_validate({**PLAIN, **settings}), session)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text("utf-8"))


def read(source: Hotjar, body: bytes) -> list[Response]:
    records = source.split(Note(door="webhook", body=body))
    parsed = [source.parse(Note(door="webhook", body=record)) for record in records]
    return [response for response in parsed if response is not None]


def records_of(pages: Any) -> list[dict[str, Any]]:
    return [json.loads(record) for page in pages for record in page.records]


def poll(
    source: Hotjar, cursor: str | None, now: datetime = LATER
) -> tuple[list[dict[str, Any]], str]:
    """The records that a whole poll hands on, and the cursor after it."""
    pages = list(source.pull(cursor, now))
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
    return records_of(pages), pages[-1].cursor


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["response"]["id"] for record in records]


def answered(vendor: StandIn, count: int, since: datetime, step: timedelta) -> list[str]:
    rows = [
        vendor.add_response("survey_1", {"q_nps": n % 11}, at=since + n * step)
        for n in range(count)
    ]
    return [row["id"] for row in rows]


# -- reading one record -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(p.name[:-8] for p in FIXTURES.glob("*.in.json")))
def test_a_payload_becomes_the_responses_beside_it(name: str) -> None:
    source = of(requests.Session(), **fixture(f"{name}.settings.json"))
    found = read(source, (FIXTURES / f"{name}.in.json").read_bytes())
    assert [r.model_dump(mode="json") for r in found] == fixture(f"{name}.out.json")


def test_the_content_decides_about_revisions_as_hotjar_tells_no_time_of_change(
    source: Hotjar, vendor: StandIn
) -> None:
    answered(vendor, 1, NOON, timedelta(0))
    (record,), _ = poll(source, None)
    (response,) = read(source, json.dumps(record).encode())
    assert response.revised_at is None


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"survey": {"id": "s"}, "response": {}}, "id"),
        ({"survey": {}, "response": {"id": "r"}}, r"survey\.id"),
        ({"survey": {"id": "s"}, "response": {"id": "r", "answers": {}}}, "answers"),
        (
            {
                "survey": {"id": "s", "questions": [{"id": "q", "type": "nps"}]},
                "response": {"id": "r", "answers": [{"question_id": "q", "answer": "ten"}]},
            },
            "score",
        ),
        ({"event": "survey_response", "data": {"id": 1}}, "survey_id"),
    ],
)
def test_an_unreadable_record_names_its_field(record: Any, field: str) -> None:
    with pytest.raises(Unreadable, match=f"^{field}: "):
        of(requests.Session()).parse(Note(door="poll", body=json.dumps(record).encode()))


# -- webhooks -----------------------------------------------------------------------------------


def test_without_a_signature_in_the_settings_no_webhook_is_taken_in() -> None:
    body = (FIXTURES / "webhook_numbers.in.json").read_bytes()
    assert not of(requests.Session()).verify(Note(door="webhook", body=body), NOON)
    assert of(requests.Session(), signature="none").verify(Note(door="webhook", body=body), NOON)


def test_a_signature_in_the_settings_is_checked() -> None:
    talk = fixture("hotjar_signed.json")
    source = of(requests.Session(), **fixture(talk["settings"]))
    body = (FIXTURES / talk["body"]).read_bytes()
    assert source.verify(Note(door="webhook", body=body, headers=talk["headers"]), NOON)
    assert not source.verify(Note(door="webhook", body=body + b" ", headers=talk["headers"]), NOON)
    assert not source.verify(Note(door="webhook", body=body), NOON)


# -- polling ------------------------------------------------------------------------------------


def test_the_first_poll_reads_all_pages_to_their_end(source: Hotjar, vendor: StandIn) -> None:
    made = answered(vendor, 350, NOON - timedelta(days=300), timedelta(hours=20))
    records, _ = poll(source, None)
    assert sorted(ids(records)) == sorted(made)
    assert records[0]["survey"]["questions"][0] == {
        "id": "q_nps",
        "type": "nps",
        "text": "How likely are you to recommend us?",
    }


def test_an_idle_poll_hands_on_nothing_and_keeps_its_cursor(
    source: Hotjar, vendor: StandIn
) -> None:
    answered(vendor, 150, NOON - timedelta(days=150), timedelta(days=1))
    _, cursor = poll(source, None)
    records, after = poll(source, cursor, LATER + timedelta(days=30))
    assert records == []
    assert after == cursor
    assert len(cursor) < 500


def test_a_survey_without_answers_is_no_trouble(source: Hotjar, vendor: StandIn) -> None:
    records, cursor = poll(source, None)
    assert records == []
    (made,) = answered(vendor, 1, LATER, timedelta(0))
    assert ids(poll(source, cursor, LATER + timedelta(minutes=1))[0]) == [made]


def test_reading_stops_at_answers_that_are_settled(
    sandbox: Sandbox, source: Hotjar, vendor: StandIn
) -> None:
    answered(vendor, 450, NOON - timedelta(days=450), timedelta(days=1))
    _, cursor = poll(source, None)
    url = f"{sandbox.urls['hotjar']}/_sandbox/log"
    before = len(requests.get(url, timeout=5).json())
    poll(source, cursor)
    paths = [call["path"] for call in requests.get(url, timeout=5).json()[before:]]
    assert paths == ["/v1/sites/12345/surveys", "/v1/sites/12345/surveys/survey_1/responses"]


def test_new_answers_are_found_once_however_many(source: Hotjar, vendor: StandIn) -> None:
    answered(vendor, 10, NOON, timedelta(seconds=1))
    _, cursor = poll(source, None)
    made = answered(vendor, 250, LATER, timedelta(seconds=1))
    records, cursor = poll(source, cursor, LATER + timedelta(hours=1))
    assert sorted(ids(records)) == sorted(made)
    assert poll(source, cursor, LATER + timedelta(hours=1))[0] == []


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=47)])
def test_an_answer_that_appears_late_is_still_found(
    source: Hotjar, vendor: StandIn, late: timedelta
) -> None:
    answered(vendor, 1, NOON, timedelta(0))
    _, cursor = poll(source, None)
    (made,) = answered(vendor, 1, NOON - late, timedelta(0))
    assert ids(poll(source, cursor)[0]) == [made]


def test_an_answer_that_is_finished_later_is_read_again(source: Hotjar, vendor: StandIn) -> None:
    begun = vendor.add_response("survey_1", {"q_nps": 2, "q_why": None}, at=NOON, complete=False)
    (record,), cursor = poll(source, None)
    (response,) = read(source, json.dumps(record).encode())
    assert (response.complete, response.comment) == (False, "")
    answered(vendor, 120, NOON, timedelta(minutes=20))
    vendor.complete_response(begun["id"], {"q_why": "Too slow"})
    now = NOON + timedelta(hours=41)
    records, cursor = poll(source, cursor, now)
    again = [r for r in records if r["response"]["id"] == begun["id"]]
    (response,) = read(source, json.dumps(again[0]).encode())
    assert (response.complete, response.comment) == (True, "Too slow")
    vendor.analyse(begun["id"], "q_why", tags=["speed"], sentiment="negative")
    records, cursor = poll(source, cursor, now)
    assert ids(records) == [begun["id"]]
    assert poll(source, cursor, now)[0] == []


def test_answers_that_push_the_list_down_while_it_is_read_bring_none_twice(
    source: Hotjar, vendor: StandIn
) -> None:
    made = answered(vendor, 250, NOON, timedelta(seconds=1))
    pages = source.pull(None, LATER)
    got = ids(records_of([next(pages)]))
    more = answered(vendor, 30, LATER, timedelta(seconds=1))
    page = None
    for page in pages:
        got += ids(records_of([page]))
    assert sorted(got) == sorted(made)
    assert page is not None
    records, _ = poll(source, page.cursor, LATER + timedelta(minutes=1))
    assert sorted(ids(records)) == sorted(more)


@pytest.mark.parametrize("pages_done", [(1,), (2,), (3,), (1, 3), (1, 1, 2, 4)])
def test_history_that_was_stopped_is_not_handed_on_again(
    source: Hotjar, vendor: StandIn, pages_done: tuple[int, ...]
) -> None:
    made = answered(vendor, 420, NOON - timedelta(days=200), timedelta(hours=11))
    got: list[str] = []
    cursor: str | None = None
    for count in pages_done:
        pages = source.pull(cursor, LATER)
        for page in islice(pages, count):
            got += ids(records_of([page]))
            cursor = page.cursor
        pages.close()
        made += answered(vendor, 5, LATER, timedelta(seconds=1))
    records, cursor = poll(source, cursor, LATER + timedelta(minutes=1))
    assert sorted(got + ids(records)) == sorted(made)
    assert len(cursor) < 1000
    assert poll(source, cursor, LATER + timedelta(minutes=2))[0] == []


def test_a_stop_while_catching_up_loses_nothing_in_between(source: Hotjar, vendor: StandIn) -> None:
    answered(vendor, 5, NOON - timedelta(days=20), timedelta(seconds=1))
    _, cursor = poll(source, None)
    made = answered(vendor, 250, NOON - timedelta(days=12), timedelta(hours=1))
    pages = source.pull(cursor, LATER)
    page = next(pages)
    pages.close()
    got = ids(records_of([page]))
    assert len(got) == 100
    records, cursor = poll(source, page.cursor, LATER + timedelta(minutes=1))
    assert sorted(got + ids(records)) == sorted(made)
    assert poll(source, cursor, LATER)[0] == []


def test_a_busy_survey_keeps_a_small_cursor_and_still_repeats_nothing(
    source: Hotjar, vendor: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_MARKS", 100)
    made = answered(vendor, 350, NOON, timedelta(seconds=1))
    records, cursor = poll(source, None)
    assert sorted(ids(records)) == sorted(made)
    assert len(cursor) < 2000
    records, after = poll(source, cursor)
    assert records == []
    assert after == cursor
    begun = made[-50]
    vendor.complete_response(begun, {"q_why": "later"})
    assert ids(poll(source, cursor)[0]) == [begun]


def test_the_vendors_cursor_is_never_kept(source: Hotjar, vendor: StandIn) -> None:
    answered(vendor, 250, NOON, timedelta(seconds=1))
    for page in source.pull(None, LATER):
        place = json.loads(page.cursor)["surveys"].get("survey_1", {})
        assert set(place) <= {"overlap", "low"}


def test_several_surveys_are_read_and_a_rating_only_where_it_is_declared(
    sandbox: Sandbox, vendor: StandIn
) -> None:
    stars = [question("q_1", "rating-1-5", "How satisfied are you?")]
    for id in ("stars", "undeclared stars"):
        vendor.add_survey(stars, id=id)
        vendor.add_response(id, {"q_1": 1}, at=NOON)
    vendor.add_survey(QUESTIONS, id="a second NPS")
    vendor.add_response("a second NPS", {"q_nps": 10}, at=NOON)
    vendor.add_survey(QUESTIONS, id="old")
    vendor.add_response("old", {"q_nps": 10}, at=NOON)
    source = adapter(
        sandbox, survey=None, surveys={"survey_1": "nps", "stars": "csat"}, ignored_surveys=["old"]
    )
    records, cursor = poll(source, None)
    found = [source.parse(Note(door="poll", body=json.dumps(r).encode())) for r in records]
    refs = {response.survey_ref: response.score for response in found if response}
    assert refs == {"stars": 1, "a second NPS": 10}
    assert poll(source, cursor)[0] == []


def test_a_list_of_surveys_has_pages_too(sandbox: Sandbox, vendor: StandIn) -> None:
    for n in range(120):
        vendor.add_survey(QUESTIONS, id=f"more_{n}")
    vendor.add_response("more_119", {"q_nps": 1}, id="found", at=NOON)
    assert ids(poll(adapter(sandbox), None)[0]) == ["found"]


@responses.activate
def test_a_strange_row_goes_to_the_inbox_and_the_poll_goes_on() -> None:
    base = "https://api.hotjar.io/v1"
    responses.post(f"{base}/oauth/token", json={"access_token": "t", "expires_in": 3600})
    survey = {"id": "s", "questions": [{"id": "q", "type": "nps"}, "what?"]}
    rows = ["what?", {"id": "r"}]
    responses.get(f"{base}/sites/12345/surveys", json={"results": [survey], "next_cursor": None})
    url = f"{base}/sites/12345/surveys/s/responses"
    responses.get(url, json={"results": rows, "next_cursor": None})
    records, _ = poll(of(Session()), None)
    assert [record["response"] for record in records] == rows


# -- signing in, and when it fails --------------------------------------------------------------


def test_a_token_is_renewed_before_it_ends(source: Hotjar, vendor: StandIn) -> None:
    _, cursor = poll(source, None, NOON)
    (first,) = vendor.state["tokens"]
    _, cursor = poll(source, cursor, NOON + timedelta(minutes=57))
    assert set(vendor.state["tokens"]) == {first}
    poll(source, cursor, NOON + timedelta(minutes=58))
    assert len(vendor.state["tokens"]) == 2


def test_a_token_that_ended_early_is_renewed_once(source: Hotjar, vendor: StandIn) -> None:
    made = answered(vendor, 1, NOON, timedelta(0))
    poll(source, None)
    with vendor.changing():
        vendor.state["tokens"].clear()
    assert ids(poll(source, None)[0]) == made


def test_a_key_that_ended_pauses_and_says_that_keys_end(sandbox: Sandbox, vendor: StandIn) -> None:
    source = adapter(sandbox, client_secret="wrong-secret-1")
    with pytest.raises(Paused, match="one year") as raised:
        poll(source, None)
    assert "wrong-secret-1" not in str(raised.value) + repr(raised.value)
    (finding,) = source.check(NOON)
    assert not finding.ok


def test_a_plan_without_export_pauses(source: Hotjar, vendor: StandIn) -> None:
    vendor.allow_exports(False)
    with pytest.raises(Paused, match="Ask Scale plan"):
        poll(source, None)


def test_a_site_that_does_not_exist_pauses(sandbox: Sandbox, vendor: StandIn) -> None:
    with pytest.raises(Paused, match="site_id"):
        poll(adapter(sandbox, site_id="99999"), None)


def test_a_rate_limit_is_waited_for(source: Hotjar, vendor: StandIn) -> None:
    vendor.limit(0)
    with pytest.raises(TryLater) as raised:
        poll(source, None)
    assert raised.value.account_wide


@responses.activate
@pytest.mark.parametrize(
    "reply",
    ["<html>", "[]", '{"results": null}', '{"results": [], "next_cursor": "same"}'],
)
def test_an_answer_that_makes_no_sense_is_tried_again_later(reply: str) -> None:
    base = "https://api.hotjar.io/v1"
    responses.post(f"{base}/oauth/token", json={"access_token": "t", "expires_in": 3600})
    responses.get(f"{base}/sites/12345/surveys", body=reply)
    with pytest.raises(TryLater):
        poll(of(Session()), None)


@responses.activate
def test_contentsquare_is_asked_at_its_own_address_in_its_own_way() -> None:
    base = "https://api.contentsquare.com/v1"
    token = responses.post(f"{base}/oauth/token", json={"access_token": "t", "expires_in": 3600})
    surveys = responses.get(
        f"{base}/public/projects/12345/surveys", json={"results": [], "next_cursor": None}
    )
    assert poll(of(Session(), api="contentsquare"), None)[0] == []
    asked = json.loads(token.calls[0].request.body or b"")
    assert asked["scope"] == "surveys"
    assert asked["grant_type"] == "client_credentials"
    assert surveys.calls[0].request.headers["Authorization"] == "Bearer t"


def test_doctor_tells_each_survey_and_what_is_missing(sandbox: Sandbox, vendor: StandIn) -> None:
    vendor.add_survey([question("q_1", "rating-1-5", "Stars?")], id="stars", name="Stars")
    vendor.add_survey(QUESTIONS, id="undeclared", name="Other")
    source = adapter(sandbox, survey=None, surveys={"survey_1": "nps", "nowhere": "nps"})
    found = {f.subject: (f.ok, f.message, f.cure) for f in source.check(NOON)}
    assert found["Hotjar"][0]
    assert found["Hotjar survey survey_1 'NPS'"][:2] == (True, "is read")
    assert found["Hotjar survey stars 'Stars'"][0]
    assert not found["Hotjar survey undeclared 'Other'"][0]
    assert "undeclared: <survey>" in found["Hotjar survey undeclared 'Other'"][2]
    assert not found["Hotjar survey nowhere"][0]
