"""Text -> ruleset, or every problem of every file at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connector.documents import Document, read, validate
from connector.domain import Problem
from connector.errors import Invalid
from connector.rules.actions import At, read_then, templates_in, unknown_calendar
from connector.rules.bounds import bound, problems_of, recall_of, unused_routing
from connector.rules.calendar_file import read_calendars
from connector.rules.calendars import Calendar
from connector.rules.conditions import read_when
from connector.rules.escalation_file import read_escalation
from connector.rules.examples import read_examples
from connector.rules.mails import printed_variables, read_mails
from connector.rules.match import always_there
from connector.rules.model import (
    DEFAULT_ID,
    RULES_FILE,
    Action,
    Group,
    Loaded,
    Rule,
    Ruleset,
    RulesetText,
    Vocabulary,
)
from connector.rules.routes import read_routing
from connector.rules.routing import OWNER, Routing
from connector.rules.template_check import unguarded
from connector.rules.templates import MailTemplate
from connector.rules.timing import ALWAYS, Timetable
from connector.rules.topic_file import read_topics
from connector.rules.topics import TopicBook
from connector.rules.written import DefaultsText, DefaultText, FileText, RuleText
from connector.text import one_line

_NOTHING = Group("all", ())
_NOBODY = "template: owner is nobody: the file has no routing"
_SAY_WHO = "say under routing: who gets what, or did you mean 'customer.owner'?"


def load(text: RulesetText, vocabulary: Vocabulary) -> Loaded:
    """Reads and checks everything; `ruleset` is there when no problem is an error."""
    mails, problems = read_mails(text, vocabulary)
    book, of_topics = read_topics(text)
    problems += of_topics
    if RULES_FILE not in text.files:
        return _loaded([*problems, Problem(file=RULES_FILE, message="the file is missing")])
    try:
        document = read(text.files[RULES_FILE], RULES_FILE)
    except Invalid as invalid:
        return _loaded([*problems, *invalid.problems])
    broken = {p.file.split("/")[1] for p in problems if p.severity == "error" and "/" in p.file}
    loader = _Loader(document, vocabulary, mails, broken, book)
    ruleset = loader.ruleset(text.hash)
    found = [*problems, *document.warnings, *loader.problems]
    return replace(_loaded(found, ruleset), sound=loader.sound(ruleset), document=document)


def _loaded(problems: list[Problem], ruleset: Ruleset | None = None) -> Loaded:
    ordered = sorted(
        dict.fromkeys(problems), key=lambda p: (p.file != RULES_FILE, p.file, p.line, p.column)
    )
    broken = any(problem.severity == "error" for problem in ordered)
    return Loaded(None if broken else ruleset, tuple(ordered))


class _Loader:
    def __init__(
        self,
        document: Document,
        vocabulary: Vocabulary,
        mails: dict[str, MailTemplate],
        broken_mails: Collection[str],
        book: TopicBook,
    ) -> None:
        self.document, self.vocabulary, self.mails = document, vocabulary, mails
        self.book = book
        self.heard = replace(vocabulary, book=book)
        self.broken_mails = broken_mails
        self.whole: list[Rule] = []  # without an error of their own, up to an unclear `stop`
        self.problems: list[Problem] = []
        self.defaults = DefaultsText()
        self.calendars: dict[str, Calendar | None] = {}
        self.sure_in_mail: dict[str, frozenset[str]] = {}
        self.unclear_stop = False
        self.routing: Routing | None = None

    def ruleset(self, digest: str) -> Ruleset | None:
        if self.document.data is None:
            self.problems.append(self.document.problem("the file is empty", hint="write 'rules:'"))
            return None
        self.keep(validate(self.document, FileText))
        raw = self.document.data if isinstance(self.document.data, dict) else {}
        self.calendars = self.keep(read_calendars(self.document))
        if raw.get("defaults") is not None:
            defaults = self.keep(validate(self.document, DefaultsText, at=("defaults",)))
            self.defaults = self.inherited(defaults, ("defaults",)) or self.defaults
        if raw:
            self.routing = self.keep(read_routing(self.document, self.heard))
        numbers = range(len(raw["rules"])) if isinstance(raw.get("rules"), list) else ()
        rules = [self.judged(number) for number in numbers]
        default = self.default() if raw.get("default") is not None else ()
        escalation = self.keep(read_escalation(self.document, self.heard, self.telling))
        self.look_at_mails()
        self.look_for_twins(numbers)
        readable = tuple(rule for rule in rules if rule is not None)
        self.problems.extend(unused_routing(self.document, self.routing, readable, default))
        calendars = {name: one for name, one in self.calendars.items() if one is not None}
        zones = {survey.id: survey.zone for survey in self.vocabulary.surveys.values()}
        return Ruleset(
            hash=digest,
            rules=readable,
            default=default,
            mails=self.mails,
            routing=self.routing,
            escalation=escalation,
            recall=recall_of(readable, default, self.mails),
            timetable=Timetable(calendars, zones),
            book=self.book,
        )

    def sound(self, ruleset: Ruleset | None) -> Ruleset | None:
        """The same with only the rules that are right by themselves."""
        return replace(ruleset, rules=tuple(self.whole)) if ruleset else None

    def judged(self, number: int) -> Rule | None:
        before = self.errors()
        rule = self.rule(number)
        raw = self.document.data["rules"][number]
        right = rule is not None and self.errors() == before
        if right and rule and not self.unclear_stop:
            if not any(action.mail in self.broken_mails for action in rule.then):
                self.whole.append(rule)
        elif isinstance(raw, dict) and raw.get("stop"):
            self.unclear_stop = True  # which answers reach the rules below cannot be said
        return rule

    def errors(self) -> int:
        return sum(problem.severity == "error" for problem in self.problems)

    def keep(self, validated: tuple[Any, list[Problem]]) -> Any:
        value, problems = validated
        self.problems.extend(problems)
        return value

    def rule(self, number: int) -> Rule | None:
        at: At = ("rules", number)
        raw = self.document.data["rules"][number]
        head: RuleText | None = self.keep(validate(self.document, RuleText, at=at))
        parts = raw if isinstance(raw, dict) else {}
        when = _NOTHING
        if isinstance(parts.get("when"), dict):
            when = self.keep(read_when(self.document, (*at, "when"), self.heard))
        actions: tuple[Action, ...] = ()
        if isinstance(parts.get("then"), list):
            inherited = self.inherited(head, at) or self.defaults
            actions = self.actions((*at, "then"), always_there(when), inherited)
        if head is None:
            return None
        self.problems.extend(problems_of(self.document, at, head, actions))
        return Rule(
            id=head.id,
            name=head.name or head.id,
            owner=head.owner,
            status=head.status,
            when=when,
            then=actions,
            stop=head.stop,
            examples=self.keep(
                read_examples(self.document, (*at, "examples"), head.examples, self.vocabulary)
            ),
            place=self.document.place(*at),
            until=head.until,
            ends=_ends(head.until, self.vocabulary),
            cap=head.cap,
            holdout=head.holdout,
        )

    def default(self) -> tuple[Action, ...]:
        head = self.keep(validate(self.document, DefaultText, at=("default",)))
        return self.actions(("default", "then"), frozenset(), self.defaults) if head else ()

    def inherited(self, text: DefaultsText | RuleText | None, at: At) -> DefaultsText | None:
        """What actions inherit from `text`, the defaults or a rule that says something else."""
        if text is None:
            return None
        own: dict[str, Any] = {} if text.cap is None else {"cap": text.cap}
        for key in ("hours", "send_hours"):
            name = getattr(text, key)
            if name in (ALWAYS, *self.calendars):
                own[key] = name
            elif name is not None:
                own[key] = None
                message, hint = unknown_calendar(key, name, self.calendars)
                self.problems.append(self.document.problem(message, *at, key, hint=hint))
        file = text if isinstance(text, DefaultsText) else self.defaults
        return file.model_copy(update=own)

    def actions(self, at: At, sure: frozenset[str], defaults: DefaultsText) -> tuple[Action, ...]:
        mails, calendars, routed = sorted(self.mails), self.calendars, self.routing is not None
        found = self.keep(
            read_then(self.document, at, self.vocabulary, defaults, mails, calendars, routed)
        )
        if self.routing is not None and self.routing.is_complete:
            sure |= {OWNER}
        opened: dict[str, str] = {}
        for where, action in found:
            self.look_at_templates(where, action, sure)
            if action.mail in self.mails:
                before = self.sure_in_mail.get(action.mail, sure)
                self.sure_in_mail[action.mail] = before & sure
            if action.opens_case and action.sink in opened:
                message = f"{action.kind}: this rule already opens a case in {action.sink}"
                self.problems.append(self.document.problem(message, *where, warning=True))
            if action.opens_case:
                opened[action.sink] = action.kind
        return tuple(bound(action, defaults.cap, self.mails) for _, action in found)

    def telling(self, at: At, sure: frozenset[str]) -> tuple[Action, ...]:
        """The actions of an escalation: no time to answer in, and no owner from `routing`."""
        own = self.defaults.model_copy(update={"respond_within": None, "cap": None})
        found = self.keep(
            read_then(self.document, at, self.vocabulary, own, sorted(self.mails), self.calendars)
        )
        for where, action in found:
            self.look_at_templates(where, action, sure)
        return tuple(bound(action, None, self.mails) for _, action in found)

    def look_at_templates(self, at: At, action: Action, sure: frozenset[str]) -> None:
        for where, template in templates_in(action.templates, at):
            if self.document.place(*where) == self.document.place(*at):
                continue  # the kind's own default text: not this author's to mend
            if OWNER in template.names and self.routing is None:
                self.problems.append(self.document.problem(_NOBODY, *where, hint=_SAY_WHO))
                continue
            for name, line in unguarded(template, sure).items():
                column = self.document.place(*where)[1]
                number = self.document.line_inside(line, *where)
                self.problems.append(_empty(self.document.file, number, column, name))

    def look_at_mails(self) -> None:
        for mail in self.mails.values():
            sure = self.sure_in_mail.get(mail.name, frozenset({"score", "segment"}))
            for language, parts in mail.languages.items():
                used = mail.name in self.sure_in_mail
                if used and OWNER in parts.names and self.routing is None:
                    file = f"templates/{mail.name}/{language}.txt"
                    self.problems.append(Problem(file=file, message=_NOBODY, hint=_SAY_WHO))
                    continue
                for (ending, name), line in printed_variables(mail, language).items():
                    if name not in sure:
                        file = f"templates/{mail.name}/{language}.{ending}"
                        self.problems.append(_empty(file, line, 1, name))

    def look_for_twins(self, numbers: Iterable[int]) -> None:
        first: dict[str, int] = {}
        for number in numbers:
            raw = self.document.data["rules"][number]
            rule_id = raw.get("id") if isinstance(raw, dict) else None
            if not isinstance(rule_id, str):
                continue
            at: At = ("rules", number, "id")
            line = self.document.place(*at)[0]
            if rule_id == DEFAULT_ID:
                message = f"the id '{DEFAULT_ID}' is taken by the last section of the file"
                self.problems.append(self.document.problem(message, *at))
            elif rule_id in first:
                message = f"the id '{one_line(rule_id, 60)}' is taken in line {first[rule_id]}"
                hint = "an id is unique and never changes"
                self.problems.append(self.document.problem(message, *at, hint=hint))
            else:
                first[rule_id] = line


def _ends(until: date | None, vocabulary: Vocabulary) -> dict[str, datetime]:
    """Survey -> the first moment after the day `until` where the survey is at home."""
    if until is None:
        return {}
    after = datetime.combine(until + timedelta(days=1), time())
    return {
        survey.id: after.replace(tzinfo=ZoneInfo(survey.zone)).astimezone(UTC)
        for survey in vocabulary.surveys.values()
    }


def _empty(file: str, line: int, column: int, name: str) -> Problem:
    return Problem(
        file=file,
        line=line,
        column=column,
        severity="warning",
        message=f"template: {name} can be empty",
        hint=f"write {{{{ {name} | default('…') }}}}",
    )
