"""Google Forms: every answer and every edit once, and never a guess about the score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from connector.domain import Note, Response
from connector.errors import Paused, TryLater, Unreadable
from connector.http import Session
from connector.sandbox.credentials import google_service_account
from connector.sandbox.google import Google as StandIn
from connector.sandbox.google.items import choice, grid, page_break, rating, scale, text
from connector.sandbox.server import Sandbox
from connector.sources.form_questions import Wanted, choose, questions_of
from connector.sources.google_forms import GoogleForms, GoogleFormsSettings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "google_forms"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=2)
FORM = "1FormOfTheTest"
NPS = scale("6a401f94", "Quanto è probabile che tu ci raccomandi?")
WHY = text("2063e2c0", "Perché?")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def vendor(sandbox: Sandbox) -> StandIn:
    with sandbox.google.changing():
        state = sandbox.google.state
        state["forms"].clear()
        state["tokens"].clear()
        state["delegated"].clear()
        state["used"] = {"minute": 0}
        state["quotas"] = {"Read requests": [975, 390], "Expensive read requests": [450, 180]}
        state.update(most_per_page=5000, filter_reads="lastSubmittedTime")
    sandbox.google.add_form(FORM, NPS, WHY, page_break("Fine"))
    return sandbox.google


@pytest.fixture
def source(sandbox: Sandbox, vendor: StandIn) -> GoogleForms:
    return adapter(sandbox)


def adapter(sandbox: Sandbox, **settings: Any) -> GoogleForms:
    plain = {
        "type": "google_forms",
        "survey": "nps",
        "form_id": FORM,
        "service_account": sandbox.secrets["GOOGLE_SERVICE_ACCOUNT"],
    }
    session = Session(base_url=sandbox.urls["google"])
    return GoogleForms(GoogleFormsSettings.model_validate({**plain, **settings}), session)


def offline(**settings: Any) -> GoogleForms:
    return GoogleForms(GoogleFormsSettings.model_validate(settings), requests.Session())


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text("utf-8"))


def read(source: GoogleForms, body: bytes) -> list[Response]:
    records = source.split(Note(door="file", body=body))
    parsed = [source.parse(Note(door="file", body=record)) for record in records]
    return [response for response in parsed if response is not None]


def poll(
    source: GoogleForms, cursor: str | None, now: datetime = LATER
) -> tuple[list[dict[str, Any]], str]:
    """The records that a whole poll hands on, and the cursor after it."""
    pages = list(source.pull(cursor, now))
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
    return [json.loads(record) for page in pages for record in page.records], pages[-1].cursor


def ids(records: list[dict[str, Any]]) -> list[str]:
    return sorted(record["response"]["responseId"] for record in records)


def understood(source: GoogleForms, record: dict[str, Any]) -> Response:
    found = source.parse(Note(door="poll", body=json.dumps(record).encode()))
    assert found is not None
    return found


def answered(vendor: StandIn, count: int, since: datetime = NOON) -> None:
    for n in range(count):
        vendor.add_response(
            FORM, {"6a401f94": n % 11}, id=f"R{n:03d}", at=since + timedelta(seconds=n)
        )


# -- reading one record -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(p.name[:-8] for p in FIXTURES.glob("*.in.json")))
def test_a_payload_becomes_the_responses_beside_it(name: str) -> None:
    source = offline(**fixture(f"{name}.settings.json"))
    found = read(source, (FIXTURES / f"{name}.in.json").read_bytes())
    assert [r.model_dump(mode="json") for r in found] == fixture(f"{name}.out.json")


def test_saved_pages_can_be_imported() -> None:
    source = offline(**fixture("saved_list.settings.json"))
    found = list(source.rows((FIXTURES / "saved_list.in.json").read_bytes() * 2))
    parsed = [source.parse(Note(door="file", body=row.record or b"")) for row in found]
    assert [response.record for response in parsed if response] == ["R2", "R3", "R2", "R3"]


def test_a_saved_list_needs_to_be_told_which_question_is_the_score() -> None:
    settings = fixture("saved_list.settings.json") | {"score_question": None}
    with pytest.raises(Unreadable, match="write score_question"):
        read(offline(**settings), (FIXTURES / "saved_list.in.json").read_bytes())


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"response": {}, "questions": {"score": "a"}}, "responseId"),
        ({"response": {"responseId": "R"}, "questions": {}}, "questions"),
        ({"response": {"responseId": "R", "answers": []}, "questions": {"score": "a"}}, "answers"),
        (
            {
                "response": {
                    "responseId": "R",
                    "answers": {"a": {"textAnswers": {"answers": [{"value": "ten"}]}}},
                },
                "questions": {"score": "a"},
            },
            "score",
        ),
    ],
)
def test_an_unreadable_record_names_its_field(record: Any, field: str) -> None:
    source = offline(**fixture("polled.settings.json"))
    with pytest.raises(Unreadable, match=f"^{field}: "):
        source.parse(Note(door="poll", body=json.dumps(record).encode()))


def test_no_webhook_is_taken_in(source: GoogleForms) -> None:
    push = json.dumps({"message": {"attributes": {"eventType": "RESPONSES"}}}).encode()
    assert not source.verify(Note(door="webhook", body=push), NOON)


# -- which question is which --------------------------------------------------------------------


def chosen_of(*items: Any, **wanted: str) -> tuple[str, str | None]:
    chosen = choose(questions_of({"items": list(items)}), Wanted(**wanted))
    return chosen.score, chosen.comment


def test_a_scale_whose_low_end_is_left_out_begins_at_zero() -> None:
    item = {"questionItem": {"question": {"questionId": "q", "scaleQuestion": {"high": 10}}}}
    assert chosen_of(item) == ("q", None)


@pytest.mark.parametrize("kind", ["RADIO", "DROP_DOWN"])
def test_a_choice_from_0_to_10_is_a_score_too(kind: str) -> None:
    options = [str(n) for n in range(11)]
    assert chosen_of(choice("q", "Score", options, kind=kind)) == ("q", None)


def test_the_comment_is_the_next_paragraph_or_else_the_next_line() -> None:
    line = text("line", "Your order", paragraph=False)
    before = text("before", "Anything else?")
    assert chosen_of(before, NPS, line, WHY) == ("6a401f94", "2063e2c0")
    assert chosen_of(before, NPS, line) == ("6a401f94", "line")
    assert chosen_of(before, NPS) == ("6a401f94", None)


def test_questions_that_are_named_otherwise_are_no_comment() -> None:
    mail = text("mail", "Your e-mail", paragraph=False)
    assert chosen_of(NPS, mail, email_question="mail") == ("6a401f94", None)


def test_named_questions_win() -> None:
    stars = rating("stars", "Stars", level=5)
    other = text("other", "Why so many?")
    assert chosen_of(NPS, WHY, stars, other, score_question="stars") == ("stars", "other")
    assert chosen_of(NPS, WHY, other, comment_question="other") == ("6a401f94", "other")


def test_two_candidates_are_listed_and_none_is_guessed() -> None:
    other = scale("second", "And the shop?")
    with pytest.raises(Paused, match=r"2 questions from 0 to 10.*score_question.*second") as raised:
        chosen_of(NPS, other)
    assert "6a401f94 ('Quanto è probabile che tu ci raccomandi?', scale 0-10)" in str(raised.value)


@pytest.mark.parametrize(
    ("item", "listed"),
    [
        (scale("q", "1 to 10", low=1), r"scale 1-10"),
        (rating("q", "Stars"), r"rating 1-5"),
        (choice("q", "Several", [str(n) for n in range(11)], kind="CHECKBOX"), r"choice\)"),
        (choice("q", "Other too", [str(n) for n in range(11)], other=True), r"choice\)"),
        (grid("Grid", {"q": "Row"}, [str(n) for n in range(11)]), "none has a scale"),
        (WHY, "none has a scale"),
    ],
)
def test_what_is_not_from_0_to_10_is_listed_and_not_taken(item: Any, listed: str) -> None:
    with pytest.raises(Paused, match=f"no question from 0 to 10.*score_question.*{listed}"):
        chosen_of(item)


def test_a_named_question_that_is_not_in_the_form_is_said_by_its_setting() -> None:
    with pytest.raises(Paused, match=r"no question nope; correct comment_question"):
        chosen_of(NPS, comment_question="nope")


def test_a_row_of_a_grid_carries_both_titles() -> None:
    (row,) = questions_of({"items": [grid("Delivery", {"q": "Speed"}, ["good", "bad"])]})
    assert (row.id, row.title) == ("q", "Delivery: Speed")


def test_the_score_stays_pinned_when_a_second_candidate_is_added(
    source: GoogleForms, vendor: StandIn
) -> None:
    answered(vendor, 1)
    _, cursor = poll(source, None)
    with vendor.changing():
        vendor.state["forms"][FORM]["form"]["items"].insert(0, scale("second", "And the shop?"))
    vendor.add_response(FORM, {"second": 1, "6a401f94": 9}, id="new", at=LATER)
    (record,), _ = poll(source, cursor, LATER + timedelta(minutes=1))
    response = understood(source, record)
    assert response.score == 9
    assert response.properties == {"And the shop?": "1"}


def test_answers_to_a_replaced_score_question_keep_their_score(
    source: GoogleForms, vendor: StandIn
) -> None:
    answered(vendor, 1)
    _, cursor = poll(source, None)
    with vendor.changing():
        vendor.state["forms"][FORM]["form"]["items"][0] = scale("newscore", "How likely?")
    vendor.add_response(FORM, {"newscore": 4}, id="new", at=LATER)
    with vendor.changing():
        row = vendor.state["forms"][FORM]["responses"]["R000"]
        row["lastSubmittedTime"] = "2026-11-20T14:00:01Z"
    records, _ = poll(source, cursor, LATER + timedelta(days=1))
    found = {r["response"]["responseId"]: understood(source, r).score for r in records}
    assert found == {"R000": 0, "new": 4}


# -- polling ------------------------------------------------------------------------------------


def test_all_pages_of_a_list_without_order_are_read(source: GoogleForms, vendor: StandIn) -> None:
    answered(vendor, 50)
    vendor.cap_pages(7)
    records, _ = poll(source, None)
    assert ids(records) == sorted(vendor.state["forms"][FORM]["responses"])


def test_a_record_says_everything_that_its_reading_needs(
    source: GoogleForms, vendor: StandIn
) -> None:
    vendor.add_response(
        FORM, {"6a401f94": 0, "2063e2c0": "Lento"}, email="luca@example.com", at=NOON
    )
    (record,), _ = poll(source, None)
    other = offline(type="google_forms", survey="nps", form_id=FORM, service_account="unset")
    response = understood(other, record)
    assert (response.score, response.comment) == (0, "Lento")
    assert response.respondent.email == "luca@example.com"
    assert response.answered_at == NOON


def test_an_answer_without_answers_has_no_score(source: GoogleForms, vendor: StandIn) -> None:
    vendor.add_response(FORM, {}, at=NOON)
    (record,), _ = poll(source, None)
    assert understood(source, record).score is None


def test_an_idle_poll_hands_on_nothing_and_neither_does_the_daily_list(
    source: GoogleForms, vendor: StandIn
) -> None:
    answered(vendor, 30)
    _, cursor = poll(source, None)
    for later in (timedelta(minutes=1), timedelta(days=1), timedelta(days=2)):
        records, cursor = poll(source, cursor, LATER + later)
        assert records == []
    assert len(cursor) < 2000


def test_a_new_answer_is_found_once(source: GoogleForms, vendor: StandIn) -> None:
    answered(vendor, 3)
    _, cursor = poll(source, None)
    vendor.add_response(FORM, {"6a401f94": 2}, id="new", at=LATER + timedelta(microseconds=1))
    records, cursor = poll(source, cursor, LATER + timedelta(minutes=1))
    assert ids(records) == ["new"]
    assert poll(source, cursor, LATER + timedelta(minutes=2))[0] == []
    assert poll(source, cursor, LATER + timedelta(days=1))[0] == []


@pytest.mark.parametrize("late", [timedelta(0), timedelta(minutes=9)])
def test_an_answer_that_appears_late_is_still_found(
    source: GoogleForms, vendor: StandIn, late: timedelta
) -> None:
    vendor.add_response(FORM, {"6a401f94": 9}, at=NOON)
    _, cursor = poll(source, None)
    vendor.add_response(FORM, {"6a401f94": 1}, id="late", at=NOON - late)
    assert ids(poll(source, cursor)[0]) == ["late"]


def test_an_edit_is_found_by_the_time_of_its_submission(
    source: GoogleForms, vendor: StandIn
) -> None:
    answered(vendor, 3)
    _, cursor = poll(source, None)
    edited_at = LATER + timedelta(microseconds=123457)
    vendor.edit_response(FORM, "R001", {"2063e2c0": "Troppo caro"}, at=edited_at)
    (record,), cursor = poll(source, cursor, LATER + timedelta(minutes=1))
    response = understood(source, record)
    assert (response.record, response.comment) == ("R001", "Troppo caro")
    assert response.revised_at == edited_at
    assert poll(source, cursor, LATER + timedelta(minutes=2))[0] == []


def test_an_edit_that_the_filter_does_not_see_is_found_by_the_daily_list(
    source: GoogleForms, vendor: StandIn
) -> None:
    vendor.filter_by("createTime")
    answered(vendor, 3)
    vendor.add_response(FORM, {"6a401f94": 7}, id="other", at=NOON + timedelta(hours=1))
    _, cursor = poll(source, None)
    vendor.add_response(FORM, {"6a401f94": 2}, id="new", at=LATER)
    edited_at = LATER + timedelta(minutes=5)
    vendor.edit_response(FORM, "R001", {"2063e2c0": "Troppo caro"}, at=edited_at)
    records, cursor = poll(source, cursor, LATER + timedelta(hours=1))
    assert ids(records) == ["new"]
    records, cursor = poll(source, cursor, LATER + timedelta(hours=23))
    assert records == []
    records, cursor = poll(source, cursor, LATER + timedelta(days=1))
    assert ids(records) == ["R001"]
    assert poll(source, cursor, LATER + timedelta(days=2))[0] == []


def test_the_whole_list_comes_as_often_as_the_settings_say(
    sandbox: Sandbox, vendor: StandIn
) -> None:
    vendor.filter_by("createTime")
    answered(vendor, 1)
    vendor.add_response(FORM, {"6a401f94": 7}, id="other", at=NOON + timedelta(hours=1))
    source = adapter(sandbox, full_list_every="1h")
    _, cursor = poll(source, None)
    vendor.edit_response(FORM, "R000", {"2063e2c0": "edited"}, at=LATER)
    assert poll(source, cursor, LATER + timedelta(minutes=59))[0] == []
    assert ids(poll(source, cursor, LATER + timedelta(minutes=60))[0]) == ["R000"]


@pytest.mark.parametrize("first", [True, False], ids=["history", "updates"])
def test_a_list_that_was_stopped_loses_nothing_and_repeats_nothing(
    source: GoogleForms, vendor: StandIn, first: bool
) -> None:
    vendor.cap_pages(5)
    cursor = None if first else poll(source, None, NOON)[1]
    answered(vendor, 32)
    pages = source.pull(cursor, LATER)
    page = next(pages)
    pages.close()
    got = ids([json.loads(record) for record in page.records])
    assert len(got) == 5
    records, cursor = poll(source, page.cursor, LATER + timedelta(minutes=1))
    assert sorted(got + ids(records)) == sorted(vendor.state["forms"][FORM]["responses"])
    assert poll(source, cursor, LATER + timedelta(days=1))[0] == []


def test_the_filter_includes_its_moment_and_goes_back_ten_minutes_to_the_nanosecond(
    sandbox: Sandbox, source: GoogleForms, vendor: StandIn
) -> None:
    vendor.add_response(FORM, {"6a401f94": 9}, at=NOON + timedelta(microseconds=55199))
    _, cursor = poll(source, None)
    poll(source, cursor)
    calls = requests.get(f"{sandbox.urls['google']}/_sandbox/log", timeout=5).json()
    query = dict(calls[-1]["query"])
    assert query["filter"] == "timestamp >= 2026-11-20T11:50:00.055199000Z"


def test_more_answers_than_a_cursor_can_hold_bring_the_full_list_forward(
    source: GoogleForms, vendor: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.sources.google_forms.MOST_MARKS", 10)
    _, cursor = poll(source, None, NOON)
    answered(vendor, 30, since=NOON)
    records, cursor = poll(source, cursor, NOON + timedelta(minutes=1))
    assert len(records) == 30
    vendor.add_response(FORM, {"6a401f94": 3}, id="last", at=LATER)
    records, cursor = poll(source, cursor, LATER)
    assert ids(records) == ["last"]
    assert len(json.loads(cursor)["overlap"]["seen"]) == 1


# -- signing in, and when it fails --------------------------------------------------------------


def test_a_token_that_ended_early_is_renewed_once(
    sandbox: Sandbox, source: GoogleForms, vendor: StandIn
) -> None:
    answered(vendor, 1)
    _, cursor = poll(source, None)
    with vendor.changing():
        vendor.state["tokens"].clear()
    assert poll(source, cursor)[0] == []
    assert len(vendor.state["tokens"]) == 1


def test_a_token_is_renewed_before_it_ends(source: GoogleForms, vendor: StandIn) -> None:
    _, cursor = poll(source, None, NOON)
    (first,) = vendor.state["tokens"]
    _, cursor = poll(source, cursor, NOON + timedelta(minutes=49))
    assert set(vendor.state["tokens"]) == {first}
    poll(source, cursor, NOON + timedelta(minutes=50))
    assert len(vendor.state["tokens"]) == 2


def test_one_key_asks_for_exactly_the_two_scopes(source: GoogleForms, vendor: StandIn) -> None:
    poll(source, None)
    (token,) = vendor.state["tokens"].values()
    assert [scope.rpartition("/")[2] for scope in token["scopes"]] == [
        "forms.body.readonly",
        "forms.responses.readonly",
    ]


def test_a_subject_reads_what_is_shared_with_that_person(sandbox: Sandbox, vendor: StandIn) -> None:
    answered(vendor, 1)
    vendor.share(FORM, "owner@example.com")
    vendor.delegate("owner@example.com")
    assert ids(poll(adapter(sandbox, subject="owner@example.com"), None)[0]) == ["R000"]
    with pytest.raises(Paused, match="share it with the service account"):
        poll(adapter(sandbox), None)


def test_a_delegation_that_was_not_granted_pauses(sandbox: Sandbox, vendor: StandIn) -> None:
    with pytest.raises(Paused, match="domain-wide delegation") as raised:
        poll(adapter(sandbox, subject="nobody@example.com"), None)
    assert "nobody@example.com" not in str(raised.value)


def test_a_form_that_does_not_exist_pauses(sandbox: Sandbox, vendor: StandIn) -> None:
    with pytest.raises(Paused, match="between /d/ and /edit"):
        poll(adapter(sandbox, form_id="a/b c"), None)


@pytest.mark.parametrize("key", ["", "no json", "{}", '{"private_key": "secret-of-mine"}'])
def test_a_key_that_is_no_key_pauses_and_stays_secret(
    sandbox: Sandbox, vendor: StandIn, key: str
) -> None:
    with pytest.raises(Paused, match="not the JSON file") as raised:
        poll(adapter(sandbox, service_account=key), None)
    assert "secret-of-mine" not in str(raised.value) + repr(raised.value)


def test_a_spent_quota_is_waited_for(source: GoogleForms, vendor: StandIn) -> None:
    vendor.set_quota("Expensive read requests", per_project=0, per_user=0)
    with pytest.raises(TryLater) as raised:
        poll(source, None)
    assert raised.value.account_wide


@responses.activate
def test_a_token_request_that_fails_is_a_read_and_may_be_repeated() -> None:
    uri = "https://oauth2.googleapis.com/token"
    responses.post(uri, status=502)
    plain = {"type": "google_forms", "survey": "nps", "form_id": FORM}
    settings = GoogleFormsSettings.model_validate(
        {**plain, "service_account": google_service_account(uri)}
    )
    with pytest.raises(TryLater):
        poll(GoogleForms(settings, Session()), None)


def test_doctor_names_the_questions_and_warns_of_anonymous_answers(
    sandbox: Sandbox, source: GoogleForms, vendor: StandIn
) -> None:
    (finding,) = source.check(NOON)
    assert finding.ok
    assert "6a401f94" in finding.message
    assert "2063e2c0" in finding.message
    vendor.add_form(FORM, NPS, email_collection="DO_NOT_COLLECT")
    with_score, anonymous = source.check(NOON)
    assert "no comment" in with_score.message
    assert "anonymous" in anonymous.message
    vendor.share(FORM)
    (refused,) = source.check(NOON)
    assert not refused.ok
