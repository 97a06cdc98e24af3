"""`connector web`: the receiver alone; workers do the rest."""

from __future__ import annotations

import functools
import logging

import click

from connector.cli.common import log_to_stderr, stop_event, workspace
from connector.cli.distributed import settings_and_broker

log = logging.getLogger(__name__)


@click.command()
@click.option("--host", help="Listen here instead of at receiver: host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of receiver: port.")
@click.pass_context
def web(ctx: click.Context, host: str | None, port: int | None) -> int:
    """Receive webhooks until SIGTERM or Ctrl-C, and wake the workers.

    Needs PostgreSQL, and a broker in CONNECTOR_BROKER. Answers are taken in also while the broker
    is down.
    """
    log_to_stderr(ctx)
    settings, broker = settings_and_broker(ctx)
    from connector.engine.broker import trouble
    from connector.engine.celery_app import make_app
    from connector.engine.doorbell import Doorbell
    from connector.engine.serving import WebServer
    from connector.engine.settling import settle
    from connector.engine.wakeups import DECIDE, follow
    from connector.web.app import application

    host = host or settings.receiver.host
    port = settings.receiver.port if port is None else port
    with workspace(ctx, stays=True) as opened:
        doorbell = Doorbell(make_app(broker, settings.sinks))
        arrived = functools.partial(doorbell.ring, DECIDE)
        receiver = application(
            opened,
            arrived,
            lambda sink: doorbell.ring(follow(sink)),
            functools.partial(trouble, broker),
        )
        try:
            server = WebServer(receiver, host, port)
        except OSError as error:
            raise click.ClickException(
                f"cannot listen on {host}:{port} ({error.strerror}); choose with --port"
            ) from error
        with stop_event() as stop:
            server.start()
            settle()
            log.info("receiving on %s/hooks/<source>", server.url)
            stop.wait()
        server.stop()
        doorbell.close()
    return 0
