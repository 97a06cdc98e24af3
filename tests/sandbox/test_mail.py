"""The mail server: what was really delivered, and every way in which a delivery goes wrong."""

import smtplib
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
import requests

from connector.sandbox import Sandbox
from connector.sandbox.credentials import SECRETS
from connector.sandbox.mail import Mail

USER, PASSWORD = SECRETS["SMTP_USER"], SECRETS["SMTP_PASSWORD"]
TO = "jo@example.org"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    yield running
    running.reset()


@pytest.fixture
def mail(sandbox: Sandbox) -> Mail:
    return sandbox.mail


def connected(sandbox: Sandbox, timeout: float = 5) -> smtplib.SMTP:
    host, port = sandbox.urls["smtp"].split(":")
    return smtplib.SMTP(host, int(port), local_hostname="client.example.com", timeout=timeout)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[smtplib.SMTP]:
    client = connected(sandbox)
    client.login(USER, PASSWORD)
    yield client
    client.close()


def thank_you(kind: str | None = "email.thank_you") -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = "Grüße aus Málaga"
    message["From"] = "mailer@example.com"
    message["To"] = TO
    if kind:
        message["X-NPS-Kind"] = kind
    message.set_content("Gracias\n.\n..dots\n")
    message.add_alternative("<p>Gracias</p>", subtype="html")
    return message


def test_a_message_is_kept_with_envelope_headers_and_both_bodies(
    client: smtplib.SMTP, mail: Mail
) -> None:
    client.send_message(
        thank_you(), from_addr="bounce+t@example.com", to_addrs=[TO, "b@example.org"]
    )
    kept = mail.messages()[0]
    assert kept["mail_from"] == "bounce+t@example.com"
    assert kept["rcpt_tos"] == [TO, "b@example.org"]
    assert kept["headers"]["Subject"] == "Grüße aus Málaga"
    assert kept["text"].splitlines() == ["Gracias", ".", "..dots"]
    assert kept["html"].strip() == "<p>Gracias</p>"


def test_messages_are_counted_by_kind(client: smtplib.SMTP, sandbox: Sandbox) -> None:
    client.send_message(thank_you())
    client.send_message(thank_you())
    client.send_message(thank_you(None))
    counts = requests.get(f"{sandbox.urls['mail']}/_sandbox/counts", timeout=5).json()
    assert counts == {"email.thank_you": 2, "email.other": 1}
    listed = requests.get(f"{sandbox.urls['mail']}/messages", timeout=5).json()
    assert len(listed) == 3


def test_without_login_nothing_is_taken(sandbox: Sandbox, mail: Mail) -> None:
    with connected(sandbox) as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.send_message(thank_you())
        assert refused.value.smtp_code == 530
        with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
            client.login(USER, "wrong")
        assert wrong.value.smtp_code == 535
    assert mail.messages() == []


def arm(sandbox: Sandbox, **fault: Any) -> None:
    url = f"{sandbox.urls['mail']}/_sandbox/faults"
    assert requests.post(url, json=fault, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("status", "body"), [(451, "4.7.1 Greylisted"), (550, "5.1.1 No such user")]
)
def test_a_recipient_can_be_refused(
    sandbox: Sandbox, client: smtplib.SMTP, mail: Mail, status: int, body: str
) -> None:
    arm(sandbox, fault="status", method="RCPT", path="jo@", status=status, body=body)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.send_message(thank_you())
    assert refused.value.recipients == {TO: (status, body.encode())}
    assert mail.messages() == []
    client.send_message(thank_you())  # once only
    assert len(mail.messages()) == 1


def test_a_refused_sender_and_refused_data_are_told(
    sandbox: Sandbox, client: smtplib.SMTP, mail: Mail
) -> None:
    arm(sandbox, fault="status", method="MAIL", status=421)
    with pytest.raises(smtplib.SMTPSenderRefused):
        client.send_message(thank_you())
    with connected(sandbox) as another:
        another.login(USER, PASSWORD)
        arm(sandbox, fault="status", method="DATA", status=554)
        with pytest.raises(smtplib.SMTPDataError):
            another.send_message(thank_you())
    assert mail.messages() == []


def test_a_lost_reply_after_data_has_stored_the_message(
    sandbox: Sandbox, client: smtplib.SMTP, mail: Mail
) -> None:
    arm(sandbox, fault="lose_reply", method="DATA")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        client.send_message(thank_you())
    assert len(mail.messages()) == 1


@pytest.mark.parametrize("fault", [{"fault": "drop"}, {"fault": "hang", "seconds": 0.05}])
@pytest.mark.parametrize("command", ["RCPT", "DATA"])
def test_a_cut_connection_has_stored_nothing(
    sandbox: Sandbox, client: smtplib.SMTP, mail: Mail, fault: dict[str, Any], command: str
) -> None:
    arm(sandbox, method=command, **fault)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        client.send_message(thank_you())
    assert mail.messages() == []
    assert [entry.fault for entry in mail.calls(command)] == [fault["fault"]]


def test_a_slow_server_stores_the_message_in_the_end(
    sandbox: Sandbox, client: smtplib.SMTP, mail: Mail
) -> None:
    arm(sandbox, fault="slow", method="DATA", seconds=0.05)
    client.send_message(thank_you())
    assert len(mail.messages()) == 1


def test_the_end_of_the_sandbox_ends_idle_connections() -> None:
    with Sandbox() as sandbox:
        client = connected(sandbox)
        client.login(USER, PASSWORD)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        client.noop()
    client.close()


def test_a_held_connection_does_not_keep_the_sandbox_alive() -> None:
    sandbox = Sandbox()
    sandbox.start()
    sandbox.mail.fault("hang", method="DATA", seconds=600)
    failures: list[Exception] = []

    def send() -> None:
        client = connected(sandbox, timeout=30)
        client.login(USER, PASSWORD)
        try:
            client.send_message(thank_you())
        except (smtplib.SMTPException, OSError) as failure:
            failures.append(failure)
        client.close()

    sender = threading.Thread(target=send)
    sender.start()
    deadline = time.monotonic() + 5
    while not sandbox.mail.calls("DATA") and time.monotonic() < deadline:
        requests.get(f"{sandbox.urls['mail']}/_sandbox/counts", timeout=5)
    assert [entry.fault for entry in sandbox.mail.calls("DATA")] == ["hang"], "while it hangs"
    sandbox.stop()
    sender.join(10)
    assert len(failures) == 1
    assert sandbox.mail.messages() == []
