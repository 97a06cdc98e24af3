"""What a guess costs, and that it costs as much where there is no such user."""

from __future__ import annotations

from argon2 import PasswordHasher, extract_parameters

from connector.access import passwords

PASSWORD = "four plain words here"


def test_a_password_is_kept_as_owasp_asks() -> None:
    kept = passwords.hashed_password(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert kept != passwords.hashed_password(PASSWORD), "without a salt"
    assert not passwords.is_outdated(kept)
    assert passwords.is_right(PASSWORD, kept)
    assert not passwords.is_right(f"{PASSWORD}!", kept)


def test_who_does_not_exist_is_let_in_by_nothing_and_after_the_same_work() -> None:
    assert not passwords.is_right(PASSWORD, None)
    nobodys = extract_parameters(passwords._NOBODYS)
    assert nobodys == extract_parameters(passwords.hashed_password(PASSWORD))


def test_a_password_of_weaker_parameters_opens_and_is_to_be_made_anew() -> None:
    older = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    assert passwords.is_right(PASSWORD, older)
    assert passwords.is_outdated(older)
    assert not passwords.is_right(PASSWORD, "no hash at all")
