"""Whose an answer is, where two processes ask at the same moment: as if one had asked after the
other."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pytest
from sqlalchemy import event, select

from connector import erasure
from connector.domain import Respondent
from connector.store import Store, identities, people
from connector.store.tables import customer_keys, customers

PHONE = "+34600123123"
PATIENCE_SECONDS = 20
on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


def identify(store, now, **person) -> identities.Identity:
    return store.write(lambda c: identities.identify(c, Respondent(**person), now))


def keys(store) -> dict[str, str]:
    with store.read() as connection:
        rows = connection.execute(select(customer_keys.c.value, customer_keys.c.customer_id))
        return dict(rows.all())


def known(store) -> set[str]:
    with store.read() as connection:
        return set(connection.scalars(select(customers.c.id)))


def see_too_early(monkeypatch, *seen: str) -> None:
    """The first look is from before the others were there; of the keys it shows those `seen`."""
    look, looked = identities._owners, []

    def too_early(*arguments: Any) -> Any:
        looked.append(arguments)
        found = look(*arguments)
        if len(looked) > 1:
            return found
        return {key: owner for key, owner in found.items() if key[1] in seen}

    monkeypatch.setattr(identities, "_owners", too_early)


@pytest.mark.parametrize("by", [{"email": "ana@example.com"}, {"phone": PHONE}])
def test_who_was_made_meanwhile_gets_the_new_keys(store, now, monkeypatch, by):
    ana = identify(store, now, **by).customer
    see_too_early(monkeypatch)
    found = identify(store, now, email="ana@example.com", external_id="C-1", phone=PHONE)

    assert found == identities.Identity(ana)
    assert known(store) == {ana}
    assert keys(store) == {"ana@example.com": ana, "C-1": ana, PHONE: ana}


def test_a_phone_that_another_address_took_meanwhile_stays_theirs(store, now, monkeypatch):
    bob = identify(store, now, email="bob@example.com", phone=PHONE).customer
    see_too_early(monkeypatch)
    ana = identify(store, now, email="ana@example.com", phone=PHONE)

    assert ana.new
    assert keys(store) == {"bob@example.com": bob, PHONE: bob, "ana@example.com": ana.customer}


def test_an_address_that_was_made_meanwhile_counts_more_than_a_known_phone(store, now, monkeypatch):
    bob = identify(store, now, phone=PHONE).customer
    ana = identify(store, now, email="ana@example.com").customer
    see_too_early(monkeypatch, PHONE)
    found = identify(store, now, email="ana@example.com", external_id="C-1", phone=PHONE)

    assert found == identities.Identity(ana)
    assert keys(store) == {"ana@example.com": ana, PHONE: bob, "C-1": ana}


def test_a_key_whose_owner_was_erased_again_is_theirs(store, now, monkeypatch):
    claim, claimed = identities._claim, []

    def too_late(*arguments: Any) -> Any:
        claimed.append(arguments)
        return claim(*arguments) if len(claimed) > 1 else set()

    monkeypatch.setattr(identities, "_claim", too_late)
    ana = identify(store, now, email="ana@example.com", phone=PHONE)
    assert ana.new
    assert keys(store) == {"ana@example.com": ana.customer, PHONE: ana.customer}


def test_two_addresses_of_one_known_id_are_two_people(store, now, monkeypatch):
    account = identify(store, now, external_id="acct-7").customer
    look, others = identities._with_email, []

    def then_another_comes(*arguments: Any) -> Any:
        found = look(*arguments)
        if not others:
            job = {"email": "bob@example.com", "external_id": "acct-7"}
            others.append(threading.Thread(target=identify, args=(other, now), kwargs=job))
            others[0].start()
            others[0].join(0.5)
        return found

    monkeypatch.setattr(identities, "_with_email", then_another_comes)
    with contextlib.closing(Store(store.url)) as other:
        ana = identify(store, now, email="ana@example.com", external_id="acct-7")
        others[0].join(PATIENCE_SECONDS)

    assert ana == identities.Identity(account)
    found = keys(store)
    assert found["ana@example.com"] == found["acct-7"] == account
    assert found["bob@example.com"] in known(store) - {account}


def test_who_gets_a_company_while_their_answer_is_decided_is_decided_about(world):
    world.answer(id="1", score=9, email="ana@example.com")
    world.post(id="2", score=2, email="ana@example.com")
    [ana] = known(world.workspace.store)
    held = threading.Event()

    def work(connection: Any) -> None:
        people.put_attributes(connection, ana, {"plan": "pro"}, "Acme")
        held.set()
        time.sleep(0.5)  # so long does the other wait for this customer

    with contextlib.closing(Store(world.workspace.store.url)) as other:
        importing = threading.Thread(target=other.write, args=(work,))
        importing.start()
        held.wait(PATIENCE_SECONDS)
        assert world.decide().changes == {"new": 1}
        importing.join()
    assert ("zendesk.ticket", "waiting") in world.made()


@on_postgresql
def test_who_is_erased_while_their_answer_is_read_does_not_come_back(make_world):
    world = make_world(rename={"name": "phone"})
    world.answer(id="1", score=9, email="ana@example.com", name=PHONE)
    world.post(id="2", score=2, comment="Call Ana", name=PHONE)
    erased = []

    def meanwhile(_connection, _cursor, statement: str, *_) -> None:
        if not erased and "FROM customer_keys" in statement:  # tombstones were looked at before
            with contextlib.closing(Store(world.workspace.store.url)) as other:
                erased.append(erasure.erase_email(other, "ana@example.com", world.now))

    event.listen(world.workspace.store.engine, "before_cursor_execute", meanwhile)
    assert world.decide().changes == {"erased": 1}
    assert len(erased) == 1
    assert known(world.workspace.store) == set()
    assert [action.kind for action in world.actions() if action.state == "waiting"] == []
