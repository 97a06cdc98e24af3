"""`connector rules schema`: the JSON Schema from which an editor completes and marks rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from connector.cli.rules.surroundings import (
    Place,
    installation,
    known_names,
    online_or_not,
    place_at,
)

FILE = "rules.schema.json"


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write it into this file, for example config/rules.schema.json.",
)
@online_or_not
@click.pass_context
def schema(ctx: click.Context, output: Path | None, online: bool | None) -> int:
    """Print the JSON Schema of rules.yaml, filled with what exists in this installation.

    Put it beside rules.yaml as rules.schema.json; the first line of rules.yaml names it for editors
    that know the YAML language server. Write it again after a change of connector.yaml.
    """
    from connector.cli.rules.linting import past_facts

    place = installation(ctx, None)
    names, unasked = known_names(place.settings, online)
    for id, why in unasked.items():
        click.echo(f"{id} was not asked what exists there: {why}", err=True)
    if unasked and online:
        return 1
    sent = {name for facts in past_facts(place.settings)[0] for name in facts.properties}
    text = schema_text(place, names, sorted(sent))
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")
        click.echo(f"Wrote {output}.")
    return 0


def write_beside(config: Path) -> Path:
    """The schema for the rules that this connector.yaml names, where their first line expects it.
    Nothing is reached. Returns its path."""
    place = place_at(config)
    path = place.settings.rules.parent / FILE
    names = {id: sink.names for id, sink in place.settings.sinks.items()}
    path.write_text(schema_text(place, names, ()), "utf-8")
    return path


def schema_text(
    place: Place, names: Mapping[str, Mapping[str, Sequence[str]]], properties: Sequence[str]
) -> str:
    """The schema as a file; the same installation gives the same bytes."""
    from connector.rules.mails import read_mails
    from connector.rules.schema import Surroundings, rules_schema
    from connector.rules.topic_file import read_topics

    vocabulary = replace(place.settings.vocabulary(), book=read_topics(place.text)[0])
    mails, _ = read_mails(place.text, vocabulary)
    around = Surroundings(names=names, mails=sorted(mails), properties=properties)
    return json.dumps(rules_schema(vocabulary, around), indent=1, ensure_ascii=False) + "\n"
