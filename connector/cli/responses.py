"""`connector responses`: list and show answers; see what could not be read, and try it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import (
    SHORT_ID,
    as_json,
    check_known,
    counted,
    find_response,
    looking,
    print_fields,
    print_json,
    row_dict,
    utc_now,
)
from connector.cli.tables import cell, print_table
from connector.text import clean_email

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from connector.store.alarms import AlarmKind

_UNREAD = ("quarantined", "held")


@click.group()
def responses() -> None:
    """List and show answers and their fate."""


@responses.command("list")
@click.option("--source", help="Only answers of this source.")
@click.option("--segment", type=click.Choice(["promoter", "passive", "detractor"]))
@click.option("--email", help="Only answers of the person with this address.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@click.pass_context
def list_(
    ctx: click.Context,
    source: str | None,
    segment: str | None,
    email: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """The newest answers first. Every command takes the beginning of an id that is shown here."""
    from connector.store import browsing

    address = clean_email(email)
    if email is not None and address is None:
        raise click.ClickException("--email: this is no e-mail address")
    with looking(ctx) as here, here.store.read() as connection:
        if source not in (None, *here.outline.sources):
            seen = browsing.sources_seen(connection)
            check_known("source", source, [*here.outline.sources, *seen])
        rows = browsing.list_responses(connection, source, segment, limit=limit, email=address)
    if as_json:
        print_json([row_dict(row) for row in rows])
    elif not rows:
        click.echo("There are no such answers.")
    else:
        columns = ("response", "source", "score", "segment", "answered (UTC)", "person", "comment")
        print_table(columns, [_line(row) for row in rows])
    return 0


def _line(row: Any) -> tuple[object, ...]:
    note = "[erased] " if row.erased_at else "[history] " if row.history else ""
    comment = note + cell(row.content.get("comment", ""))[:80]
    person = row.content.get("respondent", {})
    who = person.get("name") or person.get("email")
    return row.id[:SHORT_ID], row.source, row.score, row.segment, row.answered_at, who, comment


@responses.command()
@click.argument("response")
@as_json
@click.pass_context
def show(ctx: click.Context, response: str, as_json: bool) -> int:
    """One answer: its revisions, what the rules said, and every action with its receipt.

    RESPONSE is an id, or the beginning of one.
    """
    with looking(ctx) as here, here.store.read() as connection:
        story = tell(connection, find_response(connection, response))
    if as_json:
        print_json(story)
        return 0
    erased, history = story["erased_at"], story["history"]
    content = story["content"]
    print_fields(
        {
            "response": story["id"],
            "source": story["source"],
            "survey": story["survey"],
            "score": cell(story["score"]),
            "segment": cell(story["segment"]),
            "comment": content.get("comment"),
            "person": ", ".join(str(v) for v in content.get("respondent", {}).values() if v),
            "answered": cell(story["answered_at"]),
            "revision": story["revision"],
            "history": "yes, it makes no action" if history else "no",
            "erased": f"{cell(erased)}: who answered and what they wrote is gone" if erased else "",
            "rules": ", ".join(match["rule_id"] for match in story["matches"]),
        }
    )
    for action in story["actions"]:
        number = f" {action['remote_id']}" if action["remote_id"] else ""
        what = f"action {action['id']}: {action['kind']}{number} in {action['sink']}"
        notes = [f"{what}: {action['state']}", *_notes(action)]
        click.echo("; ".join(notes))
        if action["url"]:
            click.echo(f"  {action['url']}")
    if not erased:
        click.echo(f"Why: connector rules explain {story['id'][:SHORT_ID]}")
    return 0


def _notes(action: dict[str, Any]) -> list[str]:
    notes = ["added to its case"] if action["amends"] else []
    return notes + [cell(text) for text in (action["error"], action["remark"]) if text]


def tell(connection: Connection, response: str) -> dict[str, Any]:
    """The whole story of a response that exists, as plain data."""
    from connector.store import browsing

    story = row_dict(browsing.show_response(connection, response))
    verdict = browsing.latest_verdict(connection, response)
    story["matches"] = verdict.get("matches", [])
    story["revisions"] = [row_dict(r) for r in browsing.revisions_of(connection, response)]
    found = browsing.list_actions(connection, response=response, limit=None)
    story["actions"] = [row_dict(action) for action in found]
    return story


@responses.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@click.pass_context
def unread(ctx: click.Context, limit: int, as_json: bool) -> int:
    """Records that were kept but could not be understood, or whose survey is unknown."""
    from connector.store import browsing

    with looking(ctx) as here, here.store.read() as connection:
        rows = browsing.unread_records(connection, _UNREAD, limit)
    if as_json:
        shown = [{**row_dict(row), "body": row.body.decode("utf-8", "replace")} for row in rows]
        print_json(shown)
    elif not rows:
        click.echo("Everything that came in could be read.")
    else:
        columns = ("record", "source", "door", "state", "received (UTC)", "reason")
        told = [(r.id, r.source, r.door, r.state, r.received_at, r.reason) for r in rows]
        print_table(columns, told)
    return 0


@responses.command()
@click.option("--source", help="Only records of this source.")
@click.pass_context
def replay(ctx: click.Context, source: str | None) -> int:
    """Read quarantined and held records again, after their cause was mended."""
    from connector.store import alarms, arrivals

    def work(connection: Connection) -> int:
        # They are raised again where it is not mended.
        about: tuple[AlarmKind, ...] = ("source-missing", "undecided", "unknown-survey")
        alarms.clear_kinds(connection, about, utc_now(), source)
        return sum(arrivals.reopen_arrivals(connection, state, source) for state in _UNREAD)

    with looking(ctx) as here:
        check_known("source", source, here.outline.sources)
        count = here.store.write(work)
    if count:
        click.echo(f"{counted(count, 'record')} will be read again by `connector run`.")
    else:
        click.echo("There was nothing to read again.")
    return 0
