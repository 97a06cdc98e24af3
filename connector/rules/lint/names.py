"""What rules name at the far side (groups, owners, custom fields), and what exists there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.domain import Problem
from connector.rules.lint.places import Places, with_default
from connector.rules.model import Action, Rule, Ruleset
from connector.rules.routing import OWNER
from connector.rules.templates import TextTemplate
from connector.text import did_you_mean, one_line

Names = Mapping[str, Mapping[str, Sequence[str]]]  # sink id -> field of an action -> what exists
_MOST_LISTED = 12


@dataclass(frozen=True)
class WhyUnasked:
    """Why a sink could not say which names exist for these fields; `needed`: it had to."""

    reason: str
    fields: Sequence[str]
    needed: bool = False


Unasked = Mapping[str, WhyUnasked]  # by sink id


@dataclass(frozen=True)
class Named:
    """A rule's action gives `field` this value; `way` leads to it within the action."""

    rule: Rule
    action: int  # its number in `then`
    sink: str
    field: str
    value: str
    way: tuple[str, ...]

    def unknown(self, known: Sequence[str]) -> bool:
        """Is this name missing there? An id cannot be judged by names."""
        return not exists(self.value, known)


def exists(name: str, known: Sequence[str]) -> bool:
    """Is there such a name? An id is taken for one."""
    plain = name.strip().casefold()
    return plain.isdecimal() or plain in {each.casefold() for each in known}


def named_in(ruleset: Ruleset) -> Iterator[Named]:
    """Every name that a rule writes out; what a template fills in is left alone."""
    for rule in with_default(ruleset):
        for number, action in enumerate(rule.then):
            for field, value in action.params:
                for text, way in _texts(action, field, value):
                    if text.strip():
                        yield Named(rule, number, action.sink, field, text, way)


def unknown_names(ruleset: Ruleset, names: Names, places: Places) -> Iterator[Problem]:
    """Names that do not exist, where `names` says what does."""
    for one in named_in(ruleset):
        known = names.get(one.sink, {}).get(one.field)
        way = places.action(one.rule, one.action, *one.way)
        if known is None or not one.unknown(known) or not places.written(one.rule, *way):
            continue
        near, listed = did_you_mean(one.value, known), _listed(known)
        yield places.problem(
            f"{one.field}: '{one_line(one.value, 60)}' does not exist in {one.sink}",
            one.rule,
            *way,
            hint=f"{near} {listed}".strip(),
            key=len(one.way) > 1,
        )


def unknown_people(ruleset: Ruleset, names: Names, places: Places) -> Iterator[Problem]:
    """People in `routing` and `pools` who do not exist where tasks and tickets name them."""
    where = {
        (action.sink, field)
        for rule in with_default(ruleset)
        for action in rule.then
        for field, template in action.templates.items()
        if isinstance(template, TextTemplate) and OWNER in template.names
    }
    for sink, field in sorted(where):
        known = names.get(sink, {}).get(field)
        for person, way in _people(ruleset) if known is not None else ():
            if known is not None and not exists(person, known):
                near, listed = did_you_mean(person, known), _listed(known)
                yield places.of_file(
                    f"{field}: '{one_line(person, 60)}' does not exist in {sink}",
                    *way,
                    hint=f"{near} {listed}".strip(),
                    severity="error",
                )


def _people(ruleset: Ruleset) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Everybody whom the file writes out, and where."""
    if ruleset.routing is None:
        return
    for pool, members in ruleset.routing.pools.items():
        yield from ((member, ("pools", pool, number)) for number, member in enumerate(members))
    for number, line in enumerate(ruleset.routing.lines):
        if line.owner and line.template is None:
            yield line.owner, ("routing", number, "owner")


def unchecked(ruleset: Ruleset, unasked: Unasked, places: Places) -> Iterator[Problem]:
    """Sinks that could not be asked although rules name something there; one line each."""
    told: set[str] = set()
    for one in named_in(ruleset):
        why = unasked.get(one.sink)
        way = places.action(one.rule, one.action, *one.way)
        if why is None or one.field not in why.fields or one.sink in told:
            continue
        if places.written(one.rule, *way):
            told.add(one.sink)
            yield places.problem(
                f"nobody knows whether this {one.field} exists in {one.sink}: {why.reason}",
                one.rule,
                *way,
                hint="set what it needs, or list what exists under names: of the sink",
                severity="error" if why.needed else "note",
            )


def _texts(action: Action, field: str, value: object) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, Mapping):
        yield from ((str(key), (field, str(key))) for key in value)
    elif isinstance(value, str) and not isinstance(action.templates.get(field), TextTemplate):
        yield value, (field,)


def _listed(known: Sequence[str]) -> str:
    more = ", …" if len(known) > _MOST_LISTED else ""
    return f"there are: {', '.join(known[:_MOST_LISTED])}{more}" if known else "there is none"
