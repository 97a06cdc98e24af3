"""What can go wrong, named after what happens next.

Adapters raise (or return, for one item of a batch) exactly these. Messages are sentences for an
operator: they never hold a secret, an address or a customer's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from connector.domain import Problem


class ConnectorError(Exception):
    """The base of the five; `str()` of it is what a person reads."""


class TryLater(ConnectorError):
    """Nothing happened at the far side; the same request may go out again.

    `retry_after_seconds` is the far side's own wish. `account_wide` means that everybody who uses
    this account has to wait (a rate limit), not only this request.
    """

    def __init__(
        self,
        message: str,
        retry_after_seconds: float | None = None,
        account_wide: bool = False,
    ) -> None:
        super().__init__(message, retry_after_seconds, account_wide)
        self.retry_after_seconds = retry_after_seconds
        self.account_wide = account_wide

    def __str__(self) -> str:
        return str(self.args[0])


class LookFirst(ConnectorError):
    """The outcome is unknown (lost reply, time-out, 500): look before anything is sent again."""


class Refused(ConnectorError):
    """The far side will never take this one item; it is parked with the vendor's own reason.

    `address_dead` says that mail to this address can never arrive: it goes on the suppression list.
    """

    def __init__(self, message: str, address_dead: bool = False) -> None:
        super().__init__(message, address_dead)
        self.address_dead = address_dead

    def __str__(self) -> str:
        return str(self.args[0])


class Paused(ConnectorError):
    """The account cannot be used at all (credentials, quota, service ended).

    `until` is when it may be tried again by itself; without it a person has to act, and the
    account is probed now and then with a harmless read.
    """

    def __init__(self, message: str, until: datetime | None = None) -> None:
        super().__init__(message, until)
        self.until = until

    def __str__(self) -> str:
        return str(self.args[0])


class Unreadable(ConnectorError):
    """What came in cannot be understood; it is kept, quarantined and can be replayed."""


class Invalid(ConnectorError):
    """A configuration, rule or data file has problems; each names its file, line and cure."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
