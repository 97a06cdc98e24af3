"""`connector run`: the whole connector in one process."""

from __future__ import annotations

import errno
import signal
import threading

import click

from connector.cli.common import log_to_stderr, workspace


@click.command()
@click.option("--once", is_flag=True, help="Poll, decide and deliver what is due, then end.")
@click.pass_context
def run(ctx: click.Context, once: bool) -> int:
    """Receive webhooks, poll the sources, decide and deliver until SIGTERM or Ctrl-C.

    With --once nothing is received: for a cron job, or to see one round.
    """
    from connector.engine.embedded import Embedded, run_once

    log_to_stderr(ctx)
    with workspace(ctx, follow=True, stays=True) as opened:
        if once:
            return 4 if run_once(opened) else 0
        from connector.engine.serving import WebServer
        from connector.engine.settling import settle
        from connector.errors import Invalid
        from connector.web.app import application

        engine = Embedded(opened)
        receiver = opened.settings.receiver
        try:  # first, so that nothing is polled or sent by a process that cannot receive
            site = application(opened, engine.arrived, engine.changed)
            server = WebServer(site, receiver.host, receiver.port)
        except OSError as error:
            raise click.ClickException(_no_port(receiver.host, receiver.port, error)) from error
        try:
            engine.start()
        except Invalid as error:
            said = "; ".join(problem.message for problem in error.problems)
            raise click.ClickException(said) from error
        stop = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
        server.start()
        settle()
        click.echo(f"Receiving on {server.url}/hooks/<source>. Stop with Ctrl-C.", err=True)
        stop.wait()
        click.echo("Stopping: finishing the calls in flight.", err=True)
        server.stop()
        engine.stop()
    return 0


def _no_port(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is taken, perhaps by another `connector run`; stop it, or change "
            "receiver: port in connector.yaml"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} needs more rights; write receiver: port: 8080 into connector.yaml"
    return f"cannot listen on {host}:{port} ({error.strerror}); change receiver: in connector.yaml"
