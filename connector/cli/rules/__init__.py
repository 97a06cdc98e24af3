"""`connector rules`: one module for each question that one can ask the rules."""

from __future__ import annotations

import click

from connector.cli.lazy import LazyGroup

_COMMANDS = {
    "check": ("connector.cli.rules.check:check", "Check rules and templates; try the examples."),
    "table": ("connector.cli.rules.table:table", "Print them as a decision table for reviewers."),
    "diff": ("connector.cli.rules.diff:diff", "Say in words what differs between two rulesets."),
    "activate": ("connector.cli.rules.activate:activate", "Make a ruleset the one that decides."),
    "history": ("connector.cli.rules.history:history", "List which ruleset decided, and when."),
    "show": ("connector.cli.rules.show:show", "Print the text of the active ruleset, or another."),
    "explain": ("connector.cli.rules.explain:explain", "Say why each rule fired for an answer."),
    "try": ("connector.cli.rules.trying:try_", "Replay past answers under changed rules."),
    "report": (
        "connector.cli.rules.report:report",
        "Say what rules do, and what each shadow would.",
    ),
    "schema": ("connector.cli.rules.schema:schema", "Write the JSON Schema for your editor."),
}


@click.group(cls=LazyGroup, lazily=_COMMANDS)
def rules() -> None:
    """Check, try on the past, review, activate; help your editor, explain a decision."""
