"""`connector init`: a first configuration to start from."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli import choosing, shipped


@click.command()
@click.argument(
    "directory", default=".", type=click.Path(file_okay=False, writable=True, path_type=Path)
)
@click.option(
    "--only",
    metavar="NAME,NAME",
    help="Only these sources and sinks, by id or type: app,zendesk",
)
@click.option("--force", is_flag=True, help="Replace files that exist already.")
def init(directory: Path, only: str | None, force: bool) -> int:
    """Write connector.yaml, rules.yaml, topics.yaml, templates/ and .env.example into DIRECTORY.

    With rules.schema.json beside them, editors complete rules and mark mistakes.

    Without DIRECTORY they go where you are. Files that exist already are left alone, unless --force
    is given.

    \b
      connector init mycompany --only delighted,zendesk,slack
    """
    from connector.cli.rules.schema import FILE as SCHEMA
    from connector.cli.rules.schema import write_beside

    content = shipped.files()
    if only is not None:
        content = choosing.only(content, only)
    taken = [name for name in (*content, SCHEMA) if (directory / name).exists()]
    if taken and not force:
        listed = ", ".join(taken[:5]) + (", …" if len(taken) > 5 else "")
        raise click.ClickException(
            f"{directory} holds these already: {listed}. Nothing was written; name another "
            "directory, or replace them with --force."
        )
    shipped.write(directory, content)
    config = directory / "connector.yaml"
    write_beside(config)
    if only is None:
        first = (
            f"1. Say what you have: remove from {config} the sources and sinks that you do not\n"
            f"   use, and from {directory / 'rules.yaml'} the actions that would need them.\n"
            "   Or start with these alone: connector init DIRECTORY --only app,zendesk"
        )
    else:
        first = f"1. Look at {directory / 'rules.yaml'}: it says what happens with an answer."
    click.echo(
        f"""Wrote {len(content) + 1} files into {directory}.

{first}
2. Give it the keys: cp {directory / shipped.ENVIRONMENT} {directory / ".env"}, fill it in, then
     connector --config {config} check
     connector --config {config} doctor
3. Start it:
     connector --config {config} run"""
    )
    return 0
