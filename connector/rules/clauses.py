"""What is different between two `when`, line by line, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from connector.rules import spans
from connector.rules.explain import said
from connector.rules.model import Condition, GroupWord
from connector.rules.words import spelled
from connector.text import parse_duration

_GROUPS = get_args(GroupWord)


@dataclass(frozen=True)
class _Clause:
    """One line of `when`, or one "- " of a group; `way` is the group, `parts` its conditions."""

    way: str
    parts: tuple[_Part, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.parts))


@dataclass(frozen=True)
class _Part:
    """A condition as it is written, or a group inside another one."""

    field: str
    operator: str
    wanted: Any

    def __str__(self) -> str:
        if self.field in _GROUPS:
            return f"{self.field} of ({'; '.join(map(str, self.wanted))})"
        try:
            return said(Condition(self.field, "free", self.operator, self.wanted, None))
        except (KeyError, TypeError, ValueError):  # nothing that could be loaded
            return f"{self.field} {self.operator} {self.wanted}"


def clause_changes(old: Any, new: Any) -> Iterator[str]:
    """`when: score is at most 6 -> score is at most 3`, `when any: + customer.plan is "gold"`."""
    before, after = list(_clauses(old)), list(_clauses(new))
    gone, come = _without(before, after), _without(after, before)
    for alike in (_same_line, _same_field, _same_but_for_time):
        for clause in list(come):
            twin = next((one for one in gone if alike(one, clause)), None)
            if twin is not None:
                gone.remove(twin)
                come.remove(clause)
                yield f"{_where(clause)}: {_changed(twin.parts[0], clause.parts[0])}"
    yield from (f"{_where(clause)}: + {clause}" for clause in come)
    yield from (f"{_where(clause)}: - {clause}" for clause in gone)


def _without(these: Sequence[_Clause], those: Sequence[_Clause]) -> list[_Clause]:
    known = {repr(clause) for clause in those}  # 1 is not true
    return [clause for clause in these if repr(clause) not in known]


def _clauses(when: Any) -> Iterator[_Clause]:
    for name, value in when.items() if isinstance(when, Mapping) else ():
        if name in _GROUPS:
            for item in value if isinstance(value, list) else ():
                yield _Clause(name, tuple(_parts(item)))
        else:
            yield from (_Clause("", (part,)) for part in _parts({name: value}))


def _parts(item: Any) -> Iterator[_Part]:
    for name, value in item.items() if isinstance(item, Mapping) else ():
        if name in _GROUPS:
            inner = value if isinstance(value, list) else []
            clauses = tuple(_Clause(name, tuple(_parts(one))) for one in inner)
            yield _Part(name, "", clauses)
        elif isinstance(value, Mapping):
            asked, field = dict(value), name
            if spans.WITHIN in asked and len(asked) > 1:
                field = _spanned(name, asked.pop(spans.WITHIN))
            for operator, wanted in asked.items():
                yield _Part(field, str(operator), _frozen(wanted))
        else:
            yield _Part(name, "in" if isinstance(value, list) else "is", _frozen(value))


def _spanned(name: str, within: Any) -> str:
    try:
        return spans.spanned(name, parse_duration(within))  # type: ignore[arg-type]  # a timedelta
    except ValueError:  # nothing that could be loaded
        return f"{name} {spans.WITHIN} {within}"


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):  # the words of a `mentions` by language
        return tuple(spelled(value))
    return tuple(value) if isinstance(value, list) else value


def _same_line(one: _Clause, other: _Clause) -> bool:
    return _same_field(one, other) and one.parts[0].operator == other.parts[0].operator


def _same_field(one: _Clause, other: _Clause) -> bool:
    """Both are a single condition about the same."""
    return _same_but_for_time(one, other) and one.parts[0].field == other.parts[0].field


def _same_but_for_time(one: _Clause, other: _Clause) -> bool:
    """The same, with however much of the past."""
    alone = len(one.parts) == len(other.parts) == 1
    return (
        alone
        and one.way == other.way
        and spans.plain(one.parts[0].field) == spans.plain(other.parts[0].field)
        and one.parts[0].field not in _GROUPS
    )


def _where(clause: _Clause) -> str:
    return f"when {clause.way}" if clause.way else "when"


def _changed(old: _Part, new: _Part) -> str:
    if (
        (old.field, old.operator) == (new.field, new.operator)
        and isinstance(old.wanted, tuple)
        and (isinstance(new.wanted, tuple) and old.operator != "between")
    ):
        come = _listed("+", [one for one in new.wanted if one not in old.wanted])
        gone = _listed("-", [one for one in old.wanted if one not in new.wanted])
        told = ", ".join(filter(None, (come, gone))) or "another order"
        return f"{new.field} {new.operator}: {told}"
    return f"{old} -> {new}"


def _listed(sign: str, values: Sequence[Any]) -> str:
    return ", ".join(f'{sign} "{value}"' for value in values)
