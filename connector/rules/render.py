"""Actions -> intents: templates filled in, and what happens where one cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import Enum
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from connector.domain import Facts, Intent
from connector.rules.caps import refusal
from connector.rules.model import Action, Ruleset
from connector.rules.routing import OWNER, Assigned
from connector.rules.template_check import has_template
from connector.rules.templates import CannotRender, TextTemplate, context_of

_Context = Callable[[], dict[str, Any]]


class Renderer:
    """Fills the templates of many actions for one answer."""

    def __init__(self, ruleset: Ruleset, facts: Facts) -> None:
        self._mails, self._routing, self._book = ruleset.mails, ruleset.routing, ruleset.book
        self._facts = facts

    @cached_property
    def _plain_context(self) -> dict[str, Any]:
        return context_of(self._facts, self._book)

    @cached_property
    def assigned(self) -> Assigned | None:
        """Who it is for; None where nobody says so."""
        if self._routing is None:
            return None
        return self._routing.assigned(self._facts, lambda: self._plain_context)

    @cached_property
    def _routed_context(self) -> dict[str, Any]:
        found = self.assigned
        return self._plain_context | ({OWNER: found.owner} if found else {})

    def intent(self, rule_id: str, rule_name: str, action: Action) -> Intent:
        """Ready for the outbox. `problem` says what could not be filled in: cases and alerts then
        carry a plain text instead, a message to the customer must not go out like this."""
        context = self._context(action)
        params = action.params.model_dump()
        problems: list[str] = []
        for name, template in action.templates.items():
            params[name] = self._fill(action, name, params[name], template, context, problems)
        if action.templates and not problems:
            params = self._fit(action, params, problems)
        if action.mail is not None:
            try:
                language = self._facts.language
                params["rendered"] = self._mails[action.mail].render(context(), language)
            except CannotRender as reason:
                problems.append(f"the mail {action.mail} could not be written: {reason}")
        return Intent(
            rule_id=rule_id,
            rule_name=rule_name,
            kind=action.kind,
            sink=action.sink,
            params=_plain(params),
            respond_within=action.respond_within,
            settle=action.settle,
            hours=action.hours,
            send_hours=action.send_hours,
            digest=action.digest,
            problem="; ".join(problems),
            refused=refusal(rule_id, action, self._facts),
            pool=self.assigned.pool if action.routed and self.assigned else "",
        )

    def _context(self, action: Action) -> _Context:
        """Looked at when it is needed: most actions have plain texts."""
        return lambda: self._routed_context if action.routed else self._plain_context

    def _fill(
        self,
        action: Action,
        name: str,
        value: Any,
        template: Any,
        context: _Context,
        problems: list[str],
    ) -> Any:
        if isinstance(template, TextTemplate):
            try:
                return template.render(context())
            except CannotRender as reason:
                problems.append(f"{name} could not be filled in: {reason}")
                return value if action.to_customer else self._instead(action, name)
        filled: dict[Any, Any] = dict(value) if isinstance(value, dict) else dict(enumerate(value))
        for key, inner in template.items():
            try:
                filled[key] = inner.render(context())
            except CannotRender as reason:
                part = f"item {key + 1}" if isinstance(key, int) else key
                problems.append(f"{name}: {part} could not be filled in: {reason}")
                if not action.to_customer:
                    del filled[key]
        return filled if isinstance(value, dict) else list(filled.values())

    def _fit(self, action: Action, params: dict[str, Any], problems: list[str]) -> dict[str, Any]:
        """Texts have to fit the kind's own limits also when they are filled in."""
        try:
            return type(action.params).model_validate(params).model_dump()
        except ValidationError as error:
            names = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
        problems.append(f"{', '.join(sorted(names))}: not what {action.kind} takes once filled in")
        if action.to_customer:
            return params
        return params | {name: self._instead(action, name) for name in names}

    def _instead(self, action: Action, name: str) -> Any:
        """What a case or an alert says where its own text cannot be filled in: the field's own
        default where that is plain (no owner, no group), else a sentence that still gets the call
        made."""
        field = type(action.params).model_fields[name]
        if not field.is_required():
            usual = field.get_default(call_default_factory=True)
            if not has_template(str(usual)):
                return usual
        score = self._facts.score
        return f"NPS{'' if score is None else f' {score}'}: please call the customer"


def _plain(value: Any) -> Any:
    """Only what JSON has; durations as `"14400s"`, which `Duration` reads."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, timedelta):
        return f"{int(value.total_seconds())}s"
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
