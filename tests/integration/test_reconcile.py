"""What we believe, compared with what the far side holds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connector import reconciling
from connector.reconciling import Compared
from connector.sandbox import SECRETS, Sandbox
from connector.store import outbox, tables
from tests.contract.sink_harness import hubspot_by_hand, zendesk_by_hand
from tests.integration.restored_world import Restorable

HOUR = timedelta(hours=1)
ZENDESK = tables.accounts.c.account.like("%zendesk%")


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def here(running: Sandbox, store_url: str, tmp_path: Path) -> Iterator[Restorable]:
    running.reset()
    running.clock.offset_seconds = -3600.0
    made = Restorable(running, store_url, tmp_path / "installation")
    yield made
    made.workspace.store.close()


def cases(here: Restorable) -> None:
    """Three tickets and two tasks, long enough ago."""
    for number in range(3):
        here.answer(f"sad-{number}", number)
    for number in range(2):
        here.answer(f"glad-{number}", 9 + number)
    here.settle("desk", "hub")
    here.wait(minutes=15)


def compare(here: Restorable, id: str = "desk", ago: timedelta = HOUR) -> Compared:
    seen: list[int] = []
    sink: Any = here.workspace.new_sink(id)
    now = here.now()
    found = reconciling.compare(here.workspace.store, id, sink, now - ago, now, seen.append)
    assert seen == sorted(seen)
    return found


def told(found: Compared) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.kind, one.why, one.remote_ids) for one in found.differences]


def row(here: Restorable, number: int = 0, sink: str = "desk") -> Any:
    return here.actions(sink=sink)[number]


@pytest.mark.parametrize(("sink", "count"), [("desk", 3), ("hub", 2)])
def test_both_sides_agree_and_what_others_made_is_not_ours(here, sink, count):
    zendesk_by_hand(here.sandbox)
    hubspot_by_hand(here.sandbox)
    cases(here)
    found = compare(here, sink)
    assert (found.ours, found.theirs, found.unjudged, found.differences) == (count, count, 0, [])


def test_a_case_that_was_deleted_there_is_missing(here):
    cases(here)
    gone = row(here)
    here.sandbox.zendesk.delete(int(gone.remote_id))
    here.wait(minutes=15)
    found = compare(here)
    assert told(found) == [("missing", "deleted there", (gone.remote_id,))]
    assert (found.differences[0].action, found.differences[0].urls) == (gone.id, (gone.url,))

    task = row(here, sink="hub")
    here.sandbox.hubspot.delete(task.remote_id)
    assert told(compare(here, "hub")) == [("missing", "not there", (task.remote_id,))]


def test_what_the_list_does_not_show_yet_is_looked_up_before_it_is_called_missing(here):
    cases(here)
    here.sandbox.hubspot.state["settings"]["search_lag_seconds"] = 86400
    found = compare(here, "hub")
    assert (found.ours, found.theirs, found.differences) == (2, 0, [])


def test_two_tickets_for_one_answer_are_doubled(here):
    cases(here)
    one = row(here)
    with here.sandbox.zendesk.changing():
        tickets = here.sandbox.zendesk.state["tickets"]
        copied = {**tickets[one.remote_id], "id": 9999}
        tickets["9999"] = copied
        here.sandbox.zendesk.state["audits"]["9999"] = []
    assert told(compare(here)) == [("doubled", "2 there for one answer", (one.remote_id, "9999"))]
    here.sandbox.zendesk.delete(9999)
    here.wait(minutes=15)
    assert told(compare(here)) == [], "the newer one was deleted by hand"


def test_what_a_restored_database_forgot_is_a_stranger(here):
    kept = here.backup()
    cases(here)
    ids = [made.remote_id for made in here.actions(sink="desk")]
    here.restore(kept)
    found = compare(here)
    assert told(found) == [("stranger", "its key is not known here", (id,)) for id in ids]
    assert all(one.urls[0].startswith("https://") for one in found.differences)
    assert told(compare(here, ago=timedelta(minutes=3))) == [], "they are older than that"


@pytest.mark.parametrize("state", ["parked", "in_doubt", "held", "withheld"])
def test_what_is_there_but_not_done_here_is_told(here, state):
    cases(here)
    one = row(here)
    store = here.workspace.store
    store.write(lambda c: outbox.change_action(c, one.id, state=state, remote_id=None))
    here.wait(minutes=15)
    why = f"it is there, but {state} here"
    assert told(compare(here)) == [("unrecorded", why, (one.remote_id,))]


def test_another_id_than_the_recorded_one_is_told(here):
    cases(here)
    one = row(here)
    here.workspace.store.write(lambda c: outbox.change_action(c, one.id, remote_id="77"))
    assert told(compare(here)) == [
        ("unrecorded", "it is there, but recorded as 77", (one.remote_id,))
    ]


def test_what_is_fresh_or_forgotten_on_purpose_is_not_judged(here):
    from connector import erasure

    cases(here)
    erasure.erase_email(here.workspace.store, "sad-0@example.com", here.now())
    here.sandbox.zendesk.delete(int(row(here).remote_id))
    here.answer("fresh", 1)
    here.settle("desk")
    here.sandbox.zendesk.delete(int(row(here, 3).remote_id))
    found = compare(here)
    assert (found.ours, found.unjudged, told(found)) == (4, 2, [])


def test_comparing_changes_nothing(here):
    cases(here)
    before = here.actions()
    here.sandbox.zendesk.log.clear()
    here.sandbox.zendesk.delete(int(before[0].remote_id))
    compare(here)
    assert here.actions() == before
    assert {one.method for one in here.sandbox.zendesk.log} == {"GET"}


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def run(here, connector, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return partial(connector, "--config", str(here.file))


def test_the_command_tells_with_ids_links_and_next_steps(here, run):
    cases(here)
    here.wait(minutes=45)
    code, out, _ = run("reconcile", "desk", "--since", "2h")
    assert (code, "3 cases here, 3 there" in out, "Both sides agree." in out) == (0, True, True)
    assert "It cannot see: not the last minute" in out

    gone = row(here)
    here.sandbox.zendesk.delete(int(gone.remote_id))
    here.sandbox.zendesk.state["tickets"][gone.remote_id]["generated_timestamp"] -= 600
    code, out, _ = run("reconcile", "desk", "--since", "2h")
    assert code == 1
    assert gone.url in out
    assert "missing: decide whether the customer still needs it" in out
    code, out, _ = run("reconcile", "desk", "--since", "2h", "--json")
    found = json.loads(out)
    assert code == 1
    assert [(one["kind"], one["action"]) for one in found["differences"]] == [("missing", gone.id)]


@pytest.mark.parametrize(
    ("older", "said"),
    [
        (False, "Nothing could be compared yet; try again in some minutes."),
        (True, "Both sides agree about the others."),
    ],
)
def test_it_does_not_say_that_both_agree_about_what_is_too_fresh_to_judge(here, run, older, said):
    if older:
        cases(here)
    here.wait(minutes=(datetime.now(UTC) - here.now()) / timedelta(minutes=1) - 2)
    here.answer("fresh", 0)
    here.settle("desk")
    out = run("reconcile", "desk", "--since", "2h")[1]
    assert "1 case of ours not judged: too fresh, forgotten, or the look-up failed." in out
    assert said in out


@pytest.mark.parametrize("sink", ["mail", "chat"])
def test_mail_and_chat_cannot_be_listed_and_it_says_what_to_do(here, run, sink):
    code, _, err = run("reconcile", sink, "--since", "1d")
    assert code == 2
    said = " ".join(err.split())
    assert f"'{sink}' cannot be listed: nobody can be asked which messages arrived" in said
    assert f"connector actions list --sink {sink} --state in_doubt" in said
    assert "connector actions resolve" in said


def test_tasks_without_our_key_cannot_be_listed(here, run):
    text = here.file.read_text()
    here.file.write_text(text.replace('portal: "1"', 'portal: "1", unique_property: none'))
    code, _, err = run("reconcile", "hub", "--since", "1d")
    assert (code, "unique_property is none" in err) == (2, True)
    assert "hub" in run("recover", "--since", "1d")[1].split("Held until")[1].splitlines()[0]
    assert run("reconcile", "nowhere", "--since", "1d")[0] == 1


def test_what_it_reads_is_charged_to_the_account_that_everybody_shares(here):
    def free_at() -> datetime:
        with here.workspace.store.read() as connection:
            found = connection.scalar(select(tables.accounts.c.free_at).where(ZENDESK))
        assert found is not None
        return found

    cases(here)
    before = free_at()
    compare(here)
    assert free_at() > max(before, here.now() - HOUR)
