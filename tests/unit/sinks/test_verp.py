"""The envelope sender of a mail: made only by us, and it tells nothing about anybody."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector.domain import effect_key
from connector.sinks.email import EmailSettings
from connector.sinks.verp import LONGEST_LOCAL, key_for, sender_for

KEY = effect_key("r1", "mail", "email.thank_you", "thanks")
ADDRESS, SECRET = "bounces@example.com", "a-made-up-secret"


def test_a_sender_leads_back_to_its_action() -> None:
    sender = sender_for(KEY, ADDRESS, SECRET)
    assert re.fullmatch(r"bounces\+[a-z2-7]{39}@example\.com", sender)
    assert key_for(sender, ADDRESS, SECRET) == KEY
    assert key_for(sender.upper(), ADDRESS, SECRET) == KEY, "servers may change the case"


def test_the_longest_address_fits_and_a_longer_one_is_refused() -> None:
    longest = "b" * LONGEST_LOCAL + "@example.com"
    assert len(sender_for(KEY, longest, SECRET).partition("@")[0]) == 64
    given = {"host": "h", "from_address": "care@example.com", "bounce_secret": "s"}
    EmailSettings.model_validate({**given, "bounce_address": longest})
    for wrong in ("b" + longest, "bounces+us@example.com", "bounces"):
        with pytest.raises(ValidationError):
            EmailSettings.model_validate({**given, "bounce_address": wrong})
    with pytest.raises(ValidationError, match="or neither"):
        EmailSettings.model_validate({**given, "bounce_address": ""})


def test_a_sender_of_another_secret_place_or_seal_is_worth_nothing() -> None:
    sender = sender_for(KEY, ADDRESS, SECRET)
    assert key_for(sender, ADDRESS, "another") is None
    assert key_for(sender, "returns@example.com", SECRET) is None
    assert key_for(sender.replace("example.com", "example.org"), ADDRESS, SECRET) is None
    for place in range(len("bounces+"), len("bounces+") + 39):
        other = "b" if sender[place] == "a" else "a"
        forged = sender[:place] + other + sender[place + 1 :]
        assert key_for(forged, ADDRESS, SECRET) is None, place


@given(st.text(max_size=60) | st.from_regex(r"bounces\+[a-z2-7]{39}@example\.com", fullmatch=True))
def test_whatever_a_stranger_writes_to_is_no_action(sent: str) -> None:
    assert key_for(sent, ADDRESS, SECRET) is None
