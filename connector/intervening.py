"""What a person decides about actions and accounts, by command or on a page; each is noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from connector.store import alarms, auditing, outbox, recovering, settling
from connector.text import one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

Verdict = Literal["there", "not needed"]
RETRIABLE = ("parked",)
RESOLVABLE = settling.SETTLED


def retry(connection: Connection, ids: Sequence[int], by: str, now: datetime) -> dict[str, int]:
    """Try parked actions again; how many per sink."""
    counts = outbox.retry(connection, ids, now)
    _note(connection, by, "retried", ids, counts, now)
    return counts


def resolve(
    connection: Connection,
    ids: Sequence[int],
    verdict: Verdict,
    by: str,
    now: datetime,
    note: str = "",
    there_as: tuple[str | None, str | None] = (None, None),
) -> dict[str, int]:
    """End what waits for a person. `there_as`: its id and link at the far side, of one action."""
    who = one_line(by, 60)
    said = one_line(f"{verdict}, says {who}{': ' if note else ''}{note}", 300)
    remote_id, url = there_as
    is_there = verdict == "there"
    counts = settling.resolve(connection, ids, said, now, remote_id, url, there=is_there)
    _note(connection, by, f"resolved: {verdict}", ids, counts, now)
    return counts


def release(
    connection: Connection, sources: Iterable[str], by: str, now: datetime
) -> dict[str, int]:
    """Let go what a flood from these sources held back."""
    counts: dict[str, int] = {}
    for source in sources:
        alarms.clear_alarm(connection, "surge", source, now)
        for sink, number in outbox.release(connection, source, now).items():
            counts[sink] = counts.get(sink, 0) + number
            auditing.note(connection, by, "released", f"source {source}", now, f"{sink} {number}")
    return counts


def release_restored(
    connection: Connection, sink: str | None, by: str, now: datetime
) -> dict[str, int]:
    """Let go what is held since a backup was restored."""
    counts = recovering.release(connection, sink, now)
    if counts:
        auditing.note(connection, by, "released", "what was restored", now, _told(counts))
    return counts


def pause(connection: Connection, account: str, by: str, reason: str, now: datetime) -> None:
    """The reason is kept with the account alone: a note outlives what it may say of a person."""
    outbox.pause_by_person(connection, account, one_line(by, 60), one_line(reason, 300))
    auditing.note(connection, by, "paused", f"account {account}", now)


def resume(connection: Connection, account: str, by: str, now: datetime) -> bool:
    """False where it was not paused."""
    resumed = outbox.resume_by_person(connection, account, now)
    if resumed:
        auditing.note(connection, by, "resumed", f"account {account}", now)
    return resumed


def _note(
    connection: Connection,
    by: str,
    what: str,
    ids: Sequence[int],
    counts: Mapping[str, int],
    now: datetime,
) -> None:
    """One note for one action, and one for many together."""
    if not counts:
        return
    if len(ids) == 1:
        auditing.note(connection, by, what, f"action {ids[0]}", now)
    else:
        auditing.note(connection, by, what, f"{sum(counts.values())} actions", now, _told(counts))


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{sink} {number}" for sink, number in sorted(counts.items()))
