"""A backup is restored: the far sides keep what was done, and nothing of it is done again."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest

from connector import recovery
from connector.delivery import Courier
from connector.sandbox import SECRETS, Sandbox
from connector.store import outbox, recovering
from tests.integration.restored_world import Restorable

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def here(running: Sandbox, store_url: str, tmp_path: Path) -> Iterator[Restorable]:
    running.reset()
    running.clock.offset_seconds = -30 * 86400  # whatever a test waits, now is never passed
    made = Restorable(running, store_url, tmp_path / "installation")
    yield made
    made.workspace.store.close()


def lost_time(here: Restorable) -> tuple[Any, list[bytes], Any]:
    """A backup with unsent work in it, and what happened after it: (backup, webhooks, since)."""
    here.answer("old", 2, "before the backup")
    here.settle()
    first = [here.answer("unsent-case", 1, "a refund!"), here.answer("unsent-mail", 7)]
    kept, since = here.backup(), here.now()
    here.settle()
    here.wait(hours=1)
    later = [
        here.answer("case", 3, "slow"),
        here.answer("alert", 0, "refund, or else"),
        here.answer("task", 10),
        here.answer("mail", 8),
    ]
    here.settle()
    later.append(here.answer("case", 1, "slow, and now it broke"))
    here.give(2, "polled and unhappy", "dora@example.com")
    here.give(9, "polled and happy", "pia@example.com")
    here.wait(minutes=1)
    here.poll()
    here.settle()
    return kept, [*first, *later], since


@pytest.mark.parametrize("gone", [MINUTE, 3 * HOUR, 10 * DAY], ids=["soon", "hours", "days"])
def test_after_a_restore_nothing_of_the_lost_time_is_made_twice(here, gone):
    kept, webhooks, since = lost_time(here)
    made, ids = here.effects(), here.remote_ids()
    assert made == {
        "zendesk.ticket": 5,
        "zendesk.note": 1,
        "zendesk.public_comment": 0,
        "hubspot.task": 2,
        "email.thank_you": 2,
        "slack.message": 2,
    }
    here.wait(seconds=gone.total_seconds())
    here.restore(kept)
    recovery.begin(here.workspace, since, here.now())
    here.poll()
    for body in webhooks:
        here.post(body)
    here.settle()

    assert here.effects() == made
    assert here.remote_ids() == ids, "every receipt of the lost time is known again"
    assert set(here.tickets_by_key().values()) == {1}
    held = here.actions(state="held")
    assert {(row.sink, row.error) for row in held} >= {("chat", recovering.HELD)}
    assert {row.sink for row in held} <= {"chat", "mail"}
    assert not [row for row in here.actions() if row.state in ("parked", "in_doubt", "waiting")]


def test_without_a_recovery_the_same_would_be_made_twice(here):
    kept, webhooks, _ = lost_time(here)
    made = here.effects()
    here.wait(hours=3)
    here.restore(kept)
    here.poll()
    for body in webhooks:
        here.post(body)
    here.settle()

    again = here.effects()
    assert again["zendesk.ticket"] > made["zendesk.ticket"]
    assert again["slack.message"] > made["slack.message"]
    assert again["email.thank_you"] > made["email.thank_you"]


def test_what_was_never_made_is_made_once_after_a_look(here):
    here.answer("unsent", 2, "nobody heard me")
    kept, since = here.backup(), here.now()
    here.wait(hours=1)
    here.restore(kept)
    recovery.begin(here.workspace, since, here.now())
    sink = here.workspace.new_sink("desk")
    assert Courier(here.workspace.store, "desk", sink, here.now).round().outcomes == {"wait": 1}
    assert here.effects()["zendesk.ticket"] == 0, "a slow far side may still make it"
    here.settle()

    assert here.effects()["zendesk.ticket"] == 1
    assert [row.state for row in here.actions(sink="desk")] == ["done"]


def test_what_was_being_sent_is_looked_for_though_its_key_still_lives(here):
    here.answer("sending", 2, "the first words")
    here.sandbox.zendesk.fault("drop", method="POST", path="/api/v2/tickets")
    desk = here.workspace.new_sink("desk")
    Courier(here.workspace.store, "desk", desk, here.now).round()
    kept, since = here.backup(), here.now()
    here.settle()
    here.restore(kept)
    recovery.begin(here.workspace, since, here.now())
    here.sandbox.zendesk.log.clear()
    here.settle()

    assert here.effects()["zendesk.ticket"] == 1
    assert not [one for one in here.sandbox.zendesk.log if one.method == "POST"]


def test_a_message_that_was_being_sent_is_in_doubt_and_one_that_waited_is_held(here):
    here.answer("sending", 2, "a refund, please")
    here.sandbox.slack.fault("drop", path="/api/chat.postMessage")
    store = here.workspace.store
    [row] = here.actions(sink="chat")
    sent = {"state": "sending", "first_sent_at": here.now(), "last_sent_at": here.now()}
    store.write(lambda c: outbox.change_action(c, row.id, request=b"{}", **sent))
    here.answer("waiting", 2, "my refund")
    kept, since = here.backup(), here.now()
    here.restore(kept)
    found = recovery.begin(here.workspace, since, here.now())
    assert (found.doubtful, found.hold) == ({"chat": 1}, {"chat": 1})
    here.settle("chat")

    assert [row.state for row in here.actions(sink="chat")] == ["in_doubt", "held"]
    assert here.effects()["slack.message"] == 0


def test_new_answers_are_dealt_with_as_ever(here):
    kept, since = here.backup(), here.now()
    here.restore(kept)
    recovery.begin(here.workspace, since, here.now())
    here.wait(minutes=6)
    here.answer("case", 2, "my refund")
    here.answer("mail", 7)
    here.sandbox.zendesk.log.clear()
    here.settle()

    made = here.effects()
    assert (made["zendesk.ticket"], made["slack.message"], made["email.thank_you"]) == (1, 1, 1)
    assert not [one for one in here.sandbox.zendesk.log if "external_id" in dict(one.query)]


def test_what_is_held_goes_out_when_a_person_says_so_and_only_then(here):
    body = here.answer("alert", 2, "my refund")
    kept, since = here.backup(), here.now()
    here.restore(kept)
    recovery.begin(here.workspace, since, here.now())
    here.post(body.replace(b"my refund", b"my refund now"))  # a revision lets nothing go
    store = here.workspace.store
    assert store.write(lambda c: outbox.release(c, None, here.now())) == {}, "it is no flood"
    here.settle()
    assert here.effects()["slack.message"] == 0

    assert store.write(lambda c: recovering.release(c, "mail", here.now())) == {}
    assert store.write(lambda c: recovering.release(c, None, here.now())) == {"chat": 1}
    here.settle()
    [message] = here.sandbox.slack.messages()
    assert "my refund now" in message["text"]


def test_what_is_held_stays_so_when_the_recovery_has_ended_and_the_answer_is_revised(here):
    body = here.answer("alert", 2, "my refund")
    recovery.begin(here.workspace, here.now(), here.now())
    recovery.finish(here.workspace, here.now(), lambda left: True)
    here.post(body.replace(b"my refund", b"my refund now"))
    here.settle()
    [message] = here.actions(sink="chat")
    assert (message.state, message.error) == ("held", recovering.HELD)
    assert here.effects()["slack.message"] == 0


def test_what_is_held_for_a_restore_does_not_hold_a_case_of_the_same_answer(here):
    body = here.answer("mail", 7, "so so")
    recovery.begin(here.workspace, here.now(), here.now())
    assert [row.state for row in here.actions(sink="mail")] == ["held"]
    here.post(body.replace(b'"score": 7', b'"score": 1'))
    here.settle()
    assert [row.state for row in here.actions(sink="desk")] == ["done"]


def test_a_look_that_finds_nothing_counts_only_some_time_after_the_lost_time(here):
    here.answer("sending", 2, "the first words")
    here.sandbox.zendesk.fault("drop", method="POST", path="/api/v2/tickets")
    desk = here.workspace.new_sink("desk")
    Courier(here.workspace.store, "desk", desk, here.now).round()
    kept, since = here.backup(), here.now()
    here.wait(hours=3)
    here.restore(kept)
    recovery.begin(here.workspace, since, here.now())
    assert Courier(here.workspace.store, "desk", desk, here.now).round().outcomes == {"wait": 1}
    here.settle()
    assert here.effects()["zendesk.ticket"] == 1


def test_a_revision_of_an_adopted_case_becomes_one_note(here):
    kept, since = here.backup(), here.now()
    body = here.answer("case", 3, "slow")
    here.settle()
    here.restore(kept)
    recovery.begin(here.workspace, since, here.now())
    here.post(body)
    here.settle()
    recovery.finish(here.workspace, here.now(), lambda left: False)
    here.wait(days=1)
    here.post(body.replace(b"slow", b"slow, and it broke"))
    here.settle()

    made = here.effects()
    assert (made["zendesk.ticket"], made["zendesk.note"]) == (1, 1)
    assert recovery.ALARM not in here.alarms()


def test_saying_it_again_changes_nothing_and_a_second_restore_begins_anew(here):
    here.answer("alert", 2, "my refund")
    since = here.now()
    here.wait(minutes=5)
    first = recovery.begin(here.workspace, since, here.now())
    here.workspace.store.write(lambda c: recovering.release(c, None, here.now()))
    here.wait(hours=1)
    again = recovery.begin(here.workspace, since - HOUR, here.now())
    assert again.begun
    assert again.recovery == recovering.Recovery(since - HOUR, first.recovery.until)
    assert [row.state for row in here.actions(sink="chat")] == ["waiting"], "it was released"

    another = recovery.begin(here.workspace, here.now(), here.now())
    assert not another.begun
    assert another.recovery.since == since - HOUR
    assert another.recovery.until > first.recovery.until
    assert [row.state for row in here.actions(sink="chat")] == ["held"]
    assert "knows nothing" in here.alarms()[recovery.ALARM]


def test_it_ends_when_nothing_leans_on_it_or_a_person_insists(here):
    here.answer("alert", 2, "my refund")
    recovery.begin(here.workspace, here.now(), here.now())
    asked: list[int] = []
    known, left = recovery.finish(here.workspace, here.now(), lambda left: bool(asked.append(left)))
    assert known is not None
    assert (asked, left) == ([2], 2)
    here.settle()
    assert recovery.finish(here.workspace, here.now(), lambda left: True)[1] == 0
    assert recovery.finish(here.workspace, here.now(), lambda left: True) == (None, 0)
    here.settle()
    assert here.effects()["slack.message"] == 0, "what is held stays so"


def test_what_comes_while_a_person_agrees_is_agreed_to_as_well_or_it_does_not_end(here):
    here.answer("alert", 2, "my refund")
    recovery.begin(here.workspace, here.now(), here.now())
    asked: list[int] = []

    def agreed(left: int) -> bool:
        asked.append(left)
        if len(asked) == 1:
            here.answer("another", 2, "slow")
        return len(asked) == 1

    assert recovery.finish(here.workspace, here.now(), agreed)[1] == 3
    assert asked == [2, 3]
    assert recovery.ALARM in here.alarms()


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def run(here, connector, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return partial(connector, "--config", str(here.file))


def test_the_command_says_first_what_it_would_do(here, run):
    here.answer("case", 2, "my refund")
    code, out, _ = run("recover", "--since", "45d")
    assert code == 0
    assert "Looked for before they are made: desk (1 here), hub" in out
    assert "Held until a person has looked:  chat (1 here), mail" in out
    assert "Read again from their API: polled" in out
    assert "Given again by no API: app, what came from" in out
    assert "deliver them again to the same address" in out
    assert "connector import file FILE" in out
    assert "erase these people again" in out
    assert "Nothing was changed" in out
    assert [row.state for row in here.actions()] == ["waiting", "waiting"]
    assert "No recovery is under way" in run("recover")[1]

    code, out, _ = run("recover", "--since", "45d", "--yes")
    assert code == 0
    assert "Recovering." in out
    assert {row.kind: row.state for row in here.actions()} == {
        "zendesk.ticket": "waiting",
        "slack.message": "held",
    }
    assert "2 actions of that time are not settled" in run("recover")[1]
    assert "a backup was restored" in run("doctor")[1]
    code, _, err = run("recover", "--done")
    assert (code, "sent unlooked for" in err) == (130, True)
    assert "is ended" in run("recover", "--done", "--yes")[1]
    assert "No recovery is under way" in run("recover", "--done")[1]


def test_a_source_that_the_copy_does_not_know_is_told(here, run):
    text = here.file.read_text()
    here.file.write_text(text.replace("  polled:", "  added-later:"))
    _, out, _ = run("recover", "--since", "1h")
    assert "Added after the backup: added-later" in out
    assert "act_since" in out
    assert "added-later" in run("recover", "--since", "1h")[1], "a look adds no source"


def test_it_wants_everything_stopped_and_a_time_that_was(here, run):
    from connector.engine import alone

    assert run("recover", "--since", "2126-01-01")[0] == 2
    assert "is no time" in run("recover", "--since", "yesterdayish")[2]
    assert run("recover", "--since", "1h", "--done")[0] == 2
    lock = alone.take_lock(here.workspace.store)
    if lock is None:
        return  # PostgreSQL has no such lock; the page says to stop all processes
    with lock:
        code, _, err = run("recover", "--since", "1h", "--yes")
    assert code == 3
    assert "stop it first" in err
    with here.workspace.store.read() as connection:
        assert recovering.current(connection) is None


def test_released_by_command(here, run):
    here.answer("alert", 2, "my refund")
    run("recover", "--since", "45d", "--yes")
    assert run("actions", "release", "app")[1] == "Nothing is held.\n"
    assert run("actions", "release", "app", "--restored")[0] == click.UsageError.exit_code
    assert "1 action of chat released" in run("actions", "release", "--restored")[1]
