"""Two rulesets, and what is different between them, in words.

Compared is what the files say, not what it means here: a ruleset of last year can name sinks that
no longer exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal

from connector.documents import read
from connector.domain import Value
from connector.rules.clauses import clause_changes
from connector.rules.model import RULES_FILE, TOPICS_FILE, RulesetText
from connector.text import one_line

_LONGEST_LINE = 300
_LONGEST_VALUE = 80
_CONTEXT = 20  # characters before the first difference of two long texts
_DEFAULTS: Mapping[str, Any] = {
    "status": "live",
    "stop": False,
    "name": "",
    "owner": "",
    "note": "",
}
_EMPTY: Mapping[str, Any] = {"routing": []}
_OWN_WORDS = ("id", "when", "then", "examples")


class Change(Value):
    """One thing that is different; `lines` say how, in order of the file, fit for a terminal."""

    what: Literal["added", "removed", "moved", "changed"]
    of: str  # `rule ID`, a part of the file, `topics.yaml`, or the name of a template
    lines: tuple[str, ...] = ()


def compare(before: RulesetText, after: RulesetText) -> list[Change]:
    """From `before` to `after`; nothing where they only differ in comments and spelling.

    Raises:
        Invalid: the rules or topics of one of them are no YAML.
    """
    old, new = _data(before, RULES_FILE), _data(after, RULES_FILE)
    found = [*_rules(_by_id(old), _by_id(new))]
    found += _calendars(old.get("calendars"), new.get("calendars"))
    for part in ("default", "defaults", "pools", "routing"):
        lines = _part(part, *(one.get(part) or _EMPTY.get(part, {}) for one in (old, new)))
        if lines:
            found.append(Change(what="changed", of=part, lines=_fit(lines)))
    return [*found, *_topics(before, after), *_templates(before.files, after.files)]


def _data(text: RulesetText, file: str) -> Mapping[str, Any]:
    data = read(text.files.get(file, ""), file).data
    return data if isinstance(data, Mapping) else {}


def _by_id(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    rules = data.get("rules")
    items = rules if isinstance(rules, list) else []
    return {str(rule.get("id")): rule for rule in items if isinstance(rule, Mapping)}


def _rules(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> Iterator[Change]:
    moved = _moved([id for id in old if id in new], [id for id in new if id in old])
    places, ids = {id: n for n, id in enumerate(old, 1)}, list(new)
    for n, (id, rule) in enumerate(new.items(), 1):
        if id not in old:
            lines = [f"place {n}", *_rule({}, rule)]
            yield Change(what="added", of=_rule_named(id), lines=_fit(lines))
            continue
        lines = list(_rule(old[id], rule))
        if id in moved:
            then = f"before {ids[n]}" if n < len(ids) else "at the end"
            lines.insert(0, f"moved from place {places[id]} to {n}, {then}")
        if lines:
            only = len(lines) == 1 and id in moved
            yield Change(what="moved" if only else "changed", of=_rule_named(id), lines=_fit(lines))
    for id, rule in old.items():
        if id not in new:
            lines = [f"was at place {places[id]}"]
            if rule.get("name"):
                lines.append(f"name: {_said(rule['name'])}")
            yield Change(what="removed", of=_rule_named(id), lines=_fit(lines))


def _moved(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """Those that do not stand where their neighbours would expect them."""
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    stayed = {id for block in blocks for id in old[block.a : block.a + block.size]}
    return set(new) - stayed


def _rule(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    own = [name for name in [*new, *old] if name not in _OWN_WORDS]
    for name in dict.fromkeys(own):
        default = _DEFAULTS.get(name)
        yield from _value(name, old.get(name, default), new.get(name, default))
    yield from clause_changes(old.get("when"), new.get("when"))
    yield from _actions(old.get("then"), new.get("then"))
    examples = [rule.get("examples") or [] for rule in (old, new)]
    if old and examples[0] != examples[1]:
        counts = " -> ".join(str(len(one)) for one in examples)
        yield f"examples: {counts}" if len(examples[0]) != len(examples[1]) else "examples changed"


def _calendars(old: Any, new: Any) -> Iterator[Change]:
    before, after = (one if isinstance(one, Mapping) else {} for one in (old, new))
    for name in dict.fromkeys([*after, *before]):
        of = f"calendar {one_line(str(name), 60)}"
        if name not in before:
            told = (f"{key}: {_said(value)}" for key, value in _flat("", after[name]))
            yield Change(what="added", of=of, lines=_fit(told))
        elif name not in after:
            yield Change(what="removed", of=of)
        elif lines := _fit(_value("", before[name], after[name])):
            yield Change(what="changed", of=of, lines=lines)


def _part(part: str, old: Any, new: Any) -> list[str]:
    if part == "default":
        return list(_actions(_then(old), _then(new)))
    if part == "routing":
        return list(_value("lines", old, new))
    return list(_value("", old, new))


def _then(part: Any) -> Any:
    return part.get("then") if isinstance(part, Mapping) else None


def _actions(old: Any, new: Any) -> Iterator[str]:
    before, after = _named_actions(old), _named_actions(new)
    for name, params in after.items():
        if name not in before:
            told = ", ".join(f"{key} {_said(value)}" for key, value in _flat("", params))
            yield f"then: + {name}{f' ({told})' if told else ''}"
        else:
            for line in _value("", before[name], params):
                yield f"{name}: {line}"
    yield from (f"then: - {name}" for name in before if name not in after)
    both = [[name for name in one if name in before and name in after] for one in (before, after)]
    if both[0] != both[1]:
        yield f"then: the order is now {', '.join(both[1])}"


def _named_actions(items: Any) -> dict[str, Mapping[str, Any]]:
    """Kind, with its sink and a number where there are several -> what it says."""
    named: dict[str, Mapping[str, Any]] = {}
    seen: Counter[str] = Counter()
    for item in items if isinstance(items, list) else ():
        for kind, params in item.items() if isinstance(item, Mapping) else ():
            given = params if isinstance(params, Mapping) else {}
            name = f"{kind} in {given['sink']}" if given.get("sink") else str(kind)
            seen[name] += 1
            named[f"{name} ({seen[name]})" if seen[name] > 1 else name] = given
    return named


def _value(name: str, old: Any, new: Any) -> Iterator[str]:
    """`priority: high -> urgent`; groups key by key, lists item by item."""
    if repr(old) == repr(new):  # 1 is not true
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*new, *old]):
            inner = f"{name}.{key}" if name else str(key)
            yield from _value(inner, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        added = "".join(f", + {_said(one)}" for one in new if one not in old)
        removed = "".join(f", - {_said(one)}" for one in old if one not in new)
        yield f"{name}: {(added + removed).removeprefix(', ') or 'another order'}"
    else:
        start = _first_difference(old, new)
        yield f"{name}: {_said(old, start)} -> {_said(new, start)}"


def _first_difference(old: Any, new: Any) -> int:
    """Where to begin to show two long texts."""
    if not (isinstance(old, str) and isinstance(new, str)):
        return 0
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    same = min(len(old), len(new)) if same is None else same
    return max(same - _CONTEXT, 0) if max(len(old), len(new)) > _LONGEST_VALUE else 0


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), inner)
    else:
        yield name, value


def _said(value: Any, start: int = 0) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{"…" if start else ""}{one_line(value[start:], _LONGEST_VALUE)}"'
    if isinstance(value, list):
        return "[" + ", ".join(_said(one) for one in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_said(one)}" for key, one in value.items()) + "}"
    return str(value)


def _topics(before: RulesetText, after: RulesetText) -> Iterator[Change]:
    there = [TOPICS_FILE in text.files for text in (before, after)]
    lines = list(_value("", _data(before, TOPICS_FILE), _data(after, TOPICS_FILE)))
    if there == [True, True] and lines:
        yield Change(what="changed", of=TOPICS_FILE, lines=_fit(lines))
    elif there[0] is not there[1]:
        yield Change(what="added" if there[1] else "removed", of=TOPICS_FILE)


def _templates(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted((old.keys() | new.keys()) - {RULES_FILE, TOPICS_FILE}):
        of = one_line(name)
        if name not in old:
            yield Change(what="added", of=of)
        elif name not in new:
            yield Change(what="removed", of=of)
        elif old[name] != new[name]:
            before, after = old[name].splitlines(), new[name].splitlines()
            yield Change(what="changed", of=of, lines=_fit(_changed_lines(before, after)))


def _changed_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for line in old[a:b]:
            yield f"- {line}"
        for line in new[c:d]:
            yield f"+ {line}"


def _rule_named(id: str) -> str:
    return f"rule {one_line(id, 60)}"


def _fit(lines: Any) -> tuple[str, ...]:
    return tuple(one_line(line, _LONGEST_LINE) for line in lines)
