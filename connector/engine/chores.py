"""What happens once a minute: alarms announced, overdue cases escalated, digests put together and
mailed, silence noticed, retention applied, cases counted by day, old attempts to sign in forgotten,
a heartbeat."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connector.digesting import group_alerts
from connector.domain import Facts, Order
from connector.erasure import apply_retention
from connector.errors import ConnectorError
from connector.escalating import escalate
from connector.gaps import notice_gaps
from connector.http import Session
from connector.recounting import recount
from connector.store import alarms, arrivals, next_answers, outbox, throttling
from connector.store.database import StoreDown
from connector.text import hashed
from connector.weekly import mail_weekly

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from connector.config import AlarmChannel
    from connector.workspace import Workspace

log = logging.getLogger(__name__)

# They come again as long as their cause lasts, and nothing says that it is gone.
_OVER_WHEN_QUIET: tuple[alarms.AlarmKind, ...] = (alarms.CHANNEL, "engine", "unrendered")


def do_chores(workspace: Workspace, now: datetime) -> set[str]:
    """All of them, also where one fails; returns the sinks that have new work.

    Raises:
        StoreDown: when the database is down.
        What the first that failed has raised, after the others.
    """
    store, settings = workspace.store, workspace.settings
    chores: tuple[Callable[[], set[str] | object], ...] = (
        lambda: store.write(lambda c: _notice_silence(c, workspace, now)),
        lambda: store.write(lambda c: _notice_missing_sinks(c, workspace, now)),
        lambda: notice_gaps(store, now),
        lambda: store.write(lambda c: alarms.clear_quiet(c, _OVER_WHEN_QUIET, now)),
        lambda: workspace.rulesets.is_usable(now),
        lambda: store.write(lambda c: _announce(c, workspace, now)),
        lambda: store.write(lambda c: next_answers.link(c, now)),
        lambda: escalate(workspace, now),
        lambda: store.write(lambda c: group_alerts(c, settings.sinks, now)),
        lambda: mail_weekly(workspace, now),
        lambda: apply_retention(store, settings, now),
        lambda: recount(store, now),
        lambda: store.write(lambda c: throttling.forget_old_attempts(c, now)),
        lambda: _heartbeat(settings.heartbeat_url),
    )
    rung: set[str] = set()
    failed: Exception | None = None
    for chore in chores:
        try:
            done = chore()
        except StoreDown:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised when the others are done
            failed = failed or error
        else:
            rung |= done if isinstance(done, set) else set()
    if failed is not None:
        raise failed
    return rung


def _notice_silence(connection: Connection, workspace: Workspace, now: datetime) -> None:
    for id, source in workspace.settings.sources.items():
        row = arrivals.source_row(connection, id)
        if source.expect_every is None or row is None:
            continue
        last = row.last_answer_at or row.added_at
        if now - last > source.expect_every:
            message = (
                f"no answer from '{id}' since {last:%Y-%m-%d %H:%M} UTC; run: connector doctor"
            )
            alarms.raise_alarm(connection, "silent", id, message, now)
        else:
            alarms.clear_alarm(connection, "silent", id, now)


def _notice_missing_sinks(connection: Connection, workspace: Workspace, now: datetime) -> None:
    """Nobody delivers for a sink that was taken out of the configuration."""
    waiting = outbox.waiting_by_sink(connection)
    for sink in workspace.settings.sinks:
        alarms.clear_alarm(connection, "sink-missing", sink, now)
    for sink, count in waiting.items():
        if sink not in workspace.settings.sinks:
            message = (
                f"{count} actions wait for sink '{sink}', which is not in connector.yaml: "
                "add it again under this id"
            )
            alarms.raise_alarm(connection, "sink-missing", sink, message, now)


def _announce(connection: Connection, workspace: Workspace, now: datetime) -> set[str]:
    """Every alarm goes to the log once, and to the alarm channel where there is one.

    Many of one kind are one message there: five thousand refused tickets have one cause.
    """
    channel = workspace.settings.alarms
    told: dict[str, list[Any]] = {}
    for alarm in alarms.unannounced(connection):
        log.error("alarm: %s: %s", alarm.kind, alarm.message)
        alarms.announced(connection, alarm.id, now)
        if alarm.kind != alarms.CHANNEL:
            told.setdefault(alarm.kind, []).append(alarm)
    if channel is None or not told:
        return set()
    for alike in told.values():
        _put_message(connection, workspace, channel, alike, now)
    return {channel.sink}


def _put_message(
    connection: Connection,
    workspace: Workspace,
    channel: AlarmChannel,
    alike: list[Any],
    now: datetime,
) -> None:
    account, newest = workspace.accounts[channel.sink], alike[-1]
    key = "nps-" + hashed("alarm", str(newest.id), str(newest.count), account)[:32]
    text = f"Alarm ({newest.subject}): {newest.message}"
    if len(alike) > 1:
        text = f"{len(alike)} alarms of the kind '{newest.kind}', the newest: {text}"
    order = Order(
        key=key,
        kind="slack.message",
        rule_name="alarm",
        params={"channel": channel.channel, "text": text},
        facts=Facts(response_id="", source="", survey="", score=None, segment=None),
    )
    row = {
        "key": key,
        "rule_id": "alarm",
        "sink": channel.sink,
        "account": account,
        "kind": "slack.message",
        "opens_case": False,
        "to_customer": False,
        "order": order.model_dump(mode="json"),
        "state": "waiting",
        "due_at": now,
        "created_at": now,
    }
    outbox.add_action(connection, row)


def _heartbeat(url: str) -> None:
    """Tell a watchdog that this process lives; its own trouble is not ours."""
    if not url:
        return
    try:
        with Session(timeout=(3.05, 5.0)) as session:
            session.get(url)
    except (ConnectorError, OSError) as error:  # its text may hold the address, a secret
        log.warning("heartbeat not delivered: %s", type(error).__name__)
