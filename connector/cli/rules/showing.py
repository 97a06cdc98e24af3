"""What `connector rules try` found: as data, as tables for people, and as a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from connector.cli.common import SHORT_ID, counted
from connector.cli.spreadsheet import write_csv
from connector.cli.tables import cell, print_table
from connector.rules.model import DEFAULT_ID, Ruleset
from connector.rules.tally import MATCHED, Difference, Tally, by_day, days_between, load
from connector.text import describe_duration

if TYPE_CHECKING:
    from datetime import date

    from connector.replaying import Question, Replayed

_SIDES = ("active", "candidate")
_SHOWN = {"active": "active", "candidate": "try"}
_ALL = "all teams"
_FEW = 8  # names in a line
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SIGNS = {"appears": "+", "disappears": "-", "moves": "~"}
_LIMITS = (
    "Agents might have closed cases earlier or later, and customers answered otherwise.",
    "Texts are not filled in: a mail that would be parked for a missing value counts as sent.",
    "Floods are not held back, and nobody is asked whether an address is unsubscribed.",
    "Pools begin with their first member: where their turns stood at that time is not known.",
)


def told(
    question: Question,
    replayed: Replayed,
    capacities: Mapping[str, int],
    active_since: datetime | None,
) -> dict[str, Any]:
    """Everything that was found, as plain data."""
    tally, span = replayed.tally, replayed.span
    days = days_between(span.begins, span.ends, question.zone) if span else []
    after = replayed.closes_after
    return {
        "since": question.window.since,
        "until": question.window.until,
        "survey": question.survey,
        "zone": str(question.zone),
        "active": {"ruleset": question.active.hash, "active_since": active_since},
        "candidate": {"ruleset": question.candidate.hash},
        "answers": tally.answers,
        "decisions": tally.decisions,
        "history": tally.history,
        "history_acts": question.window.as_news,
        "erased": span.erased if span else 0,
        "closes_after_seconds": None if after is None else after.total_seconds(),
        "cannot_know": [_assumed(replayed), *_LIMITS],
        "rules": list(_rules(tally, question.active, question.candidate)),
        "changes": changes_of(tally),
        "differences": [one._asdict() for one in tally.differences],
        "days": len(days),
        "teams": list(_teams(tally, days, capacities)),
    }


def _assumed(replayed: Replayed) -> str:
    usual = "stays open to the end"
    if replayed.closes_after is not None:
        usual = f"is taken to be open for {describe_duration(replayed.closes_after)}"
    return f"A case that was really made ends when it really ended; one that never was {usual}."


def _rules(tally: Tally, active: Ruleset, candidate: Ruleset) -> Iterator[dict[str, Any]]:
    """In the order of the candidate's file; what only the active one has comes behind."""
    ids = [rule.id for ruleset in (candidate, active) for rule in ruleset.rules]
    order = {id: number for number, id in enumerate(dict.fromkeys([*ids, DEFAULT_ID]))}
    keys = sorted(tally.rules, key=lambda key: (order[key[0]], key[1] != MATCHED, key[1]))
    for rule, what in keys:
        here, there = tally.rules[rule, what]
        yield {"rule": rule, "what": what, "active": here, "candidate": there}


def _teams(
    tally: Tally, days: Sequence[date], capacities: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """All together first. A team that has a capacity is shown although it gets nothing."""
    teams = sorted({team for team, _ in tally.cases} | {team for team in capacities if team})
    for shown, wanted in [(_ALL, teams), *((team, [team]) for team in teams)]:
        capacity = capacities.get("" if shown == _ALL else shown)
        told: dict[str, Any] = {"team": shown}
        for side, name in enumerate(_SIDES):
            counts = by_day(tally.cases, side, wanted)
            each = {day.isoformat(): counts.get(day, 0) for day in days}
            told[name] = {**load(counts, days, capacity)._asdict(), "by_day": each}
        yield told


def write_table(file: TextIO, differences: Sequence[Difference]) -> None:
    """One row for each, for a spreadsheet."""
    rows = ([_plain(value) for value in one] for one in differences)
    write_csv(file, Difference._fields, rows)


def _plain(value: object) -> object:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value


def show(found: Mapping[str, Any], file: str) -> None:
    """The same for people."""
    _show_head(found, file)
    if not found["answers"]:
        return
    _show_rules(found["rules"])
    show_changes(found["changes"], found["differences"], "--limit, or all with --csv FILE")
    if any(team["active"]["total"] or team["candidate"]["total"] for team in found["teams"]):
        _show_load(found)
    click.echo("\nWhat a replay cannot know:")
    for sentence in found["cannot_know"]:
        click.echo(f"  {sentence}")


def _show_head(found: Mapping[str, Any], file: str) -> None:
    active = found["active"]
    since = f", active since {cell(active['active_since'])} UTC" if active["active_since"] else ""
    click.echo(
        f"{file} (ruleset {found['candidate']['ruleset'][:12]}) beside the active ruleset "
        f"{active['ruleset'][:12]}{since}."
    )
    about = f" to {found['survey']}" if found["survey"] else ""
    click.echo(
        f"{cell(found['since'])} to {cell(found['until'])} UTC: "
        f"{counted(found['answers'], 'answer')}{about}, "
        f"{counted(found['decisions'], 'decision')}. Nothing is made or sent."
    )
    show_left_out(found, "; --as-news acts on them too")


def show_left_out(found: Mapping[str, Any], more: str = "") -> None:
    """Answers for which nothing is made, and decisions that nobody can look at any more."""
    if found["history"]:
        many = counted(found["history"], "answer was", "answers were")
        click.echo(f"{many} history, for which nothing is made{more}.")
    if found["erased"]:
        click.echo(f"{counted(found['erased'], 'decision')} left out: the person was erased.")


def changes_of(tally: Tally) -> list[dict[str, Any]]:
    """How many effects of each kind appear, disappear, move."""
    return [
        {"change": change, "kind": kind, "count": count}
        for (change, kind), count in sorted(tally.changes.items())
    ]


def _show_rules(rules: Sequence[Mapping[str, Any]]) -> None:
    """Those with other numbers; the rest is told by name."""
    changed = {one["rule"] for one in rules if one["active"] != one["candidate"]}
    same = list(dict.fromkeys(one["rule"] for one in rules if one["rule"] not in changed))
    if changed:
        click.echo()
        lines = [_line(one) for one in rules if one["rule"] in changed]
        print_table(("rule", "what", "active", "try", "change"), lines)
    if same:
        few = ", ".join(same[:_FEW]) + (", …" if len(same) > _FEW else "")
        click.echo(f"\nThe same numbers: {few} ({len(same)} of all rules that matched).")


def _line(one: Mapping[str, Any]) -> tuple[object, ...]:
    change = one["candidate"] - one["active"]
    difference = f"{change:+,}" if change else "="
    return one["rule"], one["what"], one["active"], one["candidate"], difference


def show_changes(
    changes: Sequence[Mapping[str, Any]], differences: Sequence[Mapping[str, Any]], more: str
) -> None:
    """How many effects change, and the newest of them; `more` says how to see the others."""
    if not changes:
        click.echo("\nNo ticket, task, mail or alert changes.")
        return
    told = ", ".join(f"{one['count']:,} {one['kind']} {_verb(one)}" for one in changes)
    click.echo(f"\n{told}.")
    if not differences:
        return
    columns = ("", "what", "by", "person", "company", "score", "response", "words")
    print_table(columns, [_difference(one) for one in differences], fold=False)
    hidden = sum(one["count"] for one in changes) - len(differences)
    if hidden:
        click.echo(f"and {hidden:,} more: {more}")


def _verb(change: Mapping[str, Any]) -> str:
    word: str = change["change"]
    return word if change["count"] == 1 else word.removesuffix("s")


def _difference(one: Mapping[str, Any]) -> tuple[object, ...]:
    by = " -> ".join(filter(None, (one["was"], one["becomes"]))) + (
        one["why"] and f": {one['why']}"
    )
    person = (one["name"] or "-", one["company"] or "-", cell(one["score"]))
    sign = _SIGNS[one["change"]]
    return (sign, one["kind"], by, *person, one["response"][:SHORT_ID], one["words"] or "-")


def _show_load(found: Mapping[str, Any]) -> None:
    click.echo(f"\nCases per day, over {counted(found['days'], 'day')} ({found['zone']}):")
    columns = ("team", "rules", "total", "p50", "p90", "most", "capacity", "days over")
    rows = [
        (team["team"], _SHOWN[name], *_day(team[name]))
        for team in found["teams"]
        for name in _SIDES
    ]
    print_table(columns, rows)
    if found["days"] < len(_WEEKDAYS):
        return
    click.echo("\nOn average by weekday:")
    means = [
        (team["team"], _SHOWN[name], *(f"{mean:.1f}" for mean in team[name]["by_weekday"]))
        for team in found["teams"]
        for name in _SIDES
    ]
    print_table(("team", "rules", *_WEEKDAYS), means)


def _day(one: Mapping[str, Any]) -> tuple[object, ...]:
    numbers = (one["total"], one["p50"], one["p90"], one["most"])
    return *numbers, cell(one["capacity"]), cell(one["over"])
