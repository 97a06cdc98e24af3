"""A source that is defined in YAML: mapping, presets, signatures, and nonsense."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import ValidationError

from connector.domain import Note, Response
from connector.errors import Unreadable
from connector.sources.webhook import Webhook, WebhookSettings
from connector.sources.webhook_presets import PRESETS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "webhook"
NOW = datetime(2026, 11, 20, 18, 17, 5, tzinfo=UTC)
PLAIN = {"type": "webhook", "signature": "none", "paths": {"score": "score", "comment": "why"}}


def webhook(**settings: Any) -> Webhook:
    return Webhook(WebhookSettings.model_validate({**PLAIN, **settings}), requests.Session())


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text("utf-8"))


def note(body: Any, headers: dict[str, str] | None = None) -> Note:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Note(door="webhook", body=raw, headers=headers or {})


def read(source: Webhook, body: Any) -> list[Response]:
    parsed = [source.parse(note(record)) for record in source.split(note(body))]
    return [response for response in parsed if response is not None]


def complaints(settings: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        WebhookSettings.model_validate(settings)
    return str(raised.value)


def without_signature(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "signature"}


@pytest.mark.parametrize("name", sorted(p.name[:-8] for p in FIXTURES.glob("*.in.json")))
def test_a_payload_becomes_the_responses_beside_it(name: str) -> None:
    source = Webhook(
        WebhookSettings.model_validate(fixture(f"{name}.settings.json")), requests.Session()
    )
    body = (FIXTURES / f"{name}.in.json").read_bytes()
    expected = fixture(f"{name}.out.json")
    assert [r.model_dump(mode="json") for r in read(source, body)] == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_payloads_and_a_signed_one(preset: str) -> None:
    assert list(FIXTURES.glob(f"{preset}_*.in.json"))
    assert (FIXTURES / f"{preset}_signed.json").exists()


# -- signatures ---------------------------------------------------------------------------------


def signed(preset: str, secrets: list[str]) -> tuple[Webhook, Note]:
    talk = fixture(f"{preset}_signed.json")
    settings = without_signature(fixture(talk["settings"])) | {"signature": {"secrets": secrets}}
    source = Webhook(WebhookSettings.model_validate(settings), requests.Session())
    return source, note((FIXTURES / talk["body"]).read_bytes(), talk["headers"])


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_accepts_the_vendors_signature_and_nothing_else(preset: str) -> None:
    secret = fixture(f"{preset}_signed.json")["secret"]
    source, genuine = signed(preset, [secret])
    assert source.verify(genuine, NOW)
    assert not source.verify(genuine.model_copy(update={"body": genuine.body + b" "}), NOW)
    assert not source.verify(genuine.model_copy(update={"headers": {}}), NOW)


@pytest.mark.parametrize("preset", PRESETS)
def test_while_a_secret_is_replaced_the_old_and_the_new_one_are_good(preset: str) -> None:
    secret = fixture(f"{preset}_signed.json")["secret"]
    other = "whsec_" + "bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldw=="
    both, genuine = signed(preset, [other, secret])
    only_the_other, _ = signed(preset, [other])
    assert both.verify(genuine, NOW)
    assert not only_the_other.verify(genuine, NOW)


def test_a_token_in_a_header_of_choice_is_compared_whole() -> None:
    source = webhook(signature={"scheme": "token", "header": "X-Api-Token", "secrets": ["s3cret"]})
    assert source.verify(note({}, {"x-api-token": "s3cret"}), NOW)
    assert not source.verify(note({}, {"x-api-token": "s3cre"}), NOW)
    assert not source.verify(note({}, {"authorization": "s3cret"}), NOW)


def test_unsigned_messages_are_taken_only_where_the_settings_say_so() -> None:
    assert webhook(signature="none").verify(note({}), NOW)
    assert webhook(signature={"scheme": "none"}).verify(note({}), NOW)
    assert "signature" in complaints(without_signature(PLAIN))


# -- mapping ------------------------------------------------------------------------------------


def test_a_score_of_zero_is_a_score_and_a_missing_one_is_none() -> None:
    scores = [read(webhook(), {"score": value})[0].score for value in (0, "0", "10.0", None, "")]
    assert scores == [0, 0, 10, None, None]
    assert read(webhook(), {"why": "no score at all"})[0].score is None


@pytest.mark.parametrize("value", [7.5, True, "seven", [9], {"value": 9}])
def test_a_score_of_the_wrong_kind_is_unreadable_and_names_its_path(value: Any) -> None:
    with pytest.raises(Unreadable, match=r"score \(score\)"):
        read(webhook(), {"score": value})


def test_the_first_of_several_paths_that_leads_to_something_counts() -> None:
    source = webhook(paths={"score": ["new.score", "old.score"]})
    assert read(source, {"new": {"score": 0}, "old": {"score": 9}})[0].score == 0
    assert read(source, {"old": {"score": 9}})[0].score == 9


def test_only_the_wanted_events_are_answers() -> None:
    source = webhook(only={"event": ["created", "updated"], "test": False})
    assert read(source, {"event": "created", "test": False, "score": 9})
    assert read(source, {"event": "updated", "test": False, "score": 9})
    assert not read(source, {"event": "deleted", "test": False, "score": 9})
    assert not read(source, {"event": "created", "test": True, "score": 9})
    assert not read(source, {"event": "created", "score": 9})


def test_without_an_id_the_content_is_the_id_however_it_is_spaced_and_sorted() -> None:
    source = webhook()
    one = read(source, b'{"score": 9, "why": "fast"}')[0].record
    same = read(source, b'{"why":"fast",   "score":9}')[0].record
    other = read(source, b'{"why":"fast!","score":9}')[0].record
    assert one == same != other


def test_a_mapped_id_that_is_missing_is_unreadable_not_invented() -> None:
    source = webhook(paths={"id": "id", "score": "score"})
    assert read(source, {"id": 12, "score": 1})[0].record == "12"
    for body in ({"score": 1}, {"id": "", "score": 1}, {"id": {"a": 1}, "score": 1}):
        with pytest.raises(Unreadable, match="id"):
            read(source, body)


def test_a_body_that_is_a_list_holds_one_answer_in_each_item() -> None:
    assert [r.score for r in read(webhook(), [{"score": 1}, {"score": 2}])] == [1, 2]
    assert read(webhook(), []) == []


def test_a_records_path_that_leads_to_no_list_keeps_the_whole_body_for_quarantine() -> None:
    source = webhook(records="data.items")
    for body in ({}, {"data": {"items": {"score": 1}}}, {"data": {"items": [1]}}):
        with pytest.raises(Unreadable):
            source.split(note(body))
    assert source.split(note({"data": {"items": []}})) == ()


def test_an_item_of_a_list_has_the_same_id_as_when_it_comes_alone() -> None:
    alone = read(webhook(), {"why": "x", "score": 1})[0]
    listed = read(webhook(records="r"), {"r": [{"score": 1, "why": "x"}]})[0]
    assert alone == listed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[1, 2]",
        b'"text"',
        b'{"score": NaN}',
        b"[" * 100_000,
        b'{"score": 1e999}',
    ],
)
def test_nonsense_is_unreadable_and_never_anything_else(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(webhook(), body)


def test_comments_stay_whole_and_lose_only_what_no_database_takes() -> None:
    comment = "מצוין 👩‍👩‍👧 " + "x" * 100_000
    assert read(webhook(), {"why": comment + "\x00"})[0].comment == comment


def test_a_time_without_an_offset_is_local_in_the_stated_zone() -> None:
    paths = {"score": "score", "answered_at": "at"}
    summer = {"score": 1, "at": "2026-07-01 12:00"}
    madrid = read(webhook(paths=paths, zone="Europe/Madrid"), summer)[0].answered_at
    assert madrid == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert read(webhook(paths=paths), summer)[0].answered_at == datetime(2026, 7, 1, 12, tzinfo=UTC)
    with pytest.raises(Unreadable, match=r"answered_at \(at\)"):
        read(webhook(paths=paths), {"at": "01/07/2026"})


def test_a_link_is_kept_only_when_it_is_one() -> None:
    source = webhook(paths={"score": "score", "link": "url"})
    assert read(source, {"url": "https://survey.example.com/1"})[0].link is not None
    assert read(source, {"url": "javascript:alert(1)"})[0].link is None


def test_no_sentence_about_a_bad_record_repeats_what_the_customer_wrote() -> None:
    paths = {
        "score": "score",
        "comment": "why",
        "answered_at": "at",
        "complete": "done",
        "id": "id",
    }
    source = webhook(paths=paths)
    secret = "jane@example.com is furious"
    good = {"id": "1", "score": 1}
    for wrong in ({"score": secret}, {"at": secret}, {"done": secret}, {"why": [secret]}):
        with pytest.raises(Unreadable) as raised:
            read(source, {**good, **wrong})
        assert "jane" not in str(raised.value)


# -- settings -----------------------------------------------------------------------------------


def test_what_the_user_writes_wins_over_the_preset_and_the_rest_stays() -> None:
    source = webhook(preset="typeform", paths={"score": "form_response.answers.0.number"}, only={})
    body = fixture("typeform_score_of_zero.in.json")
    body["event_type"] = "something_else"
    body["form_response"]["answers"][0] = {"number": 4}
    response = read(source, body)[0]
    assert (response.score, response.record) == (4, body["form_response"]["token"])


def test_two_scales_in_one_form_are_not_guessed_between_but_can_be_mapped() -> None:
    body = fixture("typeform_score_of_zero.in.json")
    answers = body["form_response"]["answers"]
    answers.append({"number": 9, "field": {"ref": "effort", "type": "opinion_scale"}})
    with pytest.raises(Unreadable, match="fits 2 items"):
        read(webhook(preset="typeform", paths={}), body)
    mapped = {"score": "form_response.answers[field.ref=nps].number"}
    assert read(webhook(preset="typeform", paths=mapped), body)[0].score == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"preset": "typefrom"}, "did you mean 'typeform'?"),
        ({"preset": "formbricks", "paths": {}}, "needs paths: {score: data.data.QUESTION_ID}"),
        ({"paths": {"email": "email"}}, "map at least the score or the comment"),
        ({"paths": {"score": "answers..number"}}, "is not clear at character 9"),
        ({"paths": {"score": "s", "properties": {"plan": "a[b"}}}, "is not clear"),
        ({"only": {"a.": "x"}}, "is not clear at the end"),
        ({"records": "data.[0]"}, "is not clear at character 6"),
        ({"zone": "Madrid"}, "write a time zone such as Europe/Madrid"),
        ({"paths": {"scroe": "score"}}, "scroe"),
        ({"signature": {"scheme": "hmac-sha256", "secrets": ["x"]}}, "name the header"),
        ({"signature": {"scheme": "standard", "secrets": ["x"]}}, "must be whsec_"),
        ({"signature": {"scheme": "standard", "secrets": []}}, "the secret is empty"),
        ({"signature": {"scheme": "none", "secrets": ["x"]}}, "'none' takes no secrets"),
        ({"signature": "nobody"}, "signature"),
    ],
)
def test_a_mistake_in_the_settings_is_found_when_they_are_read(
    settings: dict[str, Any], sentence: str
) -> None:
    assert sentence in complaints({**PLAIN, **settings})


def test_a_secret_is_in_no_complaint_and_no_representation() -> None:
    wrong = {**PLAIN, "signature": {"scheme": "standard", "secrets": ["not-base64-at-all!"]}}
    assert "not-base64-at-all" not in complaints(wrong)
    token = {"scheme": "token", "header": "X-Token", "secrets": ["hush-hush"]}
    assert "hush" not in repr(WebhookSettings.model_validate({**PLAIN, "signature": token}))
