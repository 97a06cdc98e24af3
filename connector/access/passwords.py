"""Passwords as argon2id, and what a password has to be."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

LEAST, MOST = 12, 200
# OWASP's second choice, so that a small machine has room for it beside its work.
# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_ONE_AT_A_TIME = threading.Lock()  # whoever asks for many at once must not take the processor
# Of no password. Who names an unknown user waits as long as who names a known one.
_NOBODYS = (
    "$argon2id$v=19$m=19456,t=2,p=1$7+VSNbCkLGzblpVmVrPZGQ"
    "$fgVijobdaMpHLVJlDlD6cGpC9tn1E4XrrGTTg4VNe+0"
)


def trouble(password: str, name: str) -> str:
    """What is wrong with it; empty where nothing is."""
    if len(password) < LEAST:
        return f"a password has at least {LEAST} characters; several words are easy to keep in mind"
    if len(password) > MOST:
        return f"a password has at most {MOST} characters"
    if len(set(password)) < 5 or name.casefold() in password.casefold():
        return "this password is easy to guess: no name in it, and more than a few characters"
    return ""


def hashed_password(password: str) -> str:
    with _ONE_AT_A_TIME:
        return _HASHER.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """`password_hash` is None for a user that does not exist, which takes the same time."""
    with _ONE_AT_A_TIME:
        try:
            return _HASHER.verify(password_hash or _NOBODYS, password[: MOST + 1]) and (
                password_hash is not None
            )
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


def is_outdated(password_hash: str) -> bool:
    """Was it made with other parameters than are used now?"""
    return _HASHER.check_needs_rehash(password_hash)
