"""`connector responses`: list and show answers; see what could not be read, and try it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import (
    as_json,
    cell,
    print_fields,
    print_json,
    print_table,
    row_dict,
    workspace,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection


@click.group()
def responses() -> None:
    """List and show answers and their fate."""


@responses.command("list")
@click.option("--source")
@click.option("--segment", type=click.Choice(["promoter", "passive", "detractor"]))
@click.option("--limit", default=50, show_default=True)
@as_json
@click.pass_context
def list_(
    ctx: click.Context, source: str | None, segment: str | None, limit: int, as_json: bool
) -> int:
    """The newest answers first."""
    from connector.store import browsing

    with workspace(ctx, secrets=False) as opened, opened.store.read() as connection:
        rows = browsing.list_responses(connection, source, segment, limit=limit)
    if as_json:
        print_json([row_dict(row) for row in rows])
        return 0
    columns = ("response", "source", "score", "segment", "rev", "answered (UTC)", "", "comment")
    print_table(columns, [_line(row) for row in rows])
    return 0


def _line(row: Any) -> tuple[object, ...]:
    note = "erased" if row.erased_at else "history" if row.history else ""
    comment = cell(row.content.get("comment", ""))[:60]
    segment = row.segment or "-"
    return row.id, row.source, row.score, segment, row.revision, row.answered_at, note, comment


@responses.command()
@click.argument("response")
@as_json
@click.pass_context
def show(ctx: click.Context, response: str, as_json: bool) -> int:
    """One answer: its revisions, what the rules said, and every action with its receipt."""
    with workspace(ctx, secrets=False) as opened, opened.store.read() as connection:
        story = tell(connection, response)
    if story is None:
        raise click.ClickException(
            f"there is no response '{response}'; find ids with: connector responses list"
        )
    if as_json:
        print_json(story)
        return 0
    content = story["content"]
    print_fields(
        {
            "response": story["id"],
            "source": story["source"],
            "survey": story["survey"],
            "score": story["score"],
            "segment": story["segment"],
            "comment": content.get("comment", ""),
            "person": ", ".join(str(v) for v in content.get("respondent", {}).values() if v),
            "answered": story["answered_at"],
            "revision": story["revision"],
            "history": "yes, makes no action" if story["history"] else "no",
            "rules": ", ".join(match["rule_id"] for match in story["matches"]),
        }
    )
    columns = ("action", "kind", "sink", "state", "remote id", "link", "note")
    print_table(
        columns,
        [
            (a["id"], a["kind"], a["sink"], a["state"], a["remote_id"], a["url"], _note(a))
            for a in story["actions"]
        ],
    )
    click.echo(f"Why: connector rules explain {response}")
    return 0


def _note(action: dict[str, Any]) -> str:
    amendment = "amendment; " if action["amends"] else ""
    return amendment + (action["error"] or action["remark"] or "")


def tell(connection: Connection, response: str) -> dict[str, Any] | None:
    """The whole story of a response as plain data, or None."""
    from connector.store import browsing

    row = browsing.show_response(connection, response)
    if row is None:
        return None
    story = row_dict(row)
    verdict = browsing.latest_verdict(connection, response)
    story["matches"] = verdict.get("matches", [])
    story["revisions"] = [row_dict(r) for r in browsing.revisions_of(connection, response)]
    found = browsing.list_actions(connection, response=response, limit=None)
    story["actions"] = [row_dict(action) for action in found]
    return story


@responses.command()
@click.option("--limit", default=50, show_default=True)
@as_json
@click.pass_context
def unread(ctx: click.Context, limit: int, as_json: bool) -> int:
    """Records that were kept but could not be understood, or whose survey is unknown."""
    from connector.store import browsing

    with workspace(ctx, secrets=False) as opened, opened.store.read() as connection:
        rows = browsing.unread_records(connection, ("quarantined", "held"), limit)
    if as_json:
        shown = [{**row_dict(row), "body": row.body.decode("utf-8", "replace")} for row in rows]
        print_json(shown)
        return 0
    columns = ("record", "source", "door", "state", "received (UTC)", "reason")
    print_table(columns, [(r.id, r.source, r.door, r.state, r.received_at, r.reason) for r in rows])
    return 0


@responses.command()
@click.option("--source", help="Only records of this source.")
@click.pass_context
def replay(ctx: click.Context, source: str | None) -> int:
    """Read quarantined and held records again, after their cause was mended."""
    from connector.store import arrivals

    def work(connection: Connection) -> int:
        states = ("quarantined", "held")
        return sum(arrivals.reopen_arrivals(connection, state, source) for state in states)

    with workspace(ctx, secrets=False) as opened:
        count = opened.store.write(work)
    click.echo(f"{count} records will be read again by `connector run` (or: run --once).")
    return 0
