"""`connector rules explain`: what the rules say about one answer, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from connector.cli.common import (
    as_json,
    find_response,
    load_settings,
    print_json,
    print_problems,
    readonly_store,
    row_dict,
)
from connector.cli.rules.asking import asked_for, owner_of, print_asks, print_made, print_owner
from connector.cli.tables import cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from connector.rules.explain import Changed, GroupReport, RuleReport
    from connector.rules.model import Ruleset, Vocabulary

_GONE = "it names sinks, surveys or fields that no longer exist"


class _Kept(NamedTuple):
    """A ruleset of the store; `ruleset` is None where it cannot be loaded any more."""

    hash: str
    since: datetime | None
    ruleset: Ruleset | None


@click.command()
@click.argument("response", required=False)
@click.option("--given", metavar="JSON", help="An answer as in `given` of an example.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="The same from a file of JSON or YAML; - reads standard input.",
)
@as_json
@click.pass_context
def explain(
    ctx: click.Context, response: str | None, given: str | None, file: Path | None, as_json: bool
) -> int:
    """Say for every rule whether it fires, and which condition decides.

    RESPONSE is an id, or the beginning of one: as decided then, recomputed from the facts that were
    kept with the decision, and as today's rules would decide. With --given or --file it is an
    answer that you write down, and the rules are those of the files.
    """
    if sum(one is not None for one in (response, given, file)) != 1:
        raise click.UsageError("say one of: RESPONSE, --given, --file")
    if response is not None:
        return _explain_response(ctx, response, as_json)
    if file is not None:
        with click.open_file(str(file), encoding="utf-8", errors="replace") as opened:
            given = opened.read()
    return _explain_given(ctx, given or "", str(file or "--given"), as_json)


def _explain_given(ctx: click.Context, text: str, name: str, as_json: bool) -> int:
    from connector.cli.rules.surroundings import installation
    from connector.rules.examples import read_given
    from connector.rules.explain import explain as explain_rules
    from connector.rules.load import load

    place = installation(ctx, None)
    vocabulary = place.settings.vocabulary()
    facts = read_given(text, name, vocabulary)
    loaded = load(place.text, vocabulary)
    if loaded.ruleset is None:
        wrong = [problem for problem in loaded.problems if problem.severity == "error"]
        shown = [p.model_copy(update={"file": place.shown.get(p.file, p.file)}) for p in wrong]
        print_problems(shown, err=True)
        return 3
    reports = explain_rules(loaded.ruleset, facts)
    asks = asked_for(loaded.ruleset, facts, datetime.now(UTC))
    owner = owner_of(loaded.ruleset, facts)
    if as_json:
        print_json(
            {
                "ruleset": loaded.ruleset.hash,
                "facts": facts.model_dump(mode="json"),
                "rules": [report.model_dump(mode="json") for report in reports],
                "owner": owner,
                "asks": asks,
            }
        )
        return 0
    segment = f", {facts.segment}" if facts.segment else ""
    click.echo(
        f"Survey {facts.survey}, score {cell(facts.score)}{segment}; rules as in "
        f"{place.shown['rules.yaml']} (ruleset {loaded.ruleset.hash[:12]})"
    )
    _print_rules(reports)
    print_owner(owner)
    print_asks(asks)
    return 0


def _explain_response(ctx: click.Context, response: str, as_json: bool) -> int:
    from connector.domain import Facts
    from connector.rules.explain import changed
    from connector.rules.explain import explain as explain_rules
    from connector.store import answers, browsing

    settings = load_settings(ctx, secrets=False)
    with readonly_store(settings.store) as store, store.read() as connection:
        response = find_response(connection, response)
        kept = answers.decisions_of(connection, response)
        if not kept:
            raise click.ClickException(f"nothing was decided about '{response}' yet")
        decision = kept[-1]
        if not decision.facts:
            raise click.ClickException("the facts of this response were erased")
        vocabulary = settings.vocabulary()
        then = _kept(connection, decision.ruleset, vocabulary, decision.decided_at)
        today = then
        active = answers.active_ruleset(connection)
        if active not in (None, then.hash):
            today = _kept(connection, str(active), vocabulary, datetime.now(UTC))
        made = browsing.list_actions(connection, response=response, limit=None)
        late = None
        if decision.late_answer:
            late = browsing.show_response(connection, decision.late_answer)
    facts = Facts.model_validate(decision.facts)
    was, now = (
        explain_rules(one.ruleset, facts) if one.ruleset is not None else None
        for one in (then, today)
    )
    if was is None and now is None:
        raise click.ClickException(f"the ruleset of that day cannot be loaded: {_GONE}")
    differs = changed(was, now) if was is not None and now is not None else []
    asks = None
    if today.ruleset is not None:
        asks = asked_for(today.ruleset, facts, decision.decided_at)
    owner, owner_today = (owner_of(one.ruleset, facts) for one in (then, today))
    if as_json:
        print_json(
            {
                "response": response,
                "decision": decision.number,
                "decided_at": decision.decided_at,
                "ruleset": decision.ruleset,
                "active_since": then.since,
                "history": decision.history,
                "late_answer": decision.late_answer,
                "rules": _plain(was),
                "owner": owner,
                "actions": [row_dict(row) for row in made],
                "today": {
                    "ruleset": today.hash,
                    "active_since": today.since,
                    "rules": _plain(now),
                    "changed": [one.model_dump() for one in differs],
                    "owner": owner_today,
                    "asks": asks,
                },
            }
        )
        return 0
    click.echo(
        f"Decision {decision.number} of {decision.decided_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"revision {facts.revision}, {_named(then)}"
    )
    if decision.late_answer:
        click.echo(_why_again(decision.late_answer, late))
    if was is None:
        click.echo(f"That ruleset cannot be loaded any more: {_GONE}.")
    else:
        _print_rules(was)
    print_owner(owner)
    print_made(made)
    if decision.history:
        click.echo("Decided as history: no action was made, whatever the rules say.")
    _print_today(then, today, now, differs)
    if today.hash != then.hash and now is not None:
        print_owner(owner_today)
        print_asks(asks or [])
    return 0


def _why_again(late_answer: str, row: Any) -> str:
    given = row.answered_at if row is not None and row.erased_at is None else None
    when = f", given {given:%Y-%m-%d %H:%M} UTC" if given else ""
    return (
        f"Decided again because of a late answer: {late_answer}{when}, came in, or was revised, "
        "after this one was decided. A case may follow, a message to the customer does not."
    )


def _kept(connection: Connection, identity: str, vocabulary: Vocabulary, moment: datetime) -> _Kept:
    from connector.rules.load import load
    from connector.rules.model import RulesetText
    from connector.store import activations, answers

    text = RulesetText(files=answers.ruleset_files(connection, identity) or {})
    since = activations.active_since(connection, identity, moment)
    return _Kept(identity, since, load(text, vocabulary).ruleset)


def _plain(reports: Sequence[RuleReport] | None) -> list[dict[str, Any]] | None:
    return None if reports is None else [report.model_dump(mode="json") for report in reports]


def _named(kept: _Kept) -> str:
    since = f" (active since {kept.since:%Y-%m-%d %H:%M} UTC)" if kept.since else ""
    return f"ruleset {kept.hash[:12]}{since}"


def _print_today(
    then: _Kept,
    today: _Kept,
    reports: Sequence[RuleReport] | None,
    differs: Sequence[Changed],
) -> None:
    if today.hash == then.hash:
        click.echo("Today's rules are the same.")
        return
    click.echo(f"\nWith what was known then, today's rules, {_named(today)}:")
    if reports is None:
        click.echo(f"They cannot be loaded: {_GONE}; connector check says more.")
        return
    if not differs and then.ruleset is not None:
        click.echo("The same rules fire.")
    marked = {one.rule_id: one for one in differs}
    shown = reports if then.ruleset is None else [r for r in reports if r.rule_id in marked]
    for report in shown:
        _print_rule(report, _mark(marked.get(report.rule_id)))
    gone = [one.rule_id for one in differs if one.today is None]
    if gone:
        click.echo(f"! fired then and is gone: {', '.join(gone)}")


def _mark(differing: Changed | None) -> str:
    if differing is None:
        return ""
    if differing.then is None:
        return "! new: "
    return "! fires now: " if differing.today else "! fired then: "


def _print_rules(reports: Sequence[RuleReport]) -> None:
    for report in reports:
        _print_rule(report)
    if not any(report.fired and report.status == "live" for report in reports):
        click.echo("No live rule fired, so the default did.")


def _print_rule(report: RuleReport, mark: str = "") -> None:
    status = "" if report.status == "live" else f" ({report.status})"
    note = f": {report.note}" if report.note else ""
    click.echo(f"{mark}{'fired ' if report.fired else 'no    '} {report.rule_id}{status}{note}")
    _print_members(report.when, " " * 7)


def _print_members(group: GroupReport, margin: str) -> None:
    from connector.rules.explain import GroupReport

    for member in group.members:
        sign = "+" if member.held else "-"
        if isinstance(member, GroupReport):
            click.echo(f"{margin}{sign} {member.word} of these:")
            _print_members(member, margin + "    ")
        else:
            click.echo(f"{margin}{sign} {member}")
