"""`connector rules table`: the rules as a decision table, for a terminal, Markdown or HTML."""

from __future__ import annotations

import html
import re
import shutil
from typing import TYPE_CHECKING

import click

from connector.cli.rules.named import SHORT_HASH, named_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connector.rules.decision_table import DecisionTable

_FEW = 4  # values of a list in a terminal; files get them all
_WIDTH_OF_FILES = 160
_LEAST_COLUMN = 10
_MARKDOWN = re.compile(r"[\\`*_\[\]|~]")
_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; }
table { border-collapse: collapse; }
th, td { border: 1px solid #bbb; padding: .3rem .5rem; text-align: left; vertical-align: top; }
th { background: #eee; position: sticky; top: 0; }
td:nth-child(2) { font-weight: 600; }
"""


@click.command()
@click.argument("named", required=False, metavar="[FILE|HASH|active]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "html"]),
    default="text",
    help="html is one page that needs nothing else.",
)
@click.pass_context
def table(ctx: click.Context, named: str | None, form: str) -> int:
    """One row for each rule in the order in which they are read, one column for each field.

    Of the configured rules, of FILE, or of a ruleset that the store keeps.
    """
    from connector.errors import Invalid
    from connector.rules.decision_table import decision_table
    from connector.rules.load import load

    called, place = named_rules(ctx, named)
    loaded = load(place.text, place.settings.vocabulary())
    if loaded.ruleset is None:
        raise Invalid([p.model_copy(update={"file": place.shown[p.file]}) for p in loaded.problems])
    found = decision_table(loaded.ruleset, *([_FEW] if form == "text" else []))
    if form == "text":
        _print(found)
    else:
        write = _markdown if form == "markdown" else _html
        click.echo(write(found, f"{called}, {place.text.hash[:SHORT_HASH]}"))
    return 0


def _print(found: DecisionTable) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = shutil.get_terminal_size((_WIDTH_OF_FILES, 24)).columns
    shown = Table(box=box.SIMPLE, show_lines=True, pad_edge=False)
    room = {"rule": 20, "actions": 28} if width >= _WIDTH_OF_FILES else {}
    for column in found.columns:
        shown.add_column(Text(column), overflow="fold", min_width=room.get(column))
    for row in found.rows:
        shown.add_row(*(Text("\n".join(cell)) for cell in row))
    Console(width=width, highlight=False).print(shown)
    if found.legend:
        click.echo(found.legend)
    if width < _LEAST_COLUMN * len(found.columns):
        click.echo("The terminal is narrow for it: --format html", err=True)


def _markdown(found: DecisionTable, title: str) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    lines = [
        f"**{_in_markdown(title)}**",
        "",
        line([*map(_in_markdown, found.columns)]),
        line(["---"] * len(found.columns)),
        *(line(["<br>".join(map(_in_markdown, cell)) for cell in row]) for row in found.rows),
    ]
    return "\n".join([*lines, *(["", _in_markdown(found.legend)] if found.legend else [])])


def _in_markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", html.escape(text, quote=False))


def _html(found: DecisionTable, title: str) -> str:
    def row(tag: str, cells: Sequence[str]) -> str:
        return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in cells)}</tr>"

    escape: Callable[[str], str] = html.escape
    head = row("th", [*map(escape, found.columns)])
    body = "\n".join(
        row("td", ["<br>".join(map(escape, cell)) for cell in one]) for one in found.rows
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<table>
<thead>{head}</thead>
<tbody>
{body}
</tbody>
</table>
<p>{escape(found.legend)}</p>
</body>
</html>"""
