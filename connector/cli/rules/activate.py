"""`connector rules activate`: make the rules of a file, or earlier ones, those that decide."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from connector.cli.common import confirm, existing_store, print_problems, utc_now
from connector.cli.rules.diff import print_changes
from connector.cli.rules.named import SHORT_HASH, kept_rules, named_rules
from connector.text import one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.rules.model import RulesetText
    from connector.store import Store


@click.command()
@click.argument("named", required=False, metavar="[FILE|HASH]")
@click.option("--back", is_flag=True, help="The ruleset that was active before this one.")
@click.option("--note", default="", help="Why; it is kept.")
@click.option("--by", help="Who does it; by default you.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def activate(
    ctx: click.Context, named: str | None, back: bool, note: str, by: str | None, yes: bool
) -> int:
    """Check the configured rules, say what would change, ask, and make them decide.

    Of FILE instead, or of a ruleset that the store keeps (connector rules history). Every process
    follows at once; answers that were decided already are not decided again. What has a mistake, or
    an example that fails, is refused (exit code 3).
    """
    from connector import config
    from connector.rulesets import Rulesets

    if back and named is not None:
        raise click.UsageError("give either --back or what to activate")
    called, place = kept_rules(ctx, _one_before) if back else named_rules(ctx, named)
    settings = config.load(place.config, secrets=False)
    with existing_store(settings.store) as store:
        rulesets = Rulesets(settings, store)
        problems = rulesets.problems(place.text)
        if problems:
            print_problems(
                [p.model_copy(update={"file": place.shown.get(p.file, p.file)}) for p in problems],
                err=True,
            )
            click.echo("Nothing was changed.", err=True)
            return 3
        before = _show(store, place.text)
        hash = place.text.hash[:SHORT_HASH]
        if before != place.text.hash and not yes:
            confirm(f"Make {called} active?", "Nothing was changed.")
        who = one_line(by or getpass.getuser(), 60)
        why = one_line(note or f"activated: {called}", 300)
        changed = rulesets.activate(place.text, utc_now(), who, why, instead_of=before)
        if changed is None:
            raise click.ClickException(
                "another ruleset became active meanwhile; look again at what would change"
            )
    if changed:
        click.echo(f"Ruleset {hash} is active; every process decides with it from now on.")
    else:
        click.echo(f"Ruleset {hash} is active already.")
    return 0


def _show(store: Store, text: RulesetText) -> str | None:
    """Say what would change; returns the hash of what is active now."""
    from connector.errors import Invalid
    from connector.rules.compare import compare
    from connector.rulesets import kept_text
    from connector.store import answers

    with store.read() as connection:
        before = answers.active_ruleset(connection)
        if before in (None, text.hash):
            return before
        try:
            old = kept_text(connection, before)
        except Invalid as error:
            print_problems(error.problems, err=True)
            return before
    print_changes(compare(old, text), False, before)
    return before


def _one_before(connection: Connection) -> str:
    from connector.store import activations

    found = activations.one_before(connection)
    if found is None:
        raise click.ClickException("no other ruleset was active before")
    return found
