"""`connector beat`: wakes the workers on schedule."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from connector.cli.common import log_to_stderr, stop_event
from connector.cli.distributed import alive, settings_and_broker

log = logging.getLogger(__name__)


@click.command()
@alive
@click.pass_context
def beat(ctx: click.Context, alive: Path | None) -> int:
    """Ring for everything that is due now and then, until SIGTERM or Ctrl-C.

    One is enough and two do no harm. It needs the broker in CONNECTOR_BROKER, no database and no
    vendor's key.
    """
    log_to_stderr(ctx)
    settings, broker = settings_and_broker(ctx, secrets=False)
    from connector.engine import beat as engine
    from connector.engine.celery_app import make_app
    from connector.engine.doorbell import Doorbell
    from connector.engine.wakeups import schedule

    every = schedule(settings)
    doorbell = Doorbell(make_app(broker, settings.sinks))
    log.info("ringing for %d stages", len(every))
    with stop_event() as stop:
        engine.beat(every, doorbell.ring, stop, alive)
    doorbell.close()
    return 0
