"""Delighted: nothing is lost and nothing comes twice, whatever moves while the list is read."""

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
from connector.errors import Paused, Refused, TryLater, Unreadable
from connector.http import Session
from connector.sandbox.credentials import SECRETS
from connector.sandbox.delighted import Delighted as StandIn
from connector.sandbox.server import Sandbox
from connector.sources import delighted as module
from connector.sources.delighted import URL, Delighted, DelightedSettings

FIXTURES = Path(__file__).parents[2] / "fixtures" / "delighted"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=2)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def vendor(sandbox: Sandbox) -> StandIn:
    with sandbox.delighted.changing():
        for part in ("responses", "revised", "people", "person_of_email"):
            sandbox.delighted.state[part].clear()
        sandbox.delighted.state.update(gone=False, bucket=None)
    return sandbox.delighted


@pytest.fixture
def source(sandbox: Sandbox, vendor: StandIn) -> Delighted:
    return adapter(Session(base_url=sandbox.urls["delighted"]))


def adapter(session: requests.Session, **settings: Any) -> Delighted:
    plain = {"type": "delighted", "survey": "nps", "api_key": SECRETS["DELIGHTED_API_KEY"]}
    return Delighted(DelightedSettings.model_validate({**plain, **settings}), session)


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text("utf-8"))


def read(source: Delighted, body: bytes) -> list[Response]:
    records = source.split(Note(door="file", body=body))
    parsed = [source.parse(Note(door="file", body=record)) for record in records]
    return [response for response in parsed if response is not None]


def poll(
    source: Delighted, cursor: str | None, now: datetime = LATER
) -> tuple[list[dict[str, Any]], str]:
    """The rows that a whole poll hands on, and the cursor after it."""
    pages = list(source.pull(cursor, now))
    assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
    return [json.loads(record) for page in pages for record in page.records], pages[-1].cursor


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def settled(source: Delighted, now: datetime = LATER) -> str:
    """The cursor once history and a first look for revisions are behind."""
    _, cursor = poll(source, None, now)
    rows, cursor = poll(source, cursor, now)
    assert rows == []
    return cursor


# -- reading one record -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(p.name[:-8] for p in FIXTURES.glob("*.in.json")))
def test_a_payload_becomes_the_responses_beside_it(name: str) -> None:
    source = adapter(requests.Session(), **fixture(f"{name}.settings.json"))
    found = read(source, (FIXTURES / f"{name}.in.json").read_bytes())
    assert [r.model_dump(mode="json") for r in found] == fixture(f"{name}.out.json")


def test_an_answer_has_the_same_id_through_every_door(source: Delighted, vendor: StandIn) -> None:
    row = vendor.add_response(3, email="luca@example.org", at=NOON)
    vendor.revise(row["id"], comment="Tardi", at=NOON + timedelta(minutes=3))
    polled, _ = poll(source, None)
    body, _ = vendor.webhook(row["id"], "survey_response.updated")
    by_webhook = source.parse(Note(door="webhook", body=body))
    by_file = source.parse(Note(door="file", body=json.dumps(polled[0]).encode()))
    assert by_webhook is not None
    assert by_webhook == by_file
    assert by_webhook.revised_at == NOON + timedelta(minutes=3)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"score": 9}, "id"),
        ({"id": "1", "score": "often"}, "score"),
        ({"id": "1", "created_at": "yesterday"}, "created_at"),
        ({"id": "1", "person_properties": []}, "person_properties"),
        ({"event_type": "survey_response.created", "event_data": []}, "event_data"),
    ],
)
def test_an_unreadable_row_names_its_field(row: Any, field: str) -> None:
    with pytest.raises(Unreadable, match=f"^{field}: "):
        adapter(requests.Session()).parse(Note(door="poll", body=json.dumps(row).encode()))


@pytest.mark.parametrize("between", ["", "\n", ",\n"], ids=["pages", "lines", "list without ends"])
def test_an_archive_may_be_pages_of_the_api_after_each_other(between: str) -> None:
    pages = [json.dumps([{"id": "1", "score": 0}, {"id": "2"}]), json.dumps([{"id": "3"}])]
    source = adapter(requests.Session())
    found = list(source.rows(between.join([*pages, '{"id": "4"}', ""]).encode()))
    assert [row.line for row in found] == [1, 2, 3, 4]
    parsed = [source.parse(Note(door="file", body=row.record or b"")) for row in found]
    assert [response.record for response in parsed if response] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b'[{"id": "1"}]\n[{"id": "2"', "not JSON from line 2"),
        (b"Score,Comment\n9,Good", "not JSON from line 1"),
        (b"\xff\xfe[]", "UTF-8"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_file_that_is_no_archive_is_refused_in_words(data: bytes, complaint: str) -> None:
    with pytest.raises(Refused, match=complaint):
        adapter(requests.Session()).rows(data)


# -- webhooks -----------------------------------------------------------------------------------


def test_a_webhook_is_signed_with_the_api_key(vendor: StandIn, source: Delighted) -> None:
    row = vendor.add_response(3, at=NOON)
    body, headers = vendor.webhook(row["id"], "survey_response.created")
    sent = Note(door="webhook", body=body, headers={k.lower(): v for k, v in headers.items()})
    assert source.verify(sent, NOON)
    assert not source.verify(sent.model_copy(update={"body": body + b" "}), NOON)
    assert not source.verify(sent.model_copy(update={"headers": {}}), NOON)
    assert not adapter(requests.Session(), api_key="other").verify(sent, NOON)


def test_while_a_key_is_replaced_the_old_and_the_new_one_are_good() -> None:
    talk = fixture("delighted_signed.json")
    body = (FIXTURES / talk["body"]).read_bytes()
    sent = Note(door="webhook", body=body, headers=talk["headers"])
    for keys in (talk["secret"], ["new-key", talk["secret"]]):
        assert adapter(requests.Session(), api_key=keys).verify(sent, NOON)


# -- polling ------------------------------------------------------------------------------------


def test_the_first_poll_reads_all_history_with_its_people(
    source: Delighted, vendor: StandIn
) -> None:
    for n in range(250):
        vendor.add_response(n % 11, email=f"p{n}@example.com", at=NOON + timedelta(seconds=n))
    rows, _ = poll(source, None)
    assert ids(rows) == list(vendor.state["responses"])
    assert rows[0]["person"]["email"] == "p0@example.com"


def test_an_idle_poll_hands_on_nothing_and_keeps_its_cursor(
    source: Delighted, vendor: StandIn
) -> None:
    for n in range(30):
        vendor.add_response(9, at=NOON + timedelta(seconds=n))
    cursor = settled(source)
    rows, after = poll(source, cursor, LATER + timedelta(days=30))
    assert rows == []
    assert after == cursor
    assert len(cursor) < 1000


def test_an_empty_project_is_no_trouble(source: Delighted, vendor: StandIn) -> None:
    cursor = settled(source)
    row = vendor.add_response(0, at=LATER)
    rows, _ = poll(source, cursor, LATER + timedelta(minutes=1))
    assert ids(rows) == [row["id"]]


def test_an_answer_of_the_very_second_of_the_last_one_is_still_found(
    source: Delighted, vendor: StandIn
) -> None:
    vendor.add_response(9, at=NOON)
    cursor = settled(source)
    late = vendor.add_response(1, at=NOON)
    assert ids(poll(source, cursor)[0]) == [late["id"]]


def test_an_answer_that_appears_minutes_late_is_still_found(
    source: Delighted, vendor: StandIn
) -> None:
    vendor.add_response(9, at=NOON)
    cursor = settled(source)
    late = vendor.add_response(1, at=NOON - timedelta(minutes=9))
    assert ids(poll(source, cursor)[0]) == [late["id"]]


def test_a_comment_that_comes_after_the_score_is_found_once(
    source: Delighted, vendor: StandIn
) -> None:
    for n in range(5):
        vendor.add_response(9, at=NOON + timedelta(seconds=n))
    old = vendor.add_response(2, at=NOON - timedelta(days=30))
    cursor = settled(source)
    vendor.revise(old["id"], comment="Nobody called", at=LATER - timedelta(minutes=1))
    rows, cursor = poll(source, cursor)
    assert [(row["id"], row["comment"]) for row in rows] == [(old["id"], "Nobody called")]
    assert poll(source, cursor)[0] == []


def test_an_answer_revised_while_history_is_read_is_found_by_the_next_poll(
    source: Delighted, vendor: StandIn
) -> None:
    for n in range(150):
        vendor.add_response(9, at=NOON + timedelta(seconds=n))
    first = next(iter(vendor.state["responses"]))
    pages = source.pull(None, LATER)
    cursor = next(pages).cursor
    vendor.revise(first, comment="late", at=LATER)
    for page in pages:
        cursor = page.cursor
    rows, _ = poll(source, cursor, LATER + timedelta(minutes=1))
    assert [(row["id"], row["comment"]) for row in rows] == [(first, "late")]


def test_the_newest_seconds_are_left_for_the_next_poll(source: Delighted, vendor: StandIn) -> None:
    row = vendor.add_response(9, at=LATER - timedelta(seconds=1))
    rows, cursor = poll(source, None, LATER)
    assert rows == []
    assert ids(poll(source, cursor, LATER + timedelta(seconds=10))[0]) == [row["id"]]


def test_many_answers_of_one_second_come_once_each(source: Delighted, vendor: StandIn) -> None:
    for n in range(5):
        vendor.add_response(9, at=NOON - timedelta(seconds=n + 1))
    for _ in range(350):
        vendor.add_response(1, at=NOON)
    for n in range(5):
        vendor.add_response(9, at=NOON + timedelta(seconds=n + 1))
    rows, cursor = poll(source, None)
    assert sorted(ids(rows)) == sorted(vendor.state["responses"])
    vendor.add_response(5, id="late", at=NOON + timedelta(seconds=5))
    assert ids(poll(source, cursor)[0]) == ["late"]


@pytest.mark.parametrize("first", [True, False], ids=["history", "updates"])
def test_rows_that_vanish_between_two_pages_hide_no_others(
    source: Delighted, vendor: StandIn, first: bool
) -> None:
    cursor = None if first else settled(source, NOON)
    for n in range(300):
        at = NOON + timedelta(seconds=10 * n)
        vendor.add_response(9, email=f"p{n}@example.com", at=at)
    pages = source.pull(cursor, LATER)
    got = [json.loads(record)["id"] for record in next(pages).records]
    for n in range(50):
        vendor.delete_person(f"p{n}@example.com")
    for page in pages:
        got += [json.loads(record)["id"] for record in page.records]
    assert set(vendor.state["responses"]) <= set(got)
    assert len(got) == len(set(got))


def test_rows_that_are_revised_between_two_pages_hide_no_others(
    source: Delighted, vendor: StandIn
) -> None:
    cursor = settled(source, NOON)
    for n in range(300):
        vendor.add_response(9, at=NOON + timedelta(seconds=10 * n))
    pages = source.pull(cursor, LATER)
    page = next(pages)
    got = [json.loads(record)["id"] for record in page.records]
    moved = got[:40]
    for id in moved:
        vendor.revise(id, comment="more", at=LATER)
    for page in pages:
        got += [json.loads(record)["id"] for record in page.records]
    assert set(got) == set(vendor.state["responses"])
    rows, _ = poll(source, page.cursor, LATER + timedelta(minutes=1))
    assert sorted(ids(rows)) == sorted(moved)


@pytest.mark.parametrize("pages_done", [1, 2, 3])
def test_a_poll_that_was_stopped_goes_on_where_it_was(
    source: Delighted, vendor: StandIn, pages_done: int
) -> None:
    for n in range(420):
        vendor.add_response(9, at=NOON - timedelta(hours=60 - n // 7))
    for id, minutes in zip(vendor.state["responses"], (30, 60), strict=False):
        vendor.revise(id, comment="more", at=NOON + timedelta(minutes=minutes))
    pages, got, cursor = source.pull(None, LATER), [], None
    for _ in range(pages_done):
        page = next(pages)
        got += [json.loads(record)["id"] for record in page.records]
        cursor = page.cursor
    pages.close()
    rows, cursor = poll(source, cursor, LATER + timedelta(minutes=5))
    assert sorted(got + ids(rows)) == sorted(vendor.state["responses"])
    assert poll(source, cursor, LATER + timedelta(minutes=6))[0] == []


def test_a_stop_between_two_pages_of_updates_repeats_nothing(
    source: Delighted, vendor: StandIn
) -> None:
    cursor = settled(source, NOON)
    for n in range(250):
        vendor.add_response(9, at=NOON + timedelta(seconds=n))
    pages = source.pull(cursor, LATER)
    page = next(pages)
    pages.close()
    got = [json.loads(record)["id"] for record in page.records]
    rows, _ = poll(source, page.cursor)
    assert sorted(got + ids(rows)) == sorted(vendor.state["responses"])


def test_every_page_asks_for_the_same_window_oldest_first(
    sandbox: Sandbox, source: Delighted, vendor: StandIn
) -> None:
    for n in range(150):
        vendor.add_response(9, at=NOON + timedelta(seconds=n))
    _, cursor = poll(source, None, NOON)
    url = f"{sandbox.urls['delighted']}/_sandbox/log"
    before = len(requests.get(url, timeout=5).json())
    poll(source, cursor, LATER)
    asked = [dict(call["query"]) for call in requests.get(url, timeout=5).json()[before:]]
    assert len(asked) > 1
    until = str(int(LATER.timestamp()) - 5)
    for query in asked:
        assert query["order"] == "asc:updated_at"
        assert query["updated_until"] == until
        assert query["expand[]"] == "person"
    starts = [int(query["updated_since"]) for query in asked]
    assert starts == sorted(starts)


def test_a_cursor_that_cannot_be_read_means_from_the_beginning(
    source: Delighted, vendor: StandIn
) -> None:
    row = vendor.add_response(9, at=NOON)
    assert ids(poll(source, "garbage")[0]) == [row["id"]]


# -- when it fails ------------------------------------------------------------------------------


def test_an_ended_service_pauses_and_says_what_can_still_be_done(
    source: Delighted, vendor: StandIn
) -> None:
    vendor.end_service()
    with pytest.raises(Paused, match=r"410.*can still come in: connector import"):
        poll(source, None)
    (finding,) = source.check(NOON)
    assert not finding.ok
    assert "30 June 2026" in finding.message


def test_a_wrong_key_pauses_and_stays_secret(sandbox: Sandbox, vendor: StandIn) -> None:
    source = adapter(Session(base_url=sandbox.urls["delighted"]), api_key="wrong-key-1")
    with pytest.raises(Paused, match="copy it again") as raised:
        poll(source, None)
    assert "wrong-key-1" not in str(raised.value) + repr(raised.value)


def test_a_rate_limit_is_waited_for_as_long_as_the_vendor_says(
    source: Delighted, vendor: StandIn
) -> None:
    vendor.limit(burst=1, per_second=0.02)
    poll(source, None)
    with pytest.raises(TryLater) as raised:
        poll(source, None)
    assert raised.value.retry_after_seconds == pytest.approx(50, abs=2)
    assert raised.value.account_wide


@responses.activate
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, "[]", Paused),
        (422, "[]", Refused),
        (200, "<html>log in</html>", TryLater),
        (200, "{}", TryLater),
    ],
)
def test_other_answers_become_errors_that_name_the_next_step(
    status: int, body: str, error: type[Exception]
) -> None:
    responses.get(URL, status=status, body=body)
    with pytest.raises(error):
        poll(adapter(Session()), None)


@responses.activate
def test_a_server_that_repeats_its_page_is_not_read_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_PAGES_OF_A_SECOND", 20)
    row = {"id": "1", "created_at": int(NOON.timestamp())}
    responses.get(URL, json=[{**row, "id": str(n)} for n in range(100)])
    with pytest.raises(Refused, match="without an end"):
        poll(adapter(Session()), None)
    assert len(responses.calls) < 30


@responses.activate
def test_a_strange_row_goes_to_the_inbox_and_the_poll_goes_on() -> None:
    rows = ["what?", {"id": "2"}, {"id": "3", "score": 9, "created_at": 1767398400}]
    responses.get(URL, json=rows)
    source = adapter(Session())
    (page,) = source.pull(None, NOON)
    assert [json.loads(record) for record in page.records] == rows
    with pytest.raises(Unreadable):
        source.parse(Note(door="poll", body=page.records[0]))


def test_doctor_says_that_the_key_works(source: Delighted, vendor: StandIn) -> None:
    (finding,) = source.check(NOON)
    assert finding.ok
