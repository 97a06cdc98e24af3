"""`connector users`: who may look at the pages, and what they may do there."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.common import as_json, looking, print_json, row_dict, utc_now
from connector.cli.tables import print_table
from connector.domain import ROLES

if TYPE_CHECKING:
    from connector.domain import Role

_role = click.option("--role", type=click.Choice(ROLES), required=True, help="What they may do.")
_password_file = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Take the password from the first line of this file, - for standard input.",
)


@click.group()
def users() -> None:
    """Who may look at the pages: viewer, operator or admin."""


@users.command()
@click.argument("name")
@_role
@_password_file
@click.pass_context
def add(ctx: click.Context, name: str, role: Role, password_file: Path | None) -> None:
    """Let NAME sign in. Asks for the password; it is never taken from the command line.

    viewer: read. operator: also retry, resolve, release, try rules. admin: also pause and resume
    accounts.
    """
    from connector.access import people

    with looking(ctx) as here:
        password = _password(password_file)
        people.add_user(here.store, name, password, role, getpass.getuser(), utc_now())
    click.echo(f"{name} can sign in as {role}.")


@users.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """Who there is."""
    from connector.store import users as stored

    with looking(ctx) as here, here.store.read() as connection:
        rows = stored.list_users(connection)
    if as_json:
        print_json([row_dict(row) for row in rows])
    elif rows:
        columns = ("name", "role", "may sign in", "added (UTC)", "last signed in (UTC)")
        told = [
            (r.name, r.role, "no" if r.disabled else "yes", r.created_at, r.signed_in_at)
            for r in rows
        ]
        print_table(columns, told)
    else:
        click.echo("There is no user yet; make one with: connector users add NAME --role admin")


@users.command()
@click.argument("name")
@_role
@click.pass_context
def role(ctx: click.Context, name: str, role: Role) -> None:
    """Change what NAME may do."""
    from connector.access import people

    with looking(ctx) as here:
        people.set_role(here.store, name, role, getpass.getuser(), utc_now())
    click.echo(f"{name} is {role} now.")


@users.command()
@click.argument("name")
@_password_file
@click.pass_context
def password(ctx: click.Context, name: str, password_file: Path | None) -> None:
    """Give NAME a new password; they are signed out everywhere."""
    from connector.access import people

    with looking(ctx) as here:
        told = _password(password_file)
        people.set_password(here.store, name, told, getpass.getuser(), utc_now())
    click.echo(f"{name} has a new password and is signed out everywhere.")


@users.command()
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let them come in again.")
@click.pass_context
def disable(ctx: click.Context, name: str, undo: bool) -> None:
    """Sign NAME out everywhere, and let them in no more."""
    from connector.access import people

    with looking(ctx) as here:
        people.disable(here.store, name, getpass.getuser(), utc_now(), disabled=not undo)
    click.echo(f"{name} can sign in again." if undo else f"{name} cannot sign in any more.")


def _password(file: Path | None) -> str:
    """From a prompt, or the first line of a file or of standard input."""
    if file is None and sys.stdin.isatty():
        told: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return told
    if file is None or str(file) == "-":
        return sys.stdin.readline().rstrip("\r\n")
    with file.open(encoding="utf-8") as lines:
        return lines.readline().rstrip("\r\n")
