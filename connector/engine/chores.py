"""What happens once a minute: alarms announced, silence noticed, retention applied, a heartbeat."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connector.domain import Facts, Order
from connector.erasure import apply_retention
from connector.errors import ConnectorError
from connector.http import Session
from connector.store import alarms, arrivals, outbox
from connector.text import hashed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.config import AlarmChannel
    from connector.workspace import Workspace

log = logging.getLogger(__name__)


def do_chores(workspace: Workspace, now: datetime) -> set[str]:
    """All of them; returns the sinks that have new work.

    Raises:
        StoreDown: when the database is down.
    """
    workspace.store.write(lambda c: _notice_silence(c, workspace, now))
    rung = workspace.store.write(lambda c: _announce(c, workspace, now))
    apply_retention(workspace.store, workspace.settings, now)
    _heartbeat(workspace.settings.heartbeat_url)
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


def _announce(connection: Connection, workspace: Workspace, now: datetime) -> set[str]:
    """Every alarm goes to the log once, and to the alarm channel where there is one."""
    channel = workspace.settings.alarms
    rung: set[str] = set()
    for alarm in alarms.unannounced(connection):
        log.error("alarm: %s: %s", alarm.kind, alarm.message)
        if channel is not None:
            _put_message(connection, workspace, channel, alarm, now)
            rung.add(channel.sink)
        alarms.announced(connection, alarm.id, now)
    return rung


def _put_message(
    connection: Connection,
    workspace: Workspace,
    channel: AlarmChannel,
    alarm: Any,
    now: datetime,
) -> None:
    account = workspace.accounts[channel.sink]
    key = "nps-" + hashed("alarm", str(alarm.id), account)[:32]
    order = Order(
        key=key,
        kind="slack.message",
        rule_name="alarm",
        params={"channel": channel.channel, "text": f"Alarm ({alarm.subject}): {alarm.message}"},
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
    except ConnectorError as error:
        log.warning("heartbeat not delivered: %s", error)
