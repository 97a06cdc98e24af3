"""The languages that a ruleset has words of: those of its mails, its topics and its rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from connector.languages import base
from connector.rules.model import Condition, Group, Rule
from connector.rules.templates import MailTemplate
from connector.rules.topics import TopicBook


def spoken(
    rules: Iterable[Rule], mails: Mapping[str, MailTemplate], book: TopicBook
) -> frozenset[str]:
    """`es`, `pt`; without regions."""
    written = {base(language) for mail in mails.values() for language in mail.languages}
    said = {language for rule in rules for language in _languages(rule.when)}
    return frozenset(written | book.languages | said)


def _languages(member: Condition | Group) -> Iterator[str]:
    if isinstance(member, Group):
        for each in member.members:
            yield from _languages(each)
    elif member.operator == "mentions":
        yield from (word.language for word in member.probe if word.language)
