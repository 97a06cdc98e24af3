"""Our index beside each engine that is installed: same answers, same folding, same results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from benchmarks.report import Figure
from benchmarks.rules import engines, workload
from connector.domain import Facts, Survey
from connector.rules.load import load
from connector.rules.model import RULES_FILE, Ruleset, RulesetText, Vocabulary

if TYPE_CHECKING:
    from benchmarks.installation import World
    from benchmarks.rules.engines import Matcher
    from benchmarks.rules.workload import Wish
    from benchmarks.scale import Scale

SIZES = {10: None, 100: 2.0, 1_000: 15.0}  # rules -> how many times faster than the fastest engine
_MOST_GROWTH = 3.5
_ANSWERS = 200
_TURNS = 5
_TURN_SECONDS = 0.05
_SLOW = 50.0  # who takes so many times longer has one turn
_VOCABULARY = Vocabulary(surveys={"relationship": Survey(id="relationship")}, sources=("app",))


class Different(AssertionError):
    """An engine says something else than we do: then its time means nothing."""


def rules(_world: World, scale: Scale) -> Iterator[Figure]:
    """Microseconds from an answer's facts to the rules that match."""
    ours: dict[int, float] = {}
    for size, reach in SIZES.items():
        took = _measure(workload.wishes(size), _TURNS * scale.repeats)
        ours[size] = took.pop("connector")
        yield Figure(f"{size:,} rules", ours[size], "µs")
        if not took:
            continue
        fastest = min(took, key=took.__getitem__)
        beside = ", ".join(f"{name} {took[name]:.1f} µs" for name in sorted(took, key=took.get))  # type: ignore[arg-type]
        what = f"{size:,} rules, {fastest} beside us"
        yield Figure(what, took[fastest] / ours[size], "x", reach, beside=beside)
    yield Figure("1,000 rules beside 10", ours[1_000] / ours[10], "x", _MOST_GROWTH, "most")


def _measure(wishes: list[Wish], turns: int) -> dict[str, float]:
    """Microseconds for an answer by name: the best of several turns, in which everybody has one."""
    answers = workload.answers(wishes, _ANSWERS)
    matchers = {"connector": _ours(wishes), **_peers(wishes)}
    wanted = [matchers["connector"](facts) for facts in answers]
    for name, match in matchers.items():
        if [match(facts) for facts in answers] != wanted:
            raise Different(name)
    best = {name: _turn(match, answers) for name, match in matchers.items()}
    fast = {name for name, took in best.items() if took < _SLOW * min(best.values())}
    for _ in range(turns):
        for name in fast:
            best[name] = min(best[name], _turn(matchers[name], answers))
    return best


def _peers(wishes: list[Wish]) -> dict[str, Matcher]:
    found: dict[str, Matcher] = {}
    for name, make in engines.ENGINES.items():
        try:
            found[name] = make(wishes)
        except engines.NotInstalled:
            if len(wishes) == min(SIZES):
                click.echo(f"rules: without {name}, which is not installed: make peers", err=True)
        except engines.CannotTake as reason:
            click.echo(f"rules: {len(wishes)} rules are too many for {name}: {reason}", err=True)
    return found


def _turn(match: Matcher, answers: Sequence[Facts]) -> float:
    """The best of the rounds that fit into a turn. Turns are equally long, so that everybody finds
    the processor's caches as it left them; and of processor time, so that nobody pays for what else
    this machine does."""
    best, end = float("inf"), time.process_time() + _TURN_SECONDS
    while (began := time.process_time()) < end:
        for facts in answers:
            match(facts)
        best = min(best, time.process_time() - began)
    return best / len(answers) * 1e6


def _ours(wishes: list[Wish]) -> Callable[[Facts], list[str]]:
    rules, index = (ruleset := _ruleset(wishes)).rules, ruleset.index
    return lambda facts: [rules[number].id for number in index.matching(facts)]


def _ruleset(wishes: list[Wish]) -> Ruleset:
    loaded = load(RulesetText({RULES_FILE: workload.rules_text(wishes)}), _VOCABULARY)
    assert loaded.ruleset, loaded.problems  # noqa: S101
    return loaded.ruleset
