"""Thank-you mails: what their bytes say, and what every way of failing means."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from connector.domain import Facts, Order, Prepared, Receipt
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.mail import Mail
from connector.sinks import load
from connector.sinks.email import EmailSettings, ThankYouEmail, ThankYouParams
from connector.sinks.unsubscribe import Link, read_token

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECRET = SECRETS["UNSUBSCRIBE_SECRET"]
RENDERED = {
    "subject": "¡Gracias, Ana!",
    "text": "Hola Ana,\n.\n.gracias ñ\n" + "x" * 1500 + "\n",
    "html": "<p>Hola Ana, gracias ñ</p>",
    "language": "es",
}
SETTINGS: dict[str, Any] = {
    "type": "email",
    "host": "mail.example.com",
    "user": SECRETS["SMTP_USER"],
    "password": SECRETS["SMTP_PASSWORD"],
    "from_address": "care@example.com",
    "from_name": "Atención, al cliente",
    "unsubscribe_url": "https://nps.example.com/u",
    "unsubscribe_secret": SECRET,
    "message_id_domain": "mail.example.com",
}


def email(**settings: Any) -> ThankYouEmail:
    return ThankYouEmail(EmailSettings.model_validate(SETTINGS | settings), requests.Session())


def order(
    address: str | None = "ana.perez@example.com", name: str | None = "Ana Pérez", **params: Any
) -> Order:
    facts = Facts(
        response_id="r1",
        source="s",
        survey="relationship",
        score=10,
        segment="promoter",
        comment="I told my bank about you",
        customer={"email": address, "name": name},
    )
    said = {"template": "thank_you", "reply_to": "", "rendered": RENDERED, **params}
    return Order(key="nps-1", kind="email.thank_you", rule_name="R", params=said, facts=facts)


def built(one: Order, **settings: Any) -> bytes:
    (body,) = email(**settings).prepare([one], NOW)
    assert isinstance(body, bytes)
    return body


def read(body: bytes) -> EmailMessage:
    message = message_from_bytes(body, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def sent(sink: ThankYouEmail, one: Order) -> Receipt | ConnectorError:
    (body,) = sink.prepare([one], NOW)
    assert isinstance(body, bytes)
    (result,) = sink.send([Prepared(order=one, body=body)], NOW)
    return result


# -- the bytes ----------------------------------------------------------------------------------


def test_a_mail_has_the_headers_that_mail_programs_expect() -> None:
    message = read(built(order(reply_to="owner@example.com")))
    assert str(message["From"]) == '"Atención, al cliente" <care@example.com>'
    assert str(message["To"]) == "Ana Pérez <ana.perez@example.com>"
    assert str(message["Reply-To"]) == "owner@example.com"
    assert str(message["Subject"]) == "¡Gracias, Ana!"
    assert message["Date"].datetime == NOW
    assert re.fullmatch(r"<nps-[0-9a-f]{32}@mail\.example\.com>", str(message["Message-ID"]))
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Feedback-ID"] == "thank_you:relationship:nps"
    assert message["X-NPS-Kind"] == "email.thank_you"
    assert message["X-NPS-Action-Id"] == "nps-1"


def test_the_unsubscribe_link_stands_on_one_line_as_it_is_and_leads_to_the_address() -> None:
    long = "a" * 60 + "@" + "b" * 60 + "." + "c" * 60 + ".example.com"
    for address in ("ana.perez@example.com", long):
        raw = built(order(address))
        found = re.search(rb"\r\nList-Unsubscribe: <https://nps\.example\.com/u/([\w-]+)>\r\n", raw)
        assert found
        assert read_token(found[1].decode(), SECRET) == Link(address, "es")


def test_text_comes_before_html_and_the_language_belongs_to_the_whole() -> None:
    message = read(built(order()))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["Content-Language"] == "es"
    assert all(part["Content-Language"] is None for part in message.iter_parts())


def test_without_html_a_mail_is_plain_text() -> None:
    message = read(built(order(rendered={**RENDERED, "html": ""})))
    assert message.get_content_type() == "text/plain"
    assert message["Content-Language"] == "es"


def test_every_line_is_ascii_short_enough_and_ends_with_crlf() -> None:
    raw = built(order(name="Ana " * 100 + "🙂" * 100))
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    text = read(raw).get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == RENDERED["text"]


def test_the_same_action_gives_the_same_bytes_and_another_action_another_message_id() -> None:
    assert built(order()) == built(order())
    other = order().model_copy(update={"key": "nps-2"})
    assert read(built(other))["Message-ID"] != read(built(order()))["Message-ID"]


@pytest.mark.parametrize(
    "name",
    [
        "Ana\r\nBcc: everybody@example.org",
        "Ana\nSubject: other",
        'Ana" <other@example.org>, "x',
        "Ana <other@example.org>",
        "\u202eevil\x00\x07",
        "",
    ],
)
def test_a_name_can_add_no_header_and_no_recipient(name: str) -> None:
    rendered = {**RENDERED, "subject": f"Hello {name}"}
    message = read(built(order(name=name, rendered=rendered)))
    assert [a.addr_spec for a in message["To"].addresses] == ["ana.perez@example.com"]
    assert message["Bcc"] is None
    assert len(message.get_all("Subject", [])) == 1
    assert not set("\r\n\x00\x07\u202e") & set(str(message["To"]) + str(message["Subject"]))


def test_without_an_address_there_is_nobody_to_thank() -> None:
    for address in (None, "", "not an address"):
        (result,) = email().prepare([order(address)], NOW)
        assert isinstance(result, Refused)
        assert str(result) == "the customer left no e-mail address"
        assert not result.address_dead


@pytest.mark.parametrize(
    "address",
    [
        "a@b@example.com",
        "ana@example.com>",
        "ana@example.com,other@example.org",
        "<ana@example.com>",
        '"ana"@example.com',
        "añá@example.com",
        "ana@exa_mple.com",
        "ana.@example.com",
        "ana@" + "x" * 64 + ".com",
    ],
)
def test_what_is_not_one_plain_address_is_refused_for_good(address: str) -> None:
    (result,) = email().prepare([order(address)], NOW)
    assert isinstance(result, Refused)
    assert result.address_dead
    assert "ana" not in str(result)


def test_an_international_domain_is_written_in_its_ascii_form() -> None:
    message = read(built(order("ana@exämple.com")))
    assert message["To"].addresses[0].addr_spec == "ana@xn--exmple-cua.com"


def test_a_template_that_was_not_filled_in_is_refused_and_the_others_go_out() -> None:
    first, second = email().prepare([order(rendered=None), order()], NOW)
    assert isinstance(first, Refused)
    assert isinstance(second, bytes)


# -- against the stand-in -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def mail(running: Sandbox) -> Iterator[Mail]:
    yield running.mail
    running.mail.reset()


@pytest.fixture
def make(running: Sandbox, mail: Mail) -> Callable[..., ThankYouEmail]:
    host, port = running.urls["smtp"].split(":")
    here = {"host": host, "port": int(port), "security": "none", "timeout_seconds": 3}

    def make(**settings: Any) -> ThankYouEmail:
        return email(**here | settings)

    return make


def test_a_mail_arrives_whole_at_the_customers_address(
    make: Callable[..., ThankYouEmail], mail: Mail
) -> None:
    result = sent(make(), order())
    assert isinstance(result, Receipt)
    (message,) = mail.messages()
    assert message["mail_from"] == "care@example.com"
    assert message["rcpt_tos"] == ["ana.perez@example.com"]
    assert message["headers"]["Message-ID"] == result.remote_id
    assert message["text"].replace("\r\n", "\n") == RENDERED["text"]
    assert mail.counts() == {"email.thank_you": 1}


def test_the_envelope_follows_from_the_frozen_order_alone(
    make: Callable[..., ThankYouEmail], mail: Mail
) -> None:
    (body,) = make().prepare([order()], NOW)
    assert isinstance(body, bytes)
    kept = Prepared(order=Order.model_validate_json(order().model_dump_json()), body=body)
    later = NOW + timedelta(hours=5)
    assert isinstance(make().send([kept], later)[0], Receipt)
    assert mail.messages()[0]["rcpt_tos"] == ["ana.perez@example.com"]


@pytest.mark.parametrize(
    ("answer", "dead"),
    [
        ("5.1.1 <ana.perez@example.com>: no such user", True),
        ("no such user ana.perez@example.com", True),
        ("5.2.1 mailbox disabled", True),
        ("5.2.2 mailbox full", False),
        ("5.7.1 blocked by policy", False),
    ],
)
def test_a_refused_recipient_is_dead_only_where_the_address_is_the_reason(
    make: Callable[..., ThankYouEmail], mail: Mail, answer: str, dead: bool
) -> None:
    mail.fault("status", method="RCPT", status=550, body=answer)
    result = sent(make(), order())
    assert isinstance(result, Refused)
    assert result.address_dead is dead
    assert "550" in str(result)
    assert "ana" not in str(result)
    assert mail.counts() == {}


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_4xx_at_any_step_is_tried_again_and_then_arrives_once(
    make: Callable[..., ThankYouEmail], mail: Mail, step: str
) -> None:
    mail.fault("status", method=step, status=451, body="4.7.1 greylisted")
    sink = make()
    assert isinstance(sent(sink, order()), TryLater)
    assert isinstance(sent(sink, order()), Receipt)
    assert mail.counts() == {"email.thank_you": 1}


@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
def test_a_connection_lost_before_the_message_went_out_is_harmless(
    make: Callable[..., ThankYouEmail], mail: Mail, step: str
) -> None:
    mail.fault("drop", method=step)
    assert isinstance(sent(make(), order()), TryLater)
    assert mail.counts() == {}


@pytest.mark.parametrize(("fault", "stored"), [("lose_reply", 1), ("drop", 0)])
def test_a_connection_lost_after_it_leaves_a_doubt_whether_or_not_it_was_stored(
    make: Callable[..., ThankYouEmail], mail: Mail, fault: str, stored: int
) -> None:
    mail.fault(fault, method="DATA")
    sink = make()
    assert isinstance(sent(sink, order()), LookFirst)
    assert sum(mail.counts().values()) == stored
    assert not sink.capabilities.can_find
    assert not sink.capabilities.key_lifetime
    (found,) = sink.find([Prepared(order=order(), body=b"")], NOW)
    assert isinstance(found, LookFirst)


def test_a_server_that_falls_silent_after_the_message_leaves_a_doubt_within_the_time_out(
    make: Callable[..., ThankYouEmail], mail: Mail
) -> None:
    mail.fault("hang", method="DATA", seconds=30)
    assert isinstance(sent(make(timeout_seconds=0.3), order()), LookFirst)


def test_a_message_that_is_refused_says_why_without_the_customers_words(
    make: Callable[..., ThankYouEmail], mail: Mail
) -> None:
    mail.fault("status", method="DATA", status=554, body="5.7.1 'told my bank about you' is spam")
    result = sent(make(), order())
    assert isinstance(result, Refused)
    assert not result.address_dead
    assert "554" in str(result)
    assert "bank" not in str(result)


def test_a_sender_that_is_refused_pauses_the_account(
    make: Callable[..., ThankYouEmail], mail: Mail
) -> None:
    mail.fault("status", method="MAIL", status=553, body="5.7.1 sender not owned by user")
    assert isinstance(sent(make(), order()), Paused)


def test_a_wrong_password_pauses_the_account_and_is_in_no_text(
    make: Callable[..., ThankYouEmail], mail: Mail
) -> None:
    sink = make(password="revoked-password")
    result = sent(sink, order())
    assert isinstance(result, Paused)
    findings = [f for f in sink.check(NOW) if not f.ok]
    assert findings
    assert "revoked-password" not in f"{result} {findings} {sink.account}"


def test_one_mail_that_fails_leaves_the_others_of_its_batch_alone(
    make: Callable[..., ThankYouEmail], mail: Mail
) -> None:
    mail.fault("status", method="RCPT", status=550, body="5.1.1 unknown")
    sink = make()
    bodies = [body for body in sink.prepare([order(), order()], NOW) if isinstance(body, bytes)]
    results = sink.send([Prepared(order=order(), body=body) for body in bodies], NOW)
    assert [type(result) for result in results] == [Refused, Receipt]


def test_check_logs_in_and_sends_nothing(make: Callable[..., ThankYouEmail], mail: Mail) -> None:
    bounces = {"bounce_address": "bounces@example.com", "bounce_secret": "s"}
    assert [finding.ok for finding in make(**bounces).check(NOW)] == [True]
    bare = make(unsubscribe_url="", unsubscribe_secret=None).check(NOW)
    assert [(f.subject, f.ok) for f in bare[1:]] == [("unsubscribing", False), ("bounces", True)]
    assert mail.counts() == {}


# -- servers that behave otherwise --------------------------------------------------------------


@contextmanager
def scripted(*lines: str) -> Iterator[int]:
    """A server that says these lines, one for each thing it is told, and then hangs up."""

    def serve() -> None:
        talk, _ = listener.accept()
        with talk, talk.makefile("rb") as heard:
            for line in lines:
                talk.sendall(line.encode() + b"\r\n")
                heard.readline()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)


HELLO = ("220 ready", "250 hello")


@pytest.mark.parametrize(
    ("lines", "settings", "error"),
    [
        (("421 too busy",), {}, TryLater),
        (("554 go away",), {}, Paused),
        ((), {}, TryLater),
        (HELLO, {}, TryLater),
        ((*HELLO, "250 sender", "250 recipient", "554 no"), {}, Refused),
        ((*HELLO, "250 sender", "250 recipient", "421 closing"), {}, TryLater),
        ((*HELLO, "250 sender", "251 will forward", "354 go"), {}, LookFirst),
        ((*HELLO, "530 authenticate first"), {}, Paused),
        (HELLO, {"security": "starttls"}, Paused),
        (("this is no SMTP",), {"security": "tls"}, Paused),
        (HELLO, {"user": "u", "password": "p"}, Paused),
        (
            ("220 x", "250-x\r\n250 AUTH PLAIN", "454 4.7.0 later"),
            {"user": "u", "password": "p"},
            TryLater,
        ),
    ],
)
def test_whatever_a_server_says_the_outcome_has_a_name(
    lines: tuple[str, ...], settings: dict[str, Any], error: type[ConnectorError]
) -> None:
    with scripted(*lines) as port:
        here = {"host": "127.0.0.1", "port": port, "security": "none", "timeout_seconds": 2}
        nobody = {"user": "", "password": None}
        result = sent(email(**here | nobody | settings), order())
    assert type(result) is error


def test_a_server_that_is_not_there_is_tried_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    result = sent(email(host="127.0.0.1", port=port, timeout_seconds=1), order())
    assert isinstance(result, TryLater)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    today = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(private + signed.public_bytes(pem))
    return file


class Encrypting:
    """An aiosmtpd handler that keeps what came over TLS."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    async def handle_DATA(  # noqa: N802  # aiosmtpd calls it by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert session.ssl is not None
        assert session.authenticated
        assert envelope.original_content is not None
        self.kept.append(envelope.original_content)
        return "250 OK"


@contextmanager
def encrypting(certificate: Path) -> Iterator[tuple[int, Encrypting]]:
    handler = Encrypting()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=0,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=lambda *_: AuthResult(success=True),
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        controller.port = free.getsockname()[1]
    controller.start()
    try:
        yield controller.port, handler
    finally:
        controller.stop()


def test_starttls_and_login_come_before_anything_is_said(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with encrypting(certificate) as (port, handler):
        sink = email(host="127.0.0.1", port=port, timeout_seconds=5)
        assert isinstance(sent(sink, order()), Receipt)
        assert handler.kept == sink.prepare([order()], NOW)
        bare = email(host="127.0.0.1", port=port, security="none", timeout_seconds=5)
        assert isinstance(sent(bare, order()), Paused)


def test_a_certificate_that_nobody_trusts_pauses_the_account(certificate: Path) -> None:
    with encrypting(certificate) as (port, handler):
        result = sent(email(host="127.0.0.1", port=port, timeout_seconds=5), order())
    assert isinstance(result, Paused)
    assert "certificate" in str(result)
    assert handler.kept == []


# -- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"from_address": "Care <care@example.com>"}, "not an e-mail address"),
        ({"user": ""}, "user and password, or neither"),
        ({"unsubscribe_secret": None}, "unsubscribe_url and unsubscribe_secret, or neither"),
        ({"unsubscribe_url": "http://nps.example.com/u"}, "only https:// links"),
        ({"unsubscribe_url": "https://nps.example.com/u\r\nX: y"}, "only https:// links"),
        ({"message_id_domain": "no domain"}, "not an e-mail address"),
        ({"port": 0}, "port"),
        ({"security": "ssl"}, "security"),
    ],
)
def test_a_mistake_in_the_settings_is_found_when_they_are_read(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        EmailSettings.model_validate(SETTINGS | settings)
    assert sentence in str(raised.value)
    assert SECRET not in str(raised.value)


def test_an_unencrypted_connection_to_another_machine_is_a_finding() -> None:
    found = email(host="mail.invalid", security="none", timeout_seconds=1).check(NOW)
    assert "encryption" in [finding.subject for finding in found if not finding.ok]


def test_a_rule_may_name_the_template_and_who_gets_the_answer() -> None:
    assert ThankYouParams.model_validate({}).template == "thank_you"
    with pytest.raises(ValidationError):
        ThankYouParams.model_validate({"reply_to": "owner@example.com\r\nBcc: x@example.com"})


def test_the_registry_knows_this_sink() -> None:
    assert load("email.thank_you") is ThankYouEmail
