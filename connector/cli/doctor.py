"""`connector doctor`: reach each configured system read-only and say how to mend what is wrong."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

import click

from connector.cli.common import (
    as_json,
    config_path,
    counted,
    existing_store,
    load_settings,
    print_json,
    sqlite_path,
    utc_now,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from connector.config import Settings
    from connector.domain import Finding
    from connector.ports import Sink
    from connector.rules.lint.names import Named
    from connector.rules.model import Ruleset

# What to do about an alarm; {id} is its subject without the word "action", {alarm} its own number.
CURES = {
    "alarm-channel": "see alarms: in connector.yaml; the app has to be a member of the channel",
    "engine": "the log says more; if it comes back, report it",
    "erased": "delete it there by hand; then: connector alarms end {alarm}",
    "in_doubt": "look whether it arrived (connector actions show {id}); it is not sent again",
    "coverage": "connector report coverage --last 24h",
    "untouched": "connector cases list --untouched --overdue",
    "unfollowed": "connector doctor reaches the far side; mend what it names",
    "parked": "see connector actions show {id}; once mended: connector actions retry {id}",
    "quota": "buy more calls, or find who else uses them; what comes after the last one waits",
    "recovering": "release or resolve what is held; then: connector recover --done",
    "remark": "see connector actions show {id}; once completed: connector alarms end {alarm}",
    "rules": "connector rules check; once mended, `connector run` takes the file up by itself",
    "silent": "look whether the survey still runs, and its webhook still comes here",
    "sink-failing": "what is found above about this sink says why; it is tried again by itself",
    "sink-missing": "add the sink to connector.yaml again, and start `connector run` again",
    "sink-paused": "mend what is found above about this sink; then it goes on by itself",
    "source-missing": "add it to connector.yaml again; then: connector responses replay",
    "source-paused": "mend what is found above about this source; then it goes on by itself",
    "surge": "connector actions list --state held; then: connector actions release {id}",
    "undecided": "connector responses unread; once mended: connector responses replay",
    "unknown-survey": "add it under surveys: of this source; then: connector responses replay",
    "unrendered": "correct the text in rules.yaml or templates/; `connector run` takes it up",
}


@click.command()
@as_json
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> int:
    """Check database, rules, every source and every sink. Nothing is written anywhere."""
    findings: list[Finding] = []
    for finding in examine(load_settings(ctx), str(config_path(ctx))):
        findings.append(finding)
        if not as_json:
            click.echo(f"{'ok  ' if finding.ok else 'BAD '} {finding.subject}: {finding.message}")
            if finding.cure:
                click.echo(f"     -> {finding.cure}")
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    return 0 if all(finding.ok for finding in findings) else 1


def examine(settings: Settings, file: str) -> Iterator[Finding]:
    """Store, rules, sources, sinks, open alarms; one that is broken does not hide the others."""
    from connector import catalog
    from connector.cli.reaching import Reaching, judged
    from connector.domain import Finding
    from connector.ports import Pollable

    store, raised = _store(settings)
    yield store
    ruleset, finding = _rules(settings, file)
    yield finding
    now = utc_now()
    for id, chosen in settings.sources.items():
        session = Reaching(chosen.base_url)
        source = catalog.source_type(chosen.type)(chosen, session)
        if isinstance(source, Pollable):
            yield from judged(id, session, functools.partial(source.check, now))
        else:
            yield Finding(ok=True, subject=id, message="takes webhooks or files only")
    for id, chosen in settings.sinks.items():
        session = Reaching(chosen.base_url)
        sink = catalog.sink_type(chosen.type)(chosen, session)
        found = judged(id, session, functools.partial(sink.check, now))
        yield from found
        if ruleset is not None and all(one.ok for one in found):
            ask = functools.partial(_unknown_names, ruleset, id, sink, now)
            yield from judged(id, session, ask)
    yield from raised


def _store(settings: Settings) -> tuple[Finding, list[Finding]]:
    """What is to say about the database, and the alarms that are open in it."""
    from connector.domain import Finding
    from connector.store import alarms

    path = sqlite_path(settings.store)
    if path is not None and not path.exists():
        return _no_database(path), []
    try:
        with existing_store(settings.store) as store, store.read() as connection:
            rows = alarms.open_alarms(connection)
    except (click.ClickException, OSError) as error:
        said, _, cure = str(error).partition("; ")
        return Finding(ok=False, subject="store", message=said, cure=cure), []
    backend = "PostgreSQL" if path is None else f"SQLite, {path}"
    return Finding(ok=True, subject="store", message=f"{backend}, tables up to date"), [
        Finding(ok=False, subject=f"alarm {row.kind}", message=row.message, cure=_cure(row))
        for row in rows
    ]


def _no_database(path: Path) -> Finding:
    from connector.domain import Finding

    place = next(parent for parent in path.parents if parent.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        message = f"no database yet at {path}, and {place} cannot be written"
        cure = "give the user of the connector the right to write there, or change store:"
        return Finding(ok=False, subject="store", message=message, cure=cure)
    message = f"no database yet at {path}; `connector run` makes it"
    return Finding(ok=True, subject="store", message=message)


def _cure(alarm: Any) -> str:
    return CURES.get(alarm.kind, "").format(
        id=alarm.subject.removeprefix("action "), alarm=alarm.id
    )


def _rules(settings: Settings, file: str) -> tuple[Ruleset | None, Finding]:
    from connector.domain import Finding
    from connector.rules.files import read_directory
    from connector.rules.load import load

    loaded = load(read_directory(settings.rules, settings.templates), settings.vocabulary())
    if loaded.ruleset is None:
        wrong = counted(sum(p.severity == "error" for p in loaded.problems), "mistake")
        message, cure = f"{wrong} in {settings.rules}", f"connector --config {file} check"
        return None, Finding(ok=False, subject="rules", message=message, cure=cure)
    told = counted(len(loaded.ruleset.rules), "rule")
    return loaded.ruleset, Finding(ok=True, subject="rules", message=f"{told}, without a mistake")


def _unknown_names(ruleset: Ruleset, id: str, sink: Sink, now: datetime) -> Sequence[Finding]:
    """Groups and the like that rules name and the far side does not have."""
    from connector.domain import Finding
    from connector.ports import Naming
    from connector.rules.lint.names import named_in

    if not isinstance(sink, Naming):
        return []
    named: dict[tuple[str, str], list[Named]] = {}
    for one in named_in(ruleset):
        if one.sink == id and one.field in sink.named:
            named.setdefault((one.field, one.value), []).append(one)
    known = {field: sink.known(field, now) for field in sorted({field for field, _ in named})}
    return [
        Finding(
            ok=False,
            subject=f"{field} {value}",
            message=f"does not exist there; named by {', '.join(_rule_ids(ones))}",
            cure=f"create it, or write one of these into rules.yaml: {', '.join(known[field])}",
        )
        for (field, value), ones in named.items()
        if ones[0].unknown(known[field])
    ]


def _rule_ids(named: Sequence[Named]) -> list[str]:
    return list(dict.fromkeys(one.rule.id for one in named))
