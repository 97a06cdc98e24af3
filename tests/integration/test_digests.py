"""Alerts that go out together: once, whole, and without whom was erased or changed their mind."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from connector import digesting, erasure
from connector.domain import Order
from connector.engine.chores import do_chores
from connector.errors import LookFirst, Refused
from connector.store import Store, browsing, gathering, outbox, recovering
from tests.integration.beside import acting
from tests.integration.far_side import Post
from tests.integration.test_forgetting_everywhere import everything
from tests.integration.test_working_time import with_rules

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
RULES = """
rules:
  - id: angry
    when: {segment: detractor}
    then:
      - zendesk.ticket: {next_step: Call.}
      - slack.message:
          channel: "#nps"
          text: "NPS {{ score }} from {{ customer.name | default('someone') }}"
          digest: 1h
          mention: [here]
  - id: quiet
    when: {segment: passive}
    then: [{slack.message: {channel: "#nps", text: "A {{ score }}", digest: 1h}}]
  - id: other
    when: {segment: promoter}
    then: [{slack.message: {channel: "#fans", text: "Yes", digest: 1h}}]
"""


@pytest.fixture
def post(world) -> Post:
    return Post(with_rules(world, RULES))


def group(post: Post, after: timedelta = HOUR) -> set[str]:
    post.world.now += after
    sinks = post.world.workspace.settings.sinks
    return post.store.write(lambda c: digesting.group_alerts(c, sinks, post.world.now))


def story(post: Post, action: int):
    with post.store.read() as connection:
        return browsing.show_action(connection, action)


def digests(post: Post) -> list:
    return [a for a in post.world.actions(sink="chat") if a.response_id is None]


def lines(post: Post) -> list[str]:
    [digest] = digests(post)
    return [line["text"] for line in story(post, digest.id).order["digest"]["lines"]]


def title(post: Post) -> str:
    [digest] = digests(post)
    return story(post, digest.id).order["params"]["text"]


def two_alerts(post: Post) -> None:
    post.world.answer(id="1", score=2, name="Ana Q", email="ana@example.com")
    post.world.answer(id="2", score=7)


def test_alerts_of_one_channel_wait_and_go_out_as_one_message(post):
    two_alerts(post)
    post.world.answer(id="3", score=9)
    assert post.states("chat") == ["gathering"] * 3
    assert group(post, MINUTE) == set(), "not before its time"
    assert post.deliver("chat") == {}
    assert post.deliver("desk") == {"done": 1}, "the ticket does not wait"

    assert group(post) == {"chat"}
    assert post.states("chat") == ["grouped", "grouped", "waiting", "waiting"]
    assert lines(post) == ["A 7", "NPS 2 from Ana Q"], "the newest first"
    post.settle("chat")
    assert len(post.sides["chat"].made) == 2
    assert group(post) == set()
    assert post.deliver("chat") == {}


def test_one_alert_alone_goes_out_as_it_is(post):
    post.world.answer(id="1", score=2, comment="slow")
    group(post)
    assert post.deliver("chat") == {"done": 1}
    assert post.sides["chat"].sent == [b"2 slow"]
    assert digests(post) == []


def test_the_message_is_one_that_slack_takes_and_nothing_in_it_can_notify_or_link(post):
    hostile = "<!channel> <https://evil.example|x> *b* &\n\u202e@here"
    post.world.answer(id="1", score=2, name=hostile)
    for number in range(2, 26):
        post.world.answer(id=str(number), score=7)
    post.world.answer(id="99", score=2, name=hostile)
    group(post)
    [digest] = digests(post)
    order = Order.model_validate(story(post, digest.id).order)
    assert order.digest is not None
    assert (len(order.digest.lines), order.digest.more) == (digesting.MOST_LINES, 6)
    [body] = post.world.workspace.new_sink("chat").prepare([order], post.world.now)
    message = json.loads(body)
    assert message["text"] == "<!here> 26 alerts"
    shown = "\n".join(block["text"]["text"] for block in message["blocks"])
    assert shown.count("<!here>") == 1
    assert "<!channel>" not in shown
    assert "<https://evil" not in shown
    assert "+ 6 more" in shown
    assert all(len(block["text"]["text"]) <= 3000 for block in message["blocks"])


def test_a_line_leads_to_the_ticket(post):
    two_alerts(post)
    post.deliver("desk")
    [ticket] = post.world.actions(sink="desk")
    there = {"url": "https://acme.example/tickets/7", "remote_id": "7"}
    post.store.write(lambda c: outbox.change_action(c, ticket.id, **there))
    group(post)
    order = Order.model_validate(story(post, digests(post)[0].id).order)
    [body] = post.world.workspace.new_sink("chat").prepare([order], post.world.now)
    assert "NPS 2 from Ana Q <https://acme.example/tickets/7|ticket 7>" in body.decode()


def test_a_revision_takes_its_alert_out_or_changes_it_while_it_is_not_grouped(post):
    two_alerts(post)
    post.world.answer(id="4", score=7)
    revised = (post.world.now + MINUTE).isoformat()
    post.world.answer(id="1", score=10, revised=revised, email="ana@example.com")
    post.world.answer(id="4", score=8, revised=revised)
    group(post)
    assert lines(post) == ["A 8", "A 7"]


def test_a_revision_after_it_was_grouped_is_not_told_again(post):
    two_alerts(post)
    group(post)
    revised = (post.world.now + MINUTE).isoformat()
    post.world.answer(id="2", score=8, revised=revised)
    assert group(post) == set()
    post.deliver("chat")
    assert len(post.sides["chat"].made) == 1


def test_who_stops_in_the_middle_of_grouping_loses_and_doubles_nothing(post, monkeypatch):
    two_alerts(post)

    def stops(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "group", stops)
        with pytest.raises(RuntimeError):
            group(post)
    assert post.states("chat") == ["gathering", "gathering"]
    group(post, MINUTE)
    assert len(digests(post)) == 1
    assert post.states("chat") == ["grouped", "grouped", "waiting"]


def test_two_beats_at_once_make_one_message(post):
    two_alerts(post)
    post.world.now += HOUR
    sinks, ready = post.world.workspace.settings.sinks, threading.Barrier(2)

    def one() -> None:
        ready.wait()
        post.store.write(lambda c: digesting.group_alerts(c, sinks, post.world.now))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(digests(post)) == 1
    assert post.states("chat") == ["grouped", "grouped", "waiting"]


def test_alerts_that_come_too_late_for_their_digest_get_one_of_their_own(post):
    two_alerts(post)
    for number in ("5", "6"):
        post.world.answer(id=number, score=7)
    late = [a.id for a in post.world.actions(sink="chat")][2:]
    for id in late:
        post.store.write(lambda c, id=id: outbox.change_action(c, id, state="held"))
    group(post)
    assert post.store.write(lambda c: outbox.release(c, "app", post.world.now)) == {"chat": 2}
    group(post, MINUTE)
    assert len(digests(post)) == 2
    assert post.states("chat").count("grouped") == 4


def test_the_chores_put_digests_together_and_wake_the_sink(post):
    two_alerts(post)
    post.world.now += HOUR
    assert do_chores(post.world.workspace, post.world.now) == {"chat"}
    assert len(digests(post)) == 1


def test_the_alerts_say_how_their_digest_stands(post, connector, monkeypatch):
    monkeypatch.chdir(post.world.workspace.settings.directory)
    two_alerts(post)
    group(post)
    post.sides["chat"].refuses(Refused("the channel is archived"))
    post.deliver("chat")
    [digest] = digests(post)
    assert digest.state == "parked"
    assert "slack.message for a digest: the channel is archived" in post.alarms()["parked"]

    out = connector("actions", "list", "--sink", "chat")[1]
    assert f"in action {digest.id}, which is parked, the channel is archived" in out
    assert "a digest" in out
    single = post.world.actions(sink="chat")[0]
    assert (
        f"in action {digest.id}, which is parked" in connector("actions", "show", str(single.id))[1]
    )
    assert "NPS 2 from Ana Q" in connector("actions", "show", str(digest.id))[1]
    explained = connector("rules", "explain", single.response_id)[1]
    assert f"grouped: in action {digest.id}, which is parked" in explained

    post.retry()
    assert post.deliver("chat") == {"done": 1}
    assert f"in action {digest.id}, which is done" in connector("actions", "list")[1]


def test_a_digest_of_which_nobody_knows_is_in_doubt_and_not_resent(post):
    two_alerts(post)
    group(post)
    post.sides["chat"].fails(LookFirst("no answer"))
    post.deliver("chat")
    post.deliver("chat", after=HOUR)
    [digest] = digests(post)
    assert digest.state == "in_doubt"
    assert len(post.sides["chat"].sent) == 1


def test_a_flood_that_is_released_is_gathered_too(post):
    two_alerts(post)
    for action in post.world.actions(sink="chat"):
        post.store.write(lambda c, id=action.id: outbox.change_action(c, id, state="held"))
    assert group(post) == set()
    post.store.write(lambda c: outbox.release(c, None, post.world.now))
    assert post.states("chat") == ["gathering", "gathering"]
    assert group(post, MINUTE) == {"chat"}
    assert len(digests(post)) == 1


def test_after_a_restore_gathered_alerts_are_held_until_somebody_has_looked(post):
    two_alerts(post)
    post.store.write(lambda c: recovering.hold(c, ["desk"]))
    assert post.states("chat") == ["held", "held"]
    assert group(post) == set()
    post.store.write(lambda c: recovering.release(c, "chat", post.world.now))
    assert post.states("chat") == ["gathering", "gathering"]


@pytest.mark.parametrize("stage", ["gathering", "waiting", "parked", "sending", "done"])
def test_who_is_erased_is_in_no_digest_any_more(post, stage):
    two_alerts(post)
    if stage != "gathering":
        group(post)
    chat = post.sides["chat"]
    if stage == "parked":
        chat.refuses(Refused("Ana Q is not welcome"))
    if stage == "sending":
        chat.fails(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            post.deliver("chat")
    elif stage in ("parked", "done"):
        post.deliver("chat")
    found = erasure.erase_email(post.store, "ana@example.com", post.world.now)
    assert "Ana Q" not in everything(post.world)

    sent = len(chat.sent)
    post.retry()
    post.world.now += 2 * HOUR
    do_chores(post.world.workspace, post.world.now)
    post.settle("chat")
    if stage in ("sending", "done"):
        [digest] = digests(post)
        assert digest.state == ("in_doubt" if stage == "sending" else "done")
        assert len(chat.sent) == sent, "it is not sent again"
        assert story(post, digest.id).request is None
        assert "slack.message" in [place.kind for place in found.at_vendors]
    else:
        assert len(chat.sent) == sent + 1, "the others' alert goes out"
        if stage != "gathering":
            assert lines(post) == ["A 7"]


def test_a_digest_of_erased_people_alone_is_not_sent(post):
    for number in ("1", "2"):
        post.world.answer(id=number, score=2, name="Ana Q", email="ana@example.com")
    group(post)
    erasure.erase_email(post.store, "ana@example.com", post.world.now)
    post.settle("chat")
    assert post.sides["chat"].sent == []
    assert [digest.state for digest in digests(post)] == ["superseded"]


@on_postgresql
def test_two_processes_that_apply_retention_take_an_alert_out_once(post):
    post.world.answer(id="0", score=2, survey="partners")
    for number in range(1, 26):
        post.world.answer(id=str(number), score=7)
    group(post)
    surveys = post.world.workspace.settings.surveys
    soon = surveys["partners"].model_copy(update={"retention_days": 1})
    settings = post.world.workspace.settings.model_copy(
        update={"surveys": {**surveys, "partners": soon}}
    )

    def forget(store: Store) -> int:
        return erasure.apply_retention(store, settings, post.world.now + 48 * HOUR)

    assert title(post) == "26 alerts"
    with acting(post.store, "FROM projected", forget):
        forget(post.store)  # has found what is too old, and takes its turn after the other
    assert title(post) == "25 alerts"
