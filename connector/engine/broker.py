"""Which broker carries the wake-ups, how long anyone waits for it, and whether it answers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kombu import Connection

from connector.domain import Problem
from connector.environment import read_environment
from connector.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "CONNECTOR_BROKER"
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
_HINT = "redis://host:6379/0 or amqp://user:password@host:5672/vhost"
# A message that a killed worker had taken comes back after this; by then it is of no use.
_UNACKED_SECONDS = 60


def broker_url(directory: Path, environment: Mapping[str, str] | None = None) -> str:
    """From the environment, from `.env` in `directory`, or from the file CONNECTOR_BROKER_FILE.

    Raises:
        Invalid: when it is not set, or is no address of Redis, Valkey or RabbitMQ.
    """
    outside = read_environment(directory, environment)
    url = outside.find(VARIABLE)
    if not url:
        raise _invalid(outside.why_missing(VARIABLE))
    if _kind(url) is None:
        raise _invalid(f"{VARIABLE} is no address of Redis, Valkey or RabbitMQ")
    return url


def _invalid(message: str) -> Invalid:
    return Invalid([Problem(file="broker", message=message, hint=_HINT)])


def _kind(url: str) -> str | None:
    kinds = {"redis": "redis", "rediss": "redis", "amqp": "amqp", "amqps": "amqp"}
    return kinds.get(urlsplit(url).scheme)


def transport_options(url: str, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
    """Nobody waits longer than `seconds` for a broker that hangs.

    https://docs.celeryq.dev/en/stable/userguide/configuration.html#broker-transport-options
    """
    if _kind(url) == "amqp":
        return {"read_timeout": seconds, "write_timeout": seconds}
    return {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": seconds,
        "visibility_timeout": _UNACKED_SECONDS,
    }


def trouble(url: str) -> str:
    """Why the broker cannot be used; empty where it answers within about two seconds."""
    options = transport_options(url, CONNECT_SECONDS)
    connection = Connection(
        url, connect_timeout=CONNECT_SECONDS, transport_options=options, heartbeat=0
    )
    try:
        connection.ensure_connection(max_retries=0)
    except Exception as error:  # noqa: BLE001 - each transport has its own errors, all mean this
        return f"{urlsplit(url).scheme} does not answer ({type(error.__cause__ or error).__name__})"
    finally:
        with contextlib.suppress(Exception):
            connection.release()
    return ""
