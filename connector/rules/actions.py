"""`then`: what a rule asks for, checked against the sinks that exist and what they take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, get_args

from pydantic.fields import FieldInfo

from connector.documents import Document, validate
from connector.domain import Problem, Value
from connector.ports import Duration, Params, Templated, TemplateNamed
from connector.rules.model import LOG, Action, ActionKind, Vocabulary
from connector.rules.routing import OWNER, ROUTED_TEXT
from connector.rules.template_check import compile_template, has_template
from connector.rules.templates import TextTemplate
from connector.rules.timing import ALWAYS, Digest
from connector.rules.written import DefaultsText
from connector.text import did_you_mean, one_line

At = tuple[str | int, ...]


class EveryAction(Value):
    """What every action may say beside what its kind takes; `send_hours` is for what is no case,
    `digest` for alerts."""

    settle: Duration | None = None
    send_hours: str | None = None
    digest: Digest | None = None


_EVERY = frozenset(EveryAction.model_fields)


def read_then(
    document: Document,
    at: At,
    vocabulary: Vocabulary,
    defaults: DefaultsText,
    mails: Sequence[str],
    calendars: Collection[str] = (),
    routed: bool = False,
) -> tuple[list[tuple[At, Action]], list[Problem]]:
    """The actions of the list that stands at `at`, each with its place, and every problem.

    `defaults` are those of the file, or what their rule says instead; `always` names no calendar.
    `routed`: `routing` says who owns a task that does not say so itself.
    """
    reader = _Reader(document, vocabulary, defaults, mails, calendars, routed)
    items: Any = document.data
    for step in at:
        items = items[step]
    for number, item in enumerate(items):
        reader.item(item, (*at, number))
    return reader.actions, reader.problems


class _Reader:
    def __init__(
        self,
        document: Document,
        vocabulary: Vocabulary,
        defaults: DefaultsText,
        mails: Sequence[str],
        calendars: Collection[str],
        routed: bool,
    ) -> None:
        self.document, self.vocabulary = document, vocabulary
        self.defaults, self.mails = defaults, mails
        self.calendars, self.routed = calendars, routed
        self.actions: list[tuple[At, Action]] = []
        self.problems: list[Problem] = []

    def wrong(self, message: str, at: At, hint: str = "", warning: bool = False) -> None:
        self.problems.append(self.document.problem(message, *at, hint=hint, warning=warning))

    def item(self, item: Any, at: At) -> None:
        if isinstance(item, str):
            self.wrong(f"'{one_line(item, 40)}' is no action", at, "write '- kind: {…}'")
        elif not isinstance(item, Mapping) or not item:
            self.wrong("an action must be 'kind: {…}'", at)
        elif len(item) > 1:
            hint = "start each action with '- '; its settings go inside {…} or further right"
            self.wrong(f"one action at a time: {', '.join(item)}", at, hint)
        else:
            (kind, params) = next(iter(item.items()))
            self.action(kind, {} if params is None else params, (*at, kind))

    def action(self, kind: str, params: Any, at: At) -> None:
        if kind == LOG:
            if params != {}:
                self.wrong("log takes nothing", at, "write 'log: {}'")
            return
        known = self.vocabulary.actions.get(kind)
        if known is None:
            kinds = [*self.vocabulary.actions, LOG]
            allowed = f"allowed: {', '.join(kinds)}"
            near = did_you_mean(kind, kinds)
            hint = f"{near}; {allowed}" if near else allowed
            self.wrong(f"unknown action '{one_line(kind, 40)}'", at, hint)
            return
        if not isinstance(params, Mapping):
            self.wrong(f"{kind}: must be a group of 'key: value' lines", at)
            return
        self.known_action(kind, known, params, at)

    def known_action(self, kind: str, known: ActionKind, params: Mapping[str, Any], at: At) -> None:
        own = {name: value for name, value in params.items() if name not in _EVERY}
        if self.defaults.respond_within and known.opens_case and "respond_within" in _names(known):
            own = {"respond_within": self.defaults.respond_within, **own}
        if self.routed and known.opens_case and OWNER in _marked_fields(known.params, Templated):
            own = {OWNER: ROUTED_TEXT, **own}
        every, problems = validate(
            self.document, EveryAction, {k: v for k, v in params.items() if k in _EVERY}, at
        )
        self.problems.extend(problems)
        valid, problems = validate(self.document, known.params, own, at)
        self.problems.extend(problems)
        if valid is None or every is None:
            return
        if not self.may_say(kind, known, every, at):
            return
        sink = self.sink(kind, known, valid, at)
        mail = self.mail(valid, at)
        templates = self.templates(valid, at)
        if sink is None:
            return
        within = getattr(valid, "respond_within", None)
        self.actions.append(
            (
                at,
                Action(
                    kind=kind,
                    sink=sink,
                    params=valid,
                    templates=templates,
                    mail=mail,
                    settle=self.settle(known, every.settle),
                    respond_within=within if isinstance(within, timedelta) else None,
                    opens_case=known.opens_case,
                    to_customer=known.to_customer,
                    hours=calendar(self.defaults.hours) if known.opens_case else "",
                    send_hours=self.send_hours(known, every.send_hours),
                    digest=every.digest or "",
                ),
            )
        )

    def settle(self, known: ActionKind, own: timedelta | None) -> timedelta:
        if own is not None:
            return own
        waits = known.settle > timedelta(0)
        return self.defaults.settle if waits and self.defaults.settle is not None else known.settle

    def may_say(self, kind: str, known: ActionKind, every: EveryAction, at: At) -> bool:
        wrong, key, hint = "", "send_hours", ""
        if every.digest and not known.digest_by:
            wrong, key, hint = f"{kind} is not gathered", "digest", "only alerts are; leave it out"
        elif every.send_hours and known.opens_case:
            wrong = f"{kind} goes out at once"
            hint = "hours of the rule are for its due time"
        elif every.send_hours not in (None, ALWAYS, *self.calendars):
            wrong, hint = unknown_calendar("send_hours", str(every.send_hours), self.calendars)
        if wrong:
            self.wrong(wrong, (*at, key), hint)
        return not wrong

    def send_hours(self, known: ActionKind, own: str | None) -> str:
        """An alert waits only where it says so itself: one in the night is often wanted."""
        return calendar(
            own if own is not None or not known.to_customer else self.defaults.send_hours
        )

    def sink(self, kind: str, known: ActionKind, params: Params, at: At) -> str | None:
        listed = ", ".join(known.sinks)
        if params.sink is not None:
            if params.sink in known.sinks:
                return params.sink
            allowed = f"allowed: {listed or 'none is configured'}"
            hint = did_you_mean(params.sink, known.sinks) or allowed
            self.wrong(f"no sink '{one_line(params.sink, 40)}' for {kind}", (*at, "sink"), hint)
            return None
        if len(known.sinks) == 1:
            return known.sinks[0]
        if known.sinks:
            self.wrong(f"{kind}: several sinks could take this", at, f"say sink: one of {listed}")
        else:
            hint = f"add a sink of type {kind.partition('.')[0]} to connector.yaml"
            self.wrong(f"{kind}: no sink is configured for this", at, hint)
        return None

    def mail(self, params: Params, at: At) -> str | None:
        for name in _marked_fields(type(params), TemplateNamed):
            wanted = str(getattr(params, name))
            if wanted not in self.mails:
                allowed = f"allowed: {', '.join(self.mails)}" if self.mails else "there is none"
                hint = did_you_mean(wanted, self.mails) or allowed
                self.wrong(f"no mail template '{one_line(wanted, 40)}'", (*at, name), hint)
            return wanted
        return None

    def templates(self, params: Params, at: At) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in _marked_fields(type(params), Templated):
            compiled = self.compile(getattr(params, name), (*at, name))
            if compiled is not None:
                found[name] = compiled
        return found

    def compile(self, value: Any, at: At) -> Any:
        """The templates in a text, a list or a map, in its own shape; None where there is none."""
        if isinstance(value, str) and has_template(value):
            template, remarks = compile_template(value, self.vocabulary)
            column = self.document.place(*at)[1]
            self.problems.extend(
                Problem(
                    file=self.document.file,
                    line=self.document.line_inside(remark.line, *at),
                    column=column,
                    message=remark.message,
                    hint=remark.hint,
                )
                for remark in remarks
            )
            return template
        if isinstance(value, Mapping):
            parts = {key: self.compile(each, (*at, key)) for key, each in value.items()}
            return {key: part for key, part in parts.items() if part is not None} or None
        if isinstance(value, list | tuple):
            items = {i: self.compile(each, (*at, i)) for i, each in enumerate(value)}
            return {i: item for i, item in items.items() if item is not None} or None
        return None


def calendar(name: str | None) -> str:
    """Empty for no calendar, and for `always`."""
    return "" if name in (None, ALWAYS) else str(name)


def unknown_calendar(key: str, name: str, calendars: Collection[str]) -> tuple[str, str]:
    """Message and hint."""
    allowed = f"allowed: {', '.join([*calendars, ALWAYS])}"
    near = did_you_mean(name, [*calendars, ALWAYS])
    hint = f"{near}; {allowed}" if near else allowed
    return f"{key}: there is no calendar '{one_line(name, 40)}'", hint


def templates_in(templates: Mapping[str, Any], at: At = ()) -> list[tuple[At, TextTemplate]]:
    """Every template of an action, with the way to it."""
    found: list[tuple[At, TextTemplate]] = []
    for key, value in templates.items():
        if isinstance(value, TextTemplate):
            found.append(((*at, key), value))
        else:
            found.extend(templates_in(value, (*at, key)))
    return found


def _names(kind: ActionKind) -> Sequence[str]:
    return list(kind.params.model_fields)


@cache
def _marked_fields(params: type[Params], marker: type) -> tuple[str, ...]:
    return tuple(name for name, field in params.model_fields.items() if marked(field, marker))


def marked(field: FieldInfo, marker: type) -> bool:
    """Is this field, or what its list or map holds, marked?"""
    return any(isinstance(mark, marker) for mark in field.metadata) or _mentions(
        field.annotation, lambda part: isinstance(part, marker)
    )


def _mentions(annotation: Any, wanted: Callable[[Any], bool]) -> bool:
    marks = getattr(annotation, "__metadata__", ())
    return any(wanted(mark) for mark in marks) or any(
        _mentions(part, wanted) for part in get_args(annotation)
    )
