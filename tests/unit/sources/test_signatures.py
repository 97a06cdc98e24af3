"""Who may hand in a webhook, and what hostile headers can do: nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, TypeAdapter, ValidationError

from connector.domain import Note
from connector.sources.signatures import (
    BodyHmac,
    Check,
    Closed,
    Signature,
    SignatureSetting,
    StandardWebhooks,
    StaticToken,
    Unsigned,
    revealed,
)

# The example of the Standard Webhooks reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SENT_AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 b..").decode()


def note(body: bytes = BODY, **changed: str | None) -> Note:
    headers = {**HEADERS, **{name.replace("_", "-"): value for name, value in changed.items()}}
    kept = {name: value for name, value in headers.items() if value is not None}
    return Note(door="webhook", body=body, headers=kept)


def test_the_published_example_is_accepted() -> None:
    assert StandardWebhooks((SECRET,)).accepts(note(), SENT_AT)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_allowed_both_ways(seconds: int) -> None:
    assert StandardWebhooks((SECRET,)).accepts(note(), SENT_AT + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_older_or_newer_stamp_is_refused(seconds: int) -> None:
    assert not StandardWebhooks((SECRET,)).accepts(note(), SENT_AT + timedelta(seconds=seconds))


def test_any_changed_byte_is_refused() -> None:
    check = StandardWebhooks((SECRET,))
    assert not check.accepts(note(BODY + b" "), SENT_AT)
    assert not check.accepts(note(webhook_id="msg_other"), SENT_AT)
    assert not check.accepts(note(webhook_timestamp="1614265331"), SENT_AT)


def test_old_and_new_secret_are_good_at_the_same_time() -> None:
    assert StandardWebhooks((OTHER, SECRET)).accepts(note(), SENT_AT)
    assert StandardWebhooks((SECRET, OTHER)).accepts(note(), SENT_AT)
    assert not StandardWebhooks((OTHER,)).accepts(note(), SENT_AT)


def test_one_good_signature_of_a_list_is_enough() -> None:
    several = f"v1a,AAAA v1,AAAA {HEADERS['webhook-signature']} v2,BBBB"
    assert StandardWebhooks((SECRET,)).accepts(note(webhook_signature=several), SENT_AT)


def test_a_good_signature_under_another_version_is_refused() -> None:
    other = HEADERS["webhook-signature"].replace("v1,", "v1a,")
    assert not StandardWebhooks((SECRET,)).accepts(note(webhook_signature=other), SENT_AT)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook_id": None},
        {"webhook_id": ""},
        {"webhook_timestamp": None},
        {"webhook_timestamp": "١٦١٤٢٦٥٣٣٠"},
        {"webhook_timestamp": "1_614_265_330"},
        {"webhook_timestamp": "9" * 5000},
        {"webhook_timestamp": "-1614265330"},
        {"webhook_timestamp": "nan"},
        {"webhook_signature": None},
        {"webhook_signature": ""},
        {"webhook_signature": "v1"},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1,é\ud800\x00"},
        {"webhook_signature": "v1," + "A" * 100_000},
    ],
)
def test_hostile_headers_are_refused_and_raise_nothing(changed: dict[str, str | None]) -> None:
    assert not StandardWebhooks((SECRET,)).accepts(note(**changed), SENT_AT)


@given(st.dictionaries(st.sampled_from([*HEADERS, "x-signature"]), st.text()), st.binary())
def test_no_check_ever_raises(headers: dict[str, str], body: bytes) -> None:
    checks: list[Check] = [
        StandardWebhooks((SECRET,)),
        BodyHmac(("s",), "X-Signature"),
        BodyHmac(("s",), "X-Signature", "base64", "sha256="),
        StaticToken(("s3cret-token-of-the-test",), "X-Signature"),
    ]
    strange = Note(door="webhook", body=body, headers=headers)
    assert not any(check.accepts(strange, SENT_AT) for check in checks)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!", "whsec_YQ==", "no base64 at all"])
def test_an_unusable_secret_accepts_nothing_and_raises_nothing(secret: str) -> None:
    assert not StandardWebhooks((secret,)).accepts(note(), SENT_AT)


def test_the_published_delighted_signature_is_accepted() -> None:
    body = b'{"event_type":"survey_response.created"}'
    value = "sha256=8f7f409eb251cb833e5afb6786012f68c6e1464ea23cafa15748e8adf066097a"
    check = BodyHmac(("test_api_key",), "X-Delighted-Webhook-Signature", "hex", "sha256=")
    sent = Note(door="webhook", body=body, headers={"x-delighted-webhook-signature": value})
    assert check.accepts(sent, SENT_AT)
    assert not check.accepts(sent.model_copy(update={"body": body + b"\n"}), SENT_AT)
    naked = {"x-delighted-webhook-signature": value.removeprefix("sha256=")}
    assert not check.accepts(sent.model_copy(update={"headers": naked}), SENT_AT)


@pytest.mark.parametrize(("encoding", "prefix"), [("hex", ""), ("base64", "sha256=")])
def test_a_body_hmac_takes_each_of_several_secrets(encoding: Any, prefix: str) -> None:
    digest = hmac.new(b"new", BODY, hashlib.sha256).digest()
    value = digest.hex().upper() if encoding == "hex" else base64.b64encode(digest).decode()
    sent = Note(door="webhook", body=BODY, headers={"x-signature": prefix + value})
    for secrets in (("new",), ("old", "new"), ("new", "old")):
        assert BodyHmac(secrets, "X-Signature", encoding, prefix).accepts(sent, SENT_AT)
    assert not BodyHmac(("old",), "X-Signature", encoding, prefix).accepts(sent, SENT_AT)


def test_an_empty_secret_proves_nothing() -> None:
    forged = hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    sent = Note(door="webhook", body=BODY, headers={"x-signature": forged})
    assert not BodyHmac(("",), "X-Signature").accepts(sent, SENT_AT)
    empty = Note(door="webhook", body=BODY, headers={"x-signature": ""})
    assert not StaticToken(("",), "X-Signature").accepts(empty, SENT_AT)


def test_a_static_token_is_compared_whole() -> None:
    check = StaticToken(("old", "new"), "Authorization", "Bearer ")
    for value, good in (("Bearer new", True), ("Bearer old", True), ("new", False)):
        sent = Note(door="webhook", body=b"", headers={"authorization": value})
        assert check.accepts(sent, SENT_AT) is good
    for value in ("Bearer ne", "Bearer newer", "Bearer ", "Bearer né"):
        assert not check.accepts(
            Note(door="webhook", body=b"", headers={"authorization": value}), SENT_AT
        )


def test_unsigned_takes_everything_and_closed_nothing() -> None:
    assert Unsigned().accepts(note(), SENT_AT)
    assert not Closed().accepts(note(), SENT_AT)


# -- settings -----------------------------------------------------------------------------------


def test_settings_take_several_secrets_at_once() -> None:
    signature = Signature.model_validate({"scheme": "standard", "secrets": [OTHER, SECRET]})
    assert signature.check().accepts(note(), SENT_AT)


def test_a_setting_may_be_one_secret_or_several() -> None:
    assert revealed(SecretStr("a")) == ("a",)
    assert revealed((SecretStr("a"), SecretStr(""), SecretStr("b"))) == ("a", "b")


def test_settings_make_the_check_they_describe() -> None:
    signed = Signature.model_validate(
        {
            "scheme": "hmac-sha256",
            "secrets": ["s"],
            "header": "X-Sig",
            "encoding": "base64",
            "prefix": "p=",
        }
    )
    assert signed.check() == BodyHmac(("s",), "X-Sig", "base64", "p=")
    token = Signature.model_validate({"scheme": "token", "secrets": ["s"]})
    assert token.check() == StaticToken(("s",), "authorization")
    setting = TypeAdapter[Signature](SignatureSetting)
    assert setting.validate_python("none").check() == Unsigned()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"scheme": "standard", "secrets": ["plain text"]}, "whsec_"),
        ({"scheme": "hmac-sha256", "secrets": ["s"]}, "name the header"),
        ({"scheme": "token", "secrets": [""]}, "the secret is empty"),
        ({"scheme": "token", "secrets": ["s", ""]}, "the secret is empty"),
        ({"scheme": "token"}, "the secret is empty"),
        ({"scheme": "none", "secrets": ["s"]}, "'none' takes no secrets"),
    ],
)
def test_unusable_settings_are_refused_in_words(settings: Any, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as raised:
        Signature.model_validate(settings)
    assert "plain text" not in str(raised.value)


def test_settings_load_without_their_secrets_and_then_accept_nothing() -> None:
    check = Signature.model_validate({"scheme": "standard", "secrets": ["unset"]}).check()
    assert not check.accepts(note(), SENT_AT)


def test_no_secret_is_shown() -> None:
    settings = Signature.model_validate({"scheme": "standard", "secrets": [SECRET]})
    for shown in (repr(settings), repr(settings.check()), settings.model_dump_json()):
        assert "MfKQ9r8" not in shown
