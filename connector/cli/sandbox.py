"""`connector sandbox`: the stand-ins of a kept demo, open again."""

from __future__ import annotations

import click

from connector.cli.common import config_path, stop_event


@click.command()
@click.pass_context
def sandbox(ctx: click.Context) -> int:
    """Reopen the stand-ins that `connector demo --keep DIRECTORY` left, until Ctrl-C.

    \b
      connector --config DIRECTORY/connector.yaml sandbox

    They remember everything. Their addresses are written into DIRECTORY/.env, so that every other
    command with the same --config reaches them: doctor, run, actions retry ...
    """
    from connector.cli.demo.serving import addresses
    from connector.cli.demo.staging import reopened

    config = config_path(ctx)
    with stop_event() as stop, reopened(config.parent) as stage:
        click.echo(f"The stand-ins are up:\n{addresses(stage)}")
        click.echo(f"In another terminal: connector --config {config} doctor")
        click.echo("Stop with Ctrl-C.")
        stop.wait()
    return 0
