"""The weekly digest by mail: put into the outbox when it is due, once for each recipient."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from connector.config import WEEKDAYS
from connector.domain import Facts, Order
from connector.reports.weekly import Wanted, digest_of
from connector.store import weekly
from connector.text import hashed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import DigestMail, Settings
    from connector.sinks.weekly.content import Weekly
    from connector.workspace import Workspace

TOO_LATE = timedelta(days=3)
_RULE = "weekly digest"
_LATE = "it was due more than 3 days before anything ran: not sent"
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


def mail_weekly(workspace: Workspace, now: datetime) -> set[str]:
    """Put this week's, if it is due and not put; returns the sinks that have work because of it.

    What was missed for more than 3 days is not sent, and a withheld action says so.
    """
    wanted = workspace.settings.digest_mail
    if wanted is None:
        return set()
    due = last_due(wanted, now)
    digest = f"weekly-{wanted.sink}-{due:%Y-%m-%d}"
    with workspace.store.read() as connection:
        if weekly.is_put(connection, digest):
            return set()
    if due < workspace.store.write(lambda c: weekly.wanted_since(c, now)):
        return set()
    if now - due >= TOO_LATE:
        over = {"state": "withheld", "error": _LATE, "finished_at": now}
        late = [{**row, **over} for row in _rows(workspace, wanted, digest, None, now)]
        workspace.store.write(lambda c: weekly.put(c, digest, late))
        return set()
    with workspace.store.read(snapshot=True) as connection:
        told = told_before(connection, workspace.settings, wanted, due, now)
    rows = _rows(workspace, wanted, digest, told, now)
    workspace.store.write(lambda c: weekly.put(c, digest, rows))
    return {wanted.sink}


def last_due(wanted: DigestMail, now: datetime) -> datetime:
    """The newest time at which one was due, by the clock on the wall of its zone."""
    zone = ZoneInfo(wanted.zone)
    today = now.astimezone(zone).date()
    day = today - ((today.weekday() - WEEKDAYS.index(wanted.day)) % 7) * _DAY
    due = datetime.combine(day, wanted.clock, zone).astimezone(UTC)
    if due > now:
        due = datetime.combine(day - _WEEK, wanted.clock, zone).astimezone(UTC)
    return due


def told_before(
    connection: Connection, settings: Settings, wanted: DigestMail, at: datetime, now: datetime
) -> Weekly:
    """The digest of the seven days that ended with the midnight before `at`."""
    zone = ZoneInfo(wanted.zone)
    midnight = datetime.combine(at.astimezone(zone).date(), time(), zone).astimezone(UTC)
    surveys = None if wanted.surveys is None else frozenset(wanted.surveys)
    dashboard = settings.receiver.public_url if settings.dashboard.enabled else ""
    asked = Wanted(midnight, zone, wanted.language, surveys, dashboard)
    return digest_of(connection, settings.surveys, asked, now)


def put_now(workspace: Workspace, wanted: DigestMail, now: datetime) -> set[str]:
    """One more, as it would be today, whatever was sent before."""
    digest = f"weekly-{wanted.sink}-{now:%Y-%m-%dT%H:%M:%S}"

    with workspace.store.read(snapshot=True) as connection:
        told = told_before(connection, workspace.settings, wanted, now, now)
    rows = _rows(workspace, wanted, digest, told, now)
    workspace.store.write(lambda c: weekly.put(c, digest, rows))
    return {wanted.sink}


def _rows(
    workspace: Workspace, wanted: DigestMail, digest: str, told: Weekly | None, now: datetime
) -> list[dict[str, Any]]:
    return [
        {
            "key": key,
            "rule_id": _RULE,
            "sink": wanted.sink,
            "account": workspace.accounts[wanted.sink],
            "kind": weekly.KIND,
            "opens_case": False,
            "to_customer": False,
            "digest": digest,
            "order": _order(key, address, told).model_dump(mode="json"),
            "state": "waiting",
            "due_at": now,
            "created_at": now,
        }
        for address in wanted.to
        for key in [f"nps-{hashed('weekly', digest, address.casefold())[:32]}"]
    ]


def _order(key: str, address: str, told: Weekly | None) -> Order:
    params: dict[str, object] = {"to": address}
    if told is not None:
        params["weekly"] = told.model_dump(mode="json")
    nobody = Facts(response_id="", source="", survey="", score=None, segment=None)
    return Order(key=key, kind=weekly.KIND, rule_name=_RULE, params=params, facts=nobody)
