"""When to try again: pure functions of error, attempts and time. Nothing here waits or sends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from connector import faultpoints
from connector.errors import LookFirst, Paused, Refused, TryLater

if TYPE_CHECKING:
    from connector.ports import Capabilities

GIVE_UP_AFTER = timedelta(days=3)
SAY_SO_AFTER = timedelta(hours=1)
LONGEST_WAIT = timedelta(hours=1)
PROBE_PAUSED_AFTER = timedelta(minutes=5)
_FIRST_WAIT = timedelta(seconds=faultpoints.seconds("first_wait", 5))


@dataclass(frozen=True)
class Wait:
    """Try again at `at`; `everyone` pauses the whole account until then."""

    at: datetime
    everyone: bool = False


@dataclass(frozen=True)
class Park:
    """A person must look. `alarm` is raised unless the item alone was refused as documented."""

    state: Literal["parked", "in_doubt"] = "parked"


def after_failure(
    error: Exception,
    attempts: int,
    failing_since: datetime,
    capabilities: Capabilities,
    now: datetime,
    jitter: float,
) -> Wait | Park:
    """What follows a failed attempt.

    Args:
        attempts: how often it has been tried, this one included (from 1).
        failing_since: the first failure in a row; an account that was paused does not count.
        jitter: drawn by the caller from [0.5, 1.5), so that this stays testable.
    """
    if isinstance(error, Refused):
        return Park()
    if isinstance(error, Paused):
        return Wait(error.until or now + PROBE_PAUSED_AFTER, everyone=True)
    if isinstance(error, LookFirst) and not (capabilities.can_find or capabilities.key_lifetime):
        return Park("in_doubt")
    if not isinstance(error, TryLater | LookFirst):
        return Park()  # a mistake of ours: trying again would only repeat it
    if now - failing_since >= GIVE_UP_AFTER:
        return Park()
    wait = min(_FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT) * jitter
    if isinstance(error, TryLater):
        asked = error.retry_after_seconds
        pause = wait if asked is None else timedelta(seconds=asked)
        return Wait(now + pause, error.account_wide)
    return Wait(now + wait)


def recovery(
    capabilities: Capabilities,
    first_sent_at: datetime,
    now: datetime,
    restored_at: datetime | None = None,
) -> Literal["send", "find", "doubt"]:
    """What to do with an action that was sent and never heard of again.

    Args:
        restored_at: the end of the time that a restored backup does not know: of what was first
            sent before it nobody knows which bytes went out last, so a key is not enough.
    """
    lost = restored_at is not None and first_sent_at <= restored_at
    if now - first_sent_at < capabilities.key_lifetime and not lost:
        return "send"
    return "find" if capabilities.can_find else "doubt"
