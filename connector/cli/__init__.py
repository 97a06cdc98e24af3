"""The command line. Commands are loaded when they are called, so that `--version` is quick."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click

from connector import __version__
from connector.cli.lazy import LazyGroup

EXIT_CODES = """\b
Exit codes
  0  done
  1  it failed, or something needs a look (the output says what)
  2  the command line is wrong
  3  a configuration, rules or data file has mistakes (each named with its line)
  4  done in part: some rows or actions were refused
  130  stopped with Ctrl-C, or not confirmed
"""

# Command -> "module:object" and the line that `--help` shows; nothing is imported for it.
_COMMANDS = {
    "init": ("connector.cli.init:init", "Write a first configuration to start from."),
    "check": ("connector.cli.check:check", "Check configuration, rules and templates."),
    "run": ("connector.cli.run:run", "Receive, decide, deliver, follow up; serve pages."),
    "web": ("connector.cli.web:web", "Receive and serve the pages; workers do the rest."),
    "worker": (
        "connector.cli.worker:worker",
        "Poll, decide, deliver, follow up; as many as you like.",
    ),
    "beat": ("connector.cli.beat:beat", "Wake the workers on schedule."),
    "demo": ("connector.cli.demo:demo", "Watch it work against stand-ins of every vendor."),
    "sandbox": ("connector.cli.sandbox:sandbox", "Reopen the stand-ins that a demo kept."),
    "import": ("connector.cli.importing:import_", "Import a file of answers into a source."),
    "poll": ("connector.cli.poll:poll", "Read what is new from a source, now."),
    "customers": ("connector.cli.customers:customers", "Import plan, value and owner by CSV."),
    "responses": ("connector.cli.responses:responses", "List and show answers and their fate."),
    "actions": ("connector.cli.actions:actions", "List, show, retry, resolve, release, pause."),
    "status": ("connector.cli.status:status", "What waits, for whom, and why."),
    "cases": ("connector.cli.cases:cases", "What became of tickets and tasks; who is waiting."),
    "alarms": ("connector.cli.alarms:alarms", "List alarms; end what was looked after."),
    "rules": ("connector.cli.rules:rules", "Check the rules, help your editor, say why."),
    "report": (
        "connector.cli.report:report",
        "NPS, loop, load, lift, coverage; with n.",
    ),
    "bounces": ("connector.cli.bounces:bounces", "Read a mail that came back, from a pipe."),
    "suppressions": (
        "connector.cli.suppressions:suppressions",
        "To whom no mail goes, and why.",
    ),
    "rebuild-readings": (
        "connector.cli.rebuild:rebuild_readings",
        "Make anew what the pages count and search.",
    ),
    "digest": ("connector.cli.digest:digest", "The weekly mail: see it, or send it now."),
    "reconcile": ("connector.cli.reconcile:reconcile", "Compare a sink with what we believe."),
    "recover": ("connector.cli.recover:recover", "After a restored backup: make nothing twice."),
    "users": ("connector.cli.users:users", "Who may look at the pages and act there."),
    "tokens": ("connector.cli.tokens:tokens", "Let programs read the API."),
    "erase": ("connector.cli.erase:erase", "Forget a person or one response."),
    "doctor": ("connector.cli.doctor:doctor", "Reach every system; say what is wrong."),
}


@click.group(
    cls=LazyGroup,
    lazily=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="connector")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="CONNECTOR_CONFIG",
    help="connector.yaml; by default ./connector.yaml or ./config/connector.yaml",
)
@click.option("-v", "--verbose", is_flag=True, help="Log more of what happens.")
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    envvar="CONNECTOR_LOG_FORMAT",
    help="auto: text on a terminal, one JSON object a line elsewhere.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None, verbose: bool, log_format: str) -> None:
    """Closes the NPS loop: answers come in, your rules decide, people get the right task."""
    ctx.obj = {"config": config, "verbose": verbose, "log_format": log_format}


def main(arguments: list[str] | None = None) -> None:
    """The entry of the `connector` command. Known errors become one line and an exit code."""
    # A command that does not set up a log prints its own results; nothing else goes to stderr.
    logging.getLogger("connector").addHandler(logging.NullHandler())
    try:
        result: Any = cli.main(arguments, standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - known ones become a line, others are raised again
        sys.exit(_explain(error))
    sys.exit(result if isinstance(result, int) else 0)


def _explain(error: Exception) -> int:
    """One line per known problem; anything else is a mistake of ours and keeps its traceback."""
    from connector.errors import ConnectorError, Invalid

    if isinstance(error, Invalid):
        from connector.cli.common import print_problems

        print_problems(error.problems, err=True)
        return 3
    if isinstance(error, ConnectorError):
        click.echo(f"Error: {error}", err=True)
        return 1
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {place}{error.strerror}", err=True)
        return 1
    raise error
