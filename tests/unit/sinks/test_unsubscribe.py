"""Unsubscribe tokens: made only by us, readable only by us."""

from __future__ import annotations

import base64
import re

from hypothesis import given
from hypothesis import strategies as st

from connector.sinks.unsubscribe import Link, read_token, token

ADDRESS = "ana.perez+nps@example.com"
SECRET = "a-made-up-secret"


def test_a_token_leads_back_to_its_address_and_is_the_same_every_time() -> None:
    made = token(ADDRESS, SECRET)
    assert read_token(made, SECRET) == Link(ADDRESS, "")
    assert read_token(token(ADDRESS, SECRET, "es"), SECRET) == Link(ADDRESS, "es")
    assert made == token(ADDRESS, SECRET)
    assert re.fullmatch(r"[A-Za-z0-9_-]{20,120}", made)


def test_nobody_can_read_an_address_in_a_token() -> None:
    made = token(ADDRESS, SECRET)
    raw = base64.urlsafe_b64decode(made + "==")
    assert b"ana" not in raw
    assert b"example" not in raw


def test_a_token_of_another_secret_or_with_a_changed_letter_is_worth_nothing() -> None:
    made = token(ADDRESS, SECRET)
    assert read_token(made, "another") is None
    assert read_token(("A" if made[0] != "A" else "B") + made[1:], SECRET) is None
    assert read_token(made[:-4], SECRET) is None


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,80}", fullmatch=True))
def test_whatever_a_stranger_sends_is_no_address(sent: str) -> None:
    assert read_token(sent, SECRET) is None


def test_an_endless_token_is_not_even_decoded() -> None:
    assert read_token("A" * 10_000_000, SECRET) is None
