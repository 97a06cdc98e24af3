"""Words in a language in which nobody is asked."""

from __future__ import annotations

from collections.abc import Iterator

from connector.domain import Problem
from connector.languages import base
from connector.rules.lint.places import Places
from connector.rules.model import Condition, Group, Rule, Ruleset, Vocabulary
from connector.text import did_you_mean


def unheard(ruleset: Ruleset, places: Places, vocabulary: Vocabulary) -> Iterator[Problem]:
    """Languages of a `mentions` that no survey, mail or topic knows: most likely a slip (`pl` for
    `pt`), for an answer is in such a language only where its source or its customer says so."""
    surveys = {base(survey.language) for survey in vocabulary.surveys.values() if survey.language}
    mails = {base(language) for mail in ruleset.mails.values() for language in mail.languages}
    spoken = surveys | mails | ruleset.book.languages
    if not surveys:
        return  # any answer may be in any language
    for rule in ruleset.rules:
        for condition in _mentions(rule.when):
            for language in dict.fromkeys(word.language for word in condition.probe):
                if language and language not in spoken:
                    yield _told(rule, condition, language, spoken, places)


def _told(
    rule: Rule, condition: Condition, language: str, spoken: set[str], places: Places
) -> Problem:
    near = did_you_mean(language, sorted(spoken))
    listed = f"surveys, mails and topics speak {', '.join(sorted(spoken))}"
    return places.problem(
        f"'{rule.id}': {condition.field} is looked through for words in '{language}', which no "
        "survey, mail or topic speaks",
        rule,
        *places.condition(rule, condition.field),
        hint=f"{near} {listed}".strip(),
        severity="warning",
    )


def _mentions(member: Condition | Group) -> Iterator[Condition]:
    if isinstance(member, Group):
        for each in member.members:
            yield from _mentions(each)
    elif member.operator == "mentions":
        yield member
