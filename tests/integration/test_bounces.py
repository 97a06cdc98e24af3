"""Mails that come back: what they change on the suppression list, and that nothing else does."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from connector import erasure
from connector.bouncing import take
from connector.delivery import Courier
from connector.sandbox import Sandbox, returned
from connector.store import suppressions
from connector.text import hashed

RULES = """
rules:
  - id: thanks
    when: {segment: promoter}
    then:
      - email.thank_you: {template: thank_you, sink: post}
  - id: sorry
    when: {segment: passive}
    then:
      - email.thank_you: {template: thank_you, sink: letters}
default:
  then: [{log: {}}]
"""
SINK = """
  NAME:
    type: email
    host: 127.0.0.1
    port: PORT
    security: none
    user: connector
    password: ${{TOKEN}}
    from_address: care@example.com
    unsubscribe_url: https://nps.example.com/u
    unsubscribe_secret: ${{TOKEN}}
"""
BOUNCES = """    bounce_address: Bounces@example.com
    bounce_secret: ${{TOKEN}}
"""
ANA = "ana@example.com"


class Post:
    """An installation with two mail sinks on the SMTP stand-in; `post` has a bounce address."""

    def __init__(self, world: Any, sandbox: Sandbox) -> None:
        self.world, self.mail = world, sandbox.mail
        self.store = world.workspace.store

    def thank(self, id: str, score: int = 10, email: str = ANA) -> None:
        self.world.answer(id=id, score=score, email=email)
        self.deliver()

    def deliver(self) -> None:
        self.world.now += timedelta(minutes=11)
        for sink in ("post", "letters"):
            adapter = self.world.workspace.new_sink(sink)
            Courier(self.store, sink, adapter, lambda: self.world.now).round()

    def comes_back(self, raw: bytes, recipient: str = "") -> str:
        sinks = self.world.workspace.settings.sinks
        return take(self.store, sinks, raw, recipient, self.world.now).sentence

    def why(self, address: str = ANA) -> str:
        with self.store.read() as connection:
            return suppressions.why_suppressed(connection, hashed("address", address))

    def told(self) -> list[tuple[str, str]]:
        return [(one.state, one.error or one.remark or "") for one in self.world.actions()]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def post(make_world: Callable[..., Any], sandbox: Sandbox) -> Iterator[Post]:
    sandbox.mail.state["settings"] |= {"user": "connector", "password": "t0ken"}
    sink = SINK.replace("PORT", sandbox.urls["smtp"].partition(":")[2])
    more = sink.replace("NAME", "post") + BOUNCES + sink.replace("NAME", "letters")
    yield Post(make_world(RULES, more_sinks=more), sandbox)
    sandbox.reset()


def test_a_dead_address_gets_no_mail_again_from_any_sink(post: Post) -> None:
    post.thank("1")
    [message] = post.mail.messages()
    assert message["mail_from"].startswith("Bounces+")
    assert ANA not in message["mail_from"]
    assert "action 1 bounced (5.1.1)" in post.comes_back(returned.bounce(message))
    assert post.why() == "bounced"
    post.thank("2")
    post.thank("3", score=8, email="Ana@Example.com")
    assert len(post.mail.messages()) == 1
    withheld = ("withheld", "the address is on the suppression list (bounced)")
    assert post.told() == [("done", "bounced (5.1.1)"), withheld, withheld]


def test_a_mail_that_waits_is_withheld(post: Post) -> None:
    post.thank("1")
    post.world.answer(id="2", score=10, email=ANA)
    assert post.told()[1][0] == "waiting"
    post.comes_back(returned.bounce(post.mail.messages()[0]))
    post.deliver()
    assert post.told()[1][0] == "withheld"


def test_a_complaint_counts_wherever_it_arrives(post: Post) -> None:
    post.thank("1")
    [message] = post.mail.messages()
    post.comes_back(returned.complaint(message))
    assert post.why() == "complained"
    assert "before" in post.comes_back(returned.bounce(message))
    assert post.why() == "complained", "the first reason stays"


@pytest.mark.parametrize(
    "make",
    [
        lambda message: returned.bounce(message, status="4.2.2"),
        lambda message: returned.bounce(message, status="4.4.1", action="delayed"),
        lambda message: returned.bounce(message, status="5.7.1"),
        lambda message: returned.complaint(message, kind="not-spam"),
        lambda message: f"To: {message['mail_from']}\nSubject: Re: Thank you\n\nHi!".encode(),
    ],
)
def test_delays_policies_and_answers_change_nothing(post: Post, make: Any) -> None:
    post.thank("1")
    post.comes_back(make(post.mail.messages()[0]))
    assert post.why() == ""
    assert post.told() == [("done", "")]


def test_forged_and_foreign_bounces_change_nothing(post: Post) -> None:
    post.thank("1")
    post.thank("2", score=8, email="leo@example.com")  # from the sink without a bounce address
    message, other = post.mail.messages()
    sender = message["mail_from"]
    forged = sender[:10] + ("b" if sender[10] == "a" else "a") + sender[11:]
    for each in (
        {**message, "mail_from": forged, "headers": {}},
        {**message, "mail_from": "Bounces@example.com", "headers": {}},
        other,
    ):
        assert "not about a mail" in post.comes_back(returned.bounce(each))
    victim = {**message, "rcpt_tos": ["leo@example.com"]}
    post.comes_back(returned.bounce(victim))
    assert post.why("leo@example.com") == "", "only the address that the mail went to counts"
    assert post.why() == "bounced"


def test_the_mail_server_may_say_to_whom_it_came_back(post: Post) -> None:
    post.thank("1")
    [message] = post.mail.messages()
    unnamed = returned.bounce({**message, "mail_from": "somebody@example.com", "headers": {}})
    assert post.comes_back(unnamed).startswith("it is not about")
    post.comes_back(unnamed, recipient=message["mail_from"].lower())
    assert post.why() == "bounced"


def test_the_bounce_of_a_mail_to_an_erased_person_holds_no_address(post: Post) -> None:
    post.thank("1")
    [message] = post.mail.messages()
    erasure.erase_email(post.store, ANA, post.world.now)
    assert "erased" in post.comes_back(returned.bounce(message))
    assert post.why() == ""


# -- the commands -------------------------------------------------------------------------------


@pytest.fixture
def run(post: Post, connector: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TOKEN", "t0ken")
    config = str(post.world.workspace.settings.directory / "connector.yaml")
    return partial(connector, "--config", config)


def piped(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))


def test_a_mail_server_pipes_what_came_back(
    post: Post, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.thank("1")
    [message] = post.mail.messages()
    piped(monkeypatch, b"Subject: hello\n\nhello")
    code, out, err = run("bounces")
    assert (code, out, err) == (0, "Nothing: it is not about a mail that we have sent.\n", "")
    piped(monkeypatch, returned.bounce(message))
    code, out, _ = run("bounces", "--recipient", message["mail_from"])
    assert code == 0
    assert "its address is on the suppression list now" in out
    assert post.why() == "bounced"


def test_what_cannot_be_looked_at_now_is_kept_by_the_mail_server(
    post: Post, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.thank("1")
    raw = returned.bounce(post.mail.messages()[0])
    monkeypatch.delenv("TOKEN")
    piped(monkeypatch, raw)
    code, _, err = run("bounces")
    assert code == os.EX_TEMPFAIL
    assert "sinks.post.bounce_secret is not set" in err
    monkeypatch.setenv("TOKEN", "t0ken")
    file = post.world.workspace.settings.directory / "connector.yaml"
    text = file.read_text()
    file.write_text(text.replace("bounce_address", "bounce_adress"))
    piped(monkeypatch, raw)
    code, _, err = run("bounces")
    assert code == os.EX_TEMPFAIL
    assert "bounce_adress" in err
    file.write_text("\n".join(line for line in text.splitlines() if "bounce_" not in line))
    piped(monkeypatch, raw)
    assert run("bounces")[0] == os.EX_TEMPFAIL
    assert post.why() == ""


def test_an_address_is_added_asked_for_and_taken_off_again(post: Post, run: Any) -> None:
    assert run("suppressions", "list")[1] == "The list is empty.\n"
    assert run("suppressions", "list", "--address", ANA)[0] == 1
    assert run("suppressions", "add", " Ana@Example.com ")[:2] == (0, "Added: it gets no mail.\n")
    assert "already" in run("suppressions", "add", ANA)[1]
    code, out, _ = run("suppressions", "list", "--address", ANA)
    assert code == 0
    assert "by hand" in out
    assert "example.com" not in out
    post.thank("1")
    assert post.told() == [("withheld", "the address is on the suppression list (by hand)")]

    code, out, _ = run("suppressions", "remove", ANA)
    assert code == 0
    assert "It had been there because: by hand" in out
    assert run("suppressions", "remove", ANA)[0] == 1
    assert run("suppressions", "list", "--address", ANA)[0] == 1
    assert "removed, was by hand" in run("suppressions", "list", "--removed")[1]
    post.thank("2")
    assert len(post.mail.messages()) == 1
    post.comes_back(returned.bounce(post.mail.messages()[0]))
    assert post.why() == "bounced", "who was taken off can come on again"


def test_who_unsubscribed_is_not_let_back_in_by_a_slip(
    post: Post, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashed("address", ANA)
    post.store.write(lambda c: suppressions.suppress(c, digest, "unsubscribed", post.world.now))
    piped(monkeypatch, b"n\n")
    code, _, err = run("suppressions", "remove", ANA)
    assert code != 0
    assert "The person unsubscribed" in err
    assert post.why() == "unsubscribed"
    assert run("suppressions", "remove", ANA, "--yes")[0] == 0
    assert post.why() == ""


def test_what_is_no_address_is_refused(run: Any) -> None:
    for words in (("add", "ana"), ("remove", "ana"), ("list", "--address", "ana")):
        code, _, err = run("suppressions", *words)
        assert code == 1
        assert "no e-mail address" in err
