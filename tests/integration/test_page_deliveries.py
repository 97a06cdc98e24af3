"""Deliveries: finding actions, one action's story, and what a person decides about them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update

from connector.access import people
from connector.store import auditing, deliveries, outbox, sending
from connector.store.tables import accounts, actions, audit
from tests.integration.conftest import SECRET, World
from tests.integration.web_visitor import Visitor, signed_in
from tests.seeding import seed


@pytest.fixture
def operator(world: World) -> Visitor:
    seed(world)
    return signed_in(world, "operator")


@pytest.fixture
def admin(world: World) -> Visitor:
    seed(world)
    return signed_in(world, "admin")


def in_state(world: World, state: str) -> list[int]:
    return [row.id for row in world.actions() if row.state == state]


def listed(page: str) -> list[int]:
    return [int(id) for id in re.findall(r'<td class="nowrap"><a href="/deliveries/(\d+)"', page)]


def audited(world: World) -> list[tuple[str, str, str]]:
    with world.workspace.store.read() as connection:
        rows = auditing.notes(connection, 100)
    return [(row.who, row.what, row.subject) for row in rows if row.what != "signed in"]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ("", lambda row: True),
        ("state=parked", lambda row: row.state == "parked"),
        ("state=done", lambda row: row.state == "done"),
        ("sink=desk", lambda row: row.sink == "desk"),
        ("sink=desk&state=parked", lambda row: (row.sink, row.state) == ("desk", "parked")),
        ("kind=hubspot.task", lambda row: row.kind == "hubspot.task"),
        ("rule=refund", lambda row: row.rule_id == "refund"),
        ("response=r", lambda row: row.response_id is not None),
    ],
)
def test_a_filter_shows_what_it_says_the_newest_first(operator, world, query, chosen) -> None:
    found = listed(operator.get(f"/deliveries?{query}").text)

    assert found == sorted((row.id for row in world.actions() if chosen(row)), reverse=True)
    assert found


def test_the_beginning_of_a_response_and_a_customer_find_their_actions(operator, world) -> None:
    row = world.actions()[0]
    mine = [one.id for one in world.actions() if one.response_id == row.response_id][::-1]

    assert listed(operator.get(f"/deliveries?response={row.response_id[:8]}").text) == mine
    assert listed(operator.get(f"/deliveries?response={row.response_id}").text) == mine
    assert listed(operator.get(f"/deliveries?customer={row.customer_id}").text) == mine
    assert listed(operator.get("/deliveries?response=zz").text) == []


@pytest.mark.parametrize("state", ["parked", "in_doubt", "held"])
def test_what_a_sink_left_that_is_not_configured_any_more_is_seen(admin, world, state) -> None:
    mine = [row.id for row in world.actions() if row.sink == "desk"][:2]
    changed = update(actions).where(actions.c.id.in_(mine)).values(state=state, error=None)
    world.workspace.store.write(lambda c: c.execute(changed))
    settings = world.workspace.settings
    sinks = {name: sink for name, sink in settings.sinks.items() if name != "desk"}
    world.workspace.settings = settings.model_copy(update={"sinks": sinks})
    visitor = Visitor(world)
    visitor.sign_in("admin")
    token = people.add_token(world.workspace.store, "bi", "test", world.now)

    page = visitor.get(f"/deliveries?state={state}").text
    headers = {"Authorization": f"Bearer {token}"}
    told = visitor.get(f"/api/v1/actions?state={state}&limit=500", headers=headers).json()

    assert set(mine) <= set(listed(page))
    assert set(mine) <= {one["id"] for one in told["items"]}
    assert "<option>desk</option>" in page
    assert ("Release the 2 that a flood from app holds" in page) is (state == "held")


@pytest.mark.parametrize("query", ["state=none", "state=done'--"])
def test_a_state_that_does_not_exist_is_told(operator: Visitor, query: str) -> None:
    answer = operator.get(f"/deliveries?{query}")
    assert answer.status_code == 400
    assert "superseded" in answer.text


def pages(world: World, chosen: deliveries.Filter, limit: int) -> list[list[int]]:
    found, before = [], None
    while True:
        with world.workspace.store.read() as connection:
            page = deliveries.page(connection, chosen, ["desk", "hub"], before, limit)
        found.append([row.id for row in page.rows])
        if page.scanned_to is None:
            return found
        before = page.scanned_to


@pytest.mark.parametrize("chosen", [{}, {"state": "waiting"}, {"sink": "hub"}, {"response": "r"}])
def test_pages_hold_everything_once(operator, world: World, monkeypatch, chosen) -> None:
    whole = pages(world, deliveries.Filter(**chosen), 1000)
    monkeypatch.setattr(deliveries, "SCANNED", 5)

    found = pages(world, deliveries.Filter(**chosen), 2)

    assert [id for page in found for id in page] == [id for page in whole for id in page]
    assert len(found) > 1
    assert all(len(page) <= 2 for page in found)


def test_one_action_tells_its_order_its_attempts_and_the_vendors_words(operator, world) -> None:
    parked = in_state(world, "parked")[0]

    page = operator.get(f"/deliveries/{parked}").text

    assert "422: priority is invalid" in page
    assert "The order" in page
    assert "It does not exist there; it is built anew." in page
    assert operator.get("/deliveries/999999").status_code == 404
    assert operator.get("/deliveries/x").status_code == 404


def test_a_parked_action_is_tried_again_once_and_noted(operator: Visitor, world: World) -> None:
    parked = in_state(world, "parked")[0]

    answer = operator.post(f"/deliveries/{parked}/retry", f"/deliveries/{parked}")

    assert answer.headers["location"] == f"/deliveries/{parked}?said=retried"
    assert "It will be tried again" in operator.get(answer.headers["location"]).text
    assert parked in in_state(world, "waiting")
    assert audited(world)[0] == ("operator", "retried", f"action {parked}")
    again = operator.post(f"/deliveries/{parked}/retry", "/today")
    assert again.status_code == 409
    assert "is waiting now" in again.text


def test_those_that_a_page_listed_are_tried_again_together(operator, world: World) -> None:
    parked = in_state(world, "parked")
    page = operator.get("/deliveries?state=parked").text
    told = re.search(r'name="actions" value="([\d,]+)"', page)
    assert told is not None

    operator.post("/deliveries/retry", "/deliveries?state=parked", actions=told[1])

    assert in_state(world, "parked") == []
    assert set(parked) <= set(in_state(world, "waiting"))
    assert audited(world)[0][1:] == ("retried", f"{len(parked)} actions")
    assert operator.post("/deliveries/retry", "/today", actions="x").status_code == 400


def test_a_person_says_that_it_is_there_or_not_needed(operator: Visitor, world: World) -> None:
    first, second = in_state(world, "in_doubt")[:2]
    there = {"verdict": "there", "remote_id": "m-1", "url": "https://chat.example/m-1"}

    operator.post(f"/deliveries/{first}/resolve", "/today", **there, note="seen by Ada Vega")
    operator.post(f"/deliveries/{second}/resolve", "/today", verdict="not-needed")

    rows = {row.id: row for row in world.actions()}
    assert (rows[first].state, rows[first].remote_id) == ("done", "m-1")
    assert rows[first].remark == "there, says operator: seen by Ada Vega"
    assert rows[second].state == "withheld"
    notes = audited(world)
    assert ("operator", "resolved: there", f"action {first}") in notes
    assert ("operator", "resolved: not needed", f"action {second}") in notes
    with world.workspace.store.read() as connection:
        details = [row.detail for row in auditing.notes(connection, 100)]
    assert not any("Vega" in (detail or "") for detail in details)


@pytest.mark.parametrize(
    "fields",
    [{}, {"verdict": "gone"}, {"verdict": "not-needed", "url": "https://a.example"},
     {"verdict": "there", "url": "javascript:alert(1)"}],
)  # fmt: skip
def test_a_verdict_that_cannot_be_changes_nothing(operator, world, fields) -> None:
    doubted = in_state(world, "in_doubt")

    answer = operator.post(f"/deliveries/{doubted[0]}/resolve", "/today", **fields)

    assert answer.status_code == 400
    assert in_state(world, "in_doubt") == doubted


def test_what_a_flood_holds_is_released_for_its_source(operator: Visitor, world: World) -> None:
    held = actions.update().where(actions.c.state == "waiting").values(state="held")
    world.workspace.store.write(lambda c: c.execute(held))
    before = in_state(world, "held")
    page = operator.get("/deliveries?state=held").text
    assert f"Release the {len(before)} that a flood from app holds" in page

    operator.post("/deliveries/release", "/deliveries?state=held", source="app")

    assert in_state(world, "held") == []
    assert set(before) <= set(in_state(world, "waiting"))
    assert audited(world)[0] == ("operator", "released", "source app")


def claimed(world: World, sink: str) -> set[int]:
    """What a worker takes in hand now; it is given back."""
    store, rows = world.workspace.store, []

    def work(connection) -> None:
        rows.extend(sending.claim(connection, sink, 100, world.now, timedelta(seconds=1)))
        raise LookupError  # undone

    with pytest.raises(LookupError):
        store.write(work)
    return {row.id for row in rows}


def test_a_pause_by_a_person_ends_only_by_a_person(admin: Visitor, world: World) -> None:
    store, account = world.workspace.store, world.workspace.accounts["desk"]
    parked = [row.id for row in world.actions() if (row.sink, row.state) == ("desk", "parked")]
    where = "/deliveries/accounts"
    admin.post(f"{where}/pause", where, account=account, reason="they migrate")
    store.write(lambda c: outbox.retry(c, parked, world.now))
    store.write(lambda c: outbox.resume_account(c, account, world.now + timedelta(days=300)))
    until = world.now + timedelta(minutes=1)
    store.write(lambda c: outbox.pause_account(c, account, until, "429"))
    world.now += timedelta(days=300)

    page = admin.get(where)
    assert page.status_code == 303  # the session is over long since
    admin.sign_in("admin")
    assert "By admin, until a person resumes it: they migrate" in admin.get(where).text
    assert claimed(world, "desk") == set()

    admin.post(f"{where}/resume", where, account=account)

    assert claimed(world, "desk") == set(parked)
    with store.read() as connection:
        row = connection.execute(select(accounts).where(accounts.c.account == account)).one()
    assert (row.paused_by, row.reason) == (None, None)
    assert [what for _, what, _ in audited(world)[:2]] == ["resumed", "paused"]
    with store.read() as connection:
        noted = connection.scalars(select(audit.c.detail).where(audit.c.detail.is_not(None)))
        assert "they migrate" not in "\n".join(noted)  # it may name a person


def test_a_pause_of_the_vendor_can_be_ended_early(admin: Visitor, world: World) -> None:
    account = world.workspace.accounts["desk"]
    row = {"account": account, "paused_until": world.now + timedelta(hours=5), "reason": "401"}
    world.workspace.store.write(lambda c: c.execute(insert(accounts).values(**row)))
    assert claimed(world, "desk") == set()

    admin.post("/deliveries/accounts/resume", "/deliveries/accounts", account=account)

    assert "paused" not in admin.get("/deliveries/accounts").text.partition(account)[2][:80]
    unknown = admin.post("/deliveries/accounts/pause", "/today", account="zendesk:other")
    assert unknown.status_code == 404


def test_pause_and_resume_are_commands_too(world, connector, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("TOKEN", "x")
    config = ("--config", str(tmp_path / "connector.yaml"))
    world.answer(id="1", score=3)

    code, said, why = connector(*config, "actions", "pause", "desk", "--note", "they migrate")
    assert (code, why) == (0, "")
    assert (code, said.split()[0]) == (0, world.workspace.accounts["desk"])
    assert claimed(world, "desk") == set()
    told = connector(*config, "status")[1]
    assert "until `connector actions resume`: they migrate" in told

    assert connector(*config, "actions", "resume", "desk")[0] == 0
    world.now = datetime.now(UTC)  # the commands' time
    assert len(claimed(world, "desk")) == 1
    assert connector(*config, "actions", "pause", "dsk")[0] == 1
