"""What bounds a rule as a whole: its cap, its holdout, and whether anybody uses `routing`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from connector.documents import Document
from connector.domain import Problem
from connector.rules.actions import At, templates_in
from connector.rules.caps import Cap, Recall
from connector.rules.model import Action, Condition, Group, Rule
from connector.rules.routing import OWNER, Routing
from connector.rules.templates import MailTemplate
from connector.rules.written import RuleText

CONTACT = "history.days_since_contact"


def bound(action: Action, cap: Cap | None, mails: Mapping[str, MailTemplate]) -> Action:
    """The action with the cap that counts for it; a case has none."""
    routed = OWNER in _names(action, mails)
    return replace(action, cap=None if action.opens_case else cap or None, routed=routed)


def problems_of(
    document: Document, at: At, head: RuleText, actions: Sequence[Action]
) -> Iterator[Problem]:
    """A holdout or a cap where it makes no sense."""
    cases = [action.kind for action in actions if action.opens_case]
    if head.holdout is not None and cases:
        message = f"holdout: {cases[0]} opens a case, and nobody is left without their call"
        hint = "move the case to a rule of its own, without holdout"
        yield document.problem(message, *at, "holdout", hint=hint)
    if head.cap and actions and len(cases) == len(actions):
        message = "cap: this rule only opens cases, which are never limited"
        hint = "remove it; it counts for messages to customers and for alerts"
        yield document.problem(message, *at, "cap", hint=hint, warning=True)


def unused_routing(
    document: Document, routing: Routing | None, rules: Sequence[Rule], default: Sequence[Action]
) -> Iterator[Problem]:
    """`routing` that no action asks."""
    if routing is None or any(action.routed for action in _actions(rules, default)):
        return
    message = "no action uses routing"
    hint = 'write owner: "{{ owner }}" in a task, or assignee: "{{ owner }}" in a ticket'
    yield document.problem(message, "routing", hint=hint, warning=True)


def recall_of(
    rules: Sequence[Rule], default: Sequence[Action], mails: Mapping[str, MailTemplate]
) -> Recall:
    """What these rules have to know of what happened to a customer before."""
    actions = list(_actions(rules, default))
    caps = [action.cap for action in actions if action.cap]
    contacts = any(_asks(rule.when) for rule in rules)
    return Recall(
        kinds=frozenset(action.kind for action in actions if action.cap),
        most=max((cap.most for cap in caps), default=1),
        within=max((cap.within for cap in caps), default=Recall().within),
        contacts=contacts or any(CONTACT in _names(action, mails) for action in actions),
    )


def _actions(rules: Sequence[Rule], default: Sequence[Action]) -> Iterator[Action]:
    for rule in rules:
        yield from rule.then
    yield from default


def _asks(member: Condition | Group) -> bool:
    if isinstance(member, Condition):
        return member.field == CONTACT
    return any(_asks(each) for each in member.members)


def _names(action: Action, mails: Mapping[str, MailTemplate]) -> set[str]:
    """The variables that its texts speak of."""
    found = {name for _, template in templates_in(action.templates) for name in template.names}
    mail = mails.get(action.mail) if action.mail else None
    for parts in mail.languages.values() if mail else ():
        found |= parts.names
    return found
