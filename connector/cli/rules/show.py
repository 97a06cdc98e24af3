"""`connector rules show`: the text of a ruleset, out of the store."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli.rules.named import ACTIVE, named_rules


@click.command()
@click.argument("named", default=ACTIVE, metavar="[HASH|active|FILE]")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the files into this folder; nothing in it is overwritten.",
)
@click.pass_context
def show(ctx: click.Context, named: str, output: Path | None) -> int:
    """Print the rules file of the active ruleset, or of an earlier one, as it was written.

    With -o its topics and mail templates are written too: so the files can be put back after
    `connector rules activate --back`.
    """
    from connector.rules.model import RULES_FILE

    called, place = named_rules(ctx, named)
    if output is None:
        click.echo(place.text.files[RULES_FILE], nl=False)
        return 0
    there = [name for name in place.text.files if (output / name).exists()]
    if there:
        raise click.ClickException(f"{output} holds these already: {', '.join(sorted(there))}")
    for name, text in place.text.files.items():
        path = output / name
        if not path.resolve().is_relative_to(output.resolve()):
            raise click.ClickException(f"{called} holds a file outside of its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    click.echo(f"Wrote {called} into {output}.")
    return 0
