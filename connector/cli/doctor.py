"""`connector doctor`: reach each configured system read-only and say how to mend what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector.cli.common import as_json, print_json, utc_now, workspace

if TYPE_CHECKING:
    from connector.domain import Finding
    from connector.workspace import Workspace


@click.command()
@as_json
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> int:
    """Check database, rules, every source and every sink. Nothing is written anywhere."""
    with workspace(ctx) as opened:
        findings = examine(opened)
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'BAD '} {finding.subject}: {finding.message}")
            if finding.cure:
                click.echo(f"     -> {finding.cure}")
    return 0 if all(finding.ok for finding in findings) else 1


def examine(opened: Workspace) -> list[Finding]:
    """All findings: the store first, then sources, sinks and open alarms."""
    from connector.domain import Finding
    from connector.errors import ConnectorError
    from connector.ports import Pollable
    from connector.store import alarms

    backend = "SQLite" if opened.store.is_sqlite else "PostgreSQL"
    findings = [Finding(ok=True, subject="store", message=f"{backend}, schema up to date")]
    now = utc_now()
    for id in opened.settings.sources:
        source = opened.new_source(id)
        if not isinstance(source, Pollable):
            findings.append(Finding(ok=True, subject=id, message="takes webhooks or files only"))
            continue
        try:
            findings += _named(id, source.check(now))
        except ConnectorError as error:
            findings.append(Finding(ok=False, subject=id, message=str(error)))
    for id in opened.settings.sinks:
        try:
            findings += _named(id, opened.new_sink(id).check(now))
        except ConnectorError as error:
            findings.append(Finding(ok=False, subject=id, message=str(error)))
    with opened.store.read() as connection:
        for alarm in alarms.open_alarms(connection):
            findings.append(Finding(ok=False, subject=f"alarm {alarm.kind}", message=alarm.message))
    return findings


def _named(id: str, findings: object) -> list[Finding]:
    from connector.domain import Finding

    found = findings if isinstance(findings, list | tuple) else []
    return [
        Finding(ok=f.ok, subject=f"{id} {f.subject}", message=f.message, cure=f.cure) for f in found
    ]
