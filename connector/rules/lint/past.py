"""What stored answers say about the rules: texts that stay empty, fields that nobody fills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from connector.domain import Facts, Problem
from connector.rules.actions import templates_in
from connector.rules.decide import read_rules
from connector.rules.lint.places import Places, Way, with_default
from connector.rules.mails import printed_variables
from connector.rules.match import View
from connector.rules.model import Condition, Group, Rule, Ruleset
from connector.rules.templates import context_of
from connector.rules.topics import DERIVED
from connector.text import did_you_mean, one_line

FEWEST = 20  # answers below which a share says nothing
_PROPERTIES = "properties."
_MUCH = 0.05  # of the answers have a text that cannot be filled in
_NEARLY_ALL = 0.9  # of the answers show the default


class _Printed(NamedTuple):
    """A variable that a template prints; `line` counts from 1 within the text, or in the file."""

    name: str
    line: int
    guarded: bool
    way: Way = ()
    file: str = ""


@dataclass
class Past:
    """The answers of the last days, read once. `days` is only told."""

    ruleset: Ruleset
    days: int
    answers: int = 0
    _matched: Counter[str] = field(default_factory=Counter)
    _mailed: Counter[tuple[str, str]] = field(default_factory=Counter)
    _missing: Counter[tuple[str, str]] = field(default_factory=Counter)  # rule or mail, variable
    _seen: set[str] = field(default_factory=set)

    def read(self, past: Iterable[Facts], places: Places) -> Past:
        """Count over all these answers."""
        printed = {rule.id: self._variables(rule, places) for rule in self._rules()}
        asked = {one.field: one for rule in self.ruleset.rules for one in _conditions(rule.when)}
        mails = {
            (mail.name, language): {name for _, name in printed_variables(mail, language)}
            for mail in self.ruleset.mails.values()
            for language in mail.languages
        }
        for facts in past:
            self.answers += 1
            reading, context, view = (
                read_rules(self.ruleset, facts),
                context_of(facts, self.ruleset.book),
                View(facts),
            )
            missing = asked.keys() - self._seen
            self._seen |= {name for name in missing if view.seen(asked[name]) is not None}
            self._seen |= {f"{_PROPERTIES}{name}" for name in facts.properties}
            fired = [self.ruleset.rules[number] for number in reading.fired]
            for rule in (*fired, *(self._rules()[-1:] if reading.default_ran else ())):
                self._matched[rule.id] += 1
                for name in {one.name for one in printed[rule.id]}:
                    self._missing[rule.id, name] += _is_missing(context, name)
                for mail in {action.mail for action in rule.then if action.mail}:
                    chosen = (mail, self.ruleset.mails[mail].choose(facts.language))
                    self._mailed[chosen] += 1
                    for name in mails[chosen]:
                        self._missing["/".join(chosen), name] += _is_missing(context, name)
        return self

    def findings(self, places: Places) -> Iterator[Problem]:
        """What is worth a line, once all answers were read."""
        for rule in self._rules():
            for one in self._variables(rule, places):
                missing, of = self._missing[rule.id, one.name], self._matched[rule.id]
                if self._is_much(one, missing, of):
                    which = f"the {of} answers that '{rule.id}' matched"
                    yield places.inside(
                        self._told(one, missing / of, which),
                        rule,
                        *one.way,
                        line=one.line,
                        hint=_cure(one),
                        severity="note" if one.guarded else "warning",
                    )
        yield from self._in_mails()
        if self.answers >= FEWEST:
            yield from self._never_filled(places)

    def _in_mails(self) -> Iterator[Problem]:
        for (name, language), of in self._mailed.items():
            mail = self.ruleset.mails[name]
            for (ending, variable), line in printed_variables(mail, language).items():
                one = _Printed(variable, line, guarded=False)
                missing = self._missing[f"{name}/{language}", variable]
                if self._is_much(one, missing, of):
                    yield Problem(
                        file=f"templates/{name}/{language}.{ending}",
                        line=line,
                        column=1,
                        severity="warning",
                        message=self._told(one, missing / of, f"the {of} answers that get it"),
                        hint=_cure(one),
                    )

    def _never_filled(self, places: Places) -> Iterator[Problem]:
        sent = sorted(name for name in self._seen if name.startswith(_PROPERTIES))
        for rule in self.ruleset.rules:
            for name in dict.fromkeys(one.field for one in _conditions(rule.when)):
                if name in self._seen or name in DERIVED or name.startswith("history."):
                    continue
                yield places.problem(
                    f"none of the {self.answers} answers of the last {self.days} days has a "
                    f"{one_line(name, 60)}",
                    rule,
                    *places.condition(rule, name),
                    hint=_instead(name, sent),
                    severity="warning",
                    key=True,
                )

    def _rules(self) -> list[Rule]:
        return [rule for rule in with_default(self.ruleset) if rule.status != "draft"]

    def _variables(self, rule: Rule, places: Places) -> list[_Printed]:
        return [
            _Printed(name, line, name not in template.needs, (*way, *inner))
            for number, action in enumerate(rule.then)
            for way in [places.action(rule, number)]
            for inner, template in templates_in(action.templates)
            if places.written(rule, *way, *inner)
            for name, line in template.prints.items()
        ]

    def _is_much(self, one: _Printed, missing: int, of: int) -> bool:
        return of >= FEWEST and missing >= of * (_NEARLY_ALL if one.guarded else _MUCH)

    def _told(self, one: _Printed, share: float, which: str) -> str:
        percent = f"{share:.0%}" if share >= 0.01 else "under 1%"
        return f"template: {one.name} is empty in {percent} of {which} in the last {self.days} days"


def _instead(name: str, sent: Sequence[str]) -> str:
    if not (name.startswith(_PROPERTIES) and sent):
        return "look whether the source or the customer import still fills it"
    own = [one.removeprefix(_PROPERTIES) for one in sent]
    near = did_you_mean(name.removeprefix(_PROPERTIES), own)
    return near.replace("'", f"'{_PROPERTIES}", 1) or f"sources sent: {', '.join(sent[:12])}"


def _cure(one: _Printed) -> str:
    if one.guarded:
        return "they show the default; is it filled at the source?"
    return f"write {{{{ {one.name} | default('…') }}}}, or an if around it"


def _is_missing(context: Mapping[str, Any], name: str) -> bool:
    here: Any = context
    for step in name.split(".", 1):
        if not isinstance(here, Mapping) or step not in here:
            return True
        here = here[step]
    return False


def _conditions(when: Group) -> Iterator[Condition]:
    """Those that need a value to hold."""
    for member in when.members:
        if isinstance(member, Group):
            if member.word != "none":
                yield from _conditions(member)
        elif member.operator not in ("exists", "not"):
            yield member
