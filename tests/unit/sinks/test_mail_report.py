"""What mails that come back say: written by hand as mail servers write them, and random bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sandbox import returned
from connector.sinks.mail_report import Report, read_report

SENDER = "bounces+abc@example.com"
MESSAGE = {
    "mail_from": SENDER,
    "rcpt_tos": ["ana@example.com"],
    "headers": {"From": "care@example.com", "Subject": "¡Gracias!"},
    "text": "Gracias",
}

# As Postfix writes it, with what it may leave out left out.
POSTFIX = """Return-Path: <>
Delivered-To: {sender}
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: {sender}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="B1"

--B1
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--B1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

{blocks}
--B1
Content-Type: text/rfc822-headers

Return-Path: <bounces+enclosed@example.com>
Subject: Thank you

--B1--
"""


def postfix(*recipients: tuple[str, str], sender: str = SENDER) -> Report:
    blocks = "\n".join(
        f"Final-Recipient: rfc822; ana@example.com\nAction: {action}\nStatus: {status}\n"
        for action, status in recipients
    )
    return read_report(POSTFIX.format(sender=sender, blocks=blocks).encode())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("5.1.1", "bounced"),
        ("5.1.10", "bounced"),
        ("5.0.0", "bounced"),
        ("5.2.1", "bounced"),
        ("5.4.1", "bounced"),  # Microsoft 365: no such recipient
        ("5.2.2", "refused"),  # the mailbox is full
        ("5.3.4", "refused"),  # too big
        ("5.7.1", "refused"),  # a policy
        ("4.4.7", "delayed"),  # given up after days: perhaps their server is down
        ("4.2.2", "delayed"),
        ("rubbish", "other"),
    ],
)
def test_only_what_says_that_the_address_is_dead_is_a_bounce(status: str, kind: str) -> None:
    report = postfix(("failed", status))
    assert report.kind == kind
    assert report.status == (status if kind != "other" else "")


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded"])
def test_whatever_did_not_fail_is_no_bounce(action: str) -> None:
    assert postfix((action, "5.1.1")).kind in ("delayed", "other")


def test_an_address_lives_as_long_as_one_of_its_mailboxes_does() -> None:
    assert postfix(("failed", "5.1.1"), ("relayed", "2.0.0")).kind == "other"
    assert postfix(("failed", "5.1.1"), ("delayed", "4.2.1")).kind == "delayed"
    assert postfix(("failed", "5.1.1"), ("failed", "5.2.2")).kind == "refused"
    assert postfix(("failed", "5.1.1"), ("failed", "5.1.6")).kind == "bounced"


def test_the_sender_is_found_wherever_servers_put_it() -> None:
    report = postfix(("failed", "5.1.1"))
    assert {SENDER, "bounces+enclosed@example.com"} <= set(report.senders)
    raw = returned.bounce({**MESSAGE, "headers": {"Return-Path": f"<{SENDER}>"}})
    elsewhere = raw.replace(f"To: {SENDER}".encode(), b"To: postmaster@example.com")
    assert SENDER in read_report(elsewhere).senders
    assert read_report(b"Subject: hi\n\nhi", recipient=SENDER).senders == (SENDER,)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("abuse", "complained"), ("fraud", "complained"), ("not-spam", "other"), ("virus", "other")],
)
def test_a_complaint_names_the_sender_of_the_mail(kind: str, expected: str) -> None:
    report = read_report(returned.complaint(MESSAGE, kind))
    assert report.kind == expected
    assert SENDER in report.senders


def test_an_answer_of_a_person_or_a_machine_is_no_report() -> None:
    for headers in ("", "Auto-Submitted: auto-replied\n"):
        raw = f"To: {SENDER}\nSubject: Out of office\n{headers}\nAction: failed\nStatus: 5.1.1\n"
        assert read_report(raw.encode()).kind == "other"


_CUT = POSTFIX.format(sender=SENDER, blocks="Action: failed\nStatus: 5.1.1\n").encode()


@given(st.binary(max_size=400) | st.integers(0, len(_CUT)).map(lambda end: _CUT[:end]))
def test_no_bytes_make_it_fail(raw: bytes) -> None:
    assert read_report(raw).kind in ("other", "bounced")
