"""Text with `{{ … }}`: what may stand in it, and how it is filled.

Jinja2 (https://jinja.palletsprojects.com/) in its sandbox, cut down to data: templates see plain
maps of facts, cannot call anything, and loop only over two short lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from connector.domain import Facts
from connector.rules.spans import days_since_answer, drop
from connector.rules.topics import DERIVED, NO_TOPICS, TopicBook
from connector.text import one_line

LONGEST = 100_000  # characters that one template may give
FALLBACK_LANGUAGE = "en"


class CannotRender(Exception):
    """A value that the template needs is missing or of the wrong type; names it, never shows it."""


class _Missing(jinja2.Undefined):
    """An empty or absent value: fine in `if` and `default`, an error where it would be printed."""

    __slots__ = ()

    def __str__(self) -> str:
        raise jinja2.UndefinedError(self._undefined_message)

    def __iter__(self) -> Iterator[Any]:
        raise jinja2.UndefinedError(self._undefined_message)

    def __len__(self) -> int:
        raise jinja2.UndefinedError(self._undefined_message)

    @property
    def _undefined_message(self) -> str:
        return f"{self._undefined_name} is empty"


def default(value: Any, fallback: Any = "") -> Any:
    """`fallback` where there is nothing; 0 and false are something."""
    return fallback if isinstance(value, _Missing) or value is None or value == "" else value


def date(value: Any, form: str = "%Y-%m-%d") -> str:
    """A time (UTC) as a date; `form` as in https://strftime.org/."""
    if isinstance(value, _Missing):
        return str(value)
    if not isinstance(value, datetime):
        raise TypeError("date needs a time")
    return value.strftime(form)


def truncate(value: Any, length: int = 80) -> str:
    """At most `length` characters, the last one `…` where something was cut."""
    text = str(value)
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"


_OWN_FILTERS = {"default": default, "date": date, "truncate": truncate}
_KEPT_FILTERS = ("lower", "upper", "title", "trim", "round", "join")
FILTERS = (*_OWN_FILTERS, *_KEPT_FILTERS)
TESTS = ("defined",)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Dots reach into maps and nowhere else, so no Python object can be touched."""

    def __init__(self, escape: bool) -> None:
        super().__init__(
            autoescape=escape,
            undefined=_Missing,
            finalize=_shown,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.filters = {name: self.filters[name] for name in _KEPT_FILTERS} | _OWN_FILTERS
        self.tests = {name: self.tests[name] for name in TESTS}
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        return self.undefined(name=_full_name(obj, str(argument)))


class _Branch(dict[str, Any]):
    """A group of facts that knows its name, for the message when a part is missing."""

    name = ""


def _full_name(obj: Any, attribute: str) -> str:
    return f"{obj.name}.{attribute}" if isinstance(obj, _Branch) else attribute


def _shown(value: Any) -> Any:
    """`50000.0` is written `50000`: spreadsheets and CRMs give whole numbers as decimals."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


SANDBOX: Mapping[bool, jinja2.Environment] = {html: _Sandbox(escape=html) for html in (False, True)}


@dataclass(frozen=True)
class TextTemplate:
    """A compiled template. `prints` are the variables that it prints and that can be empty, with
    the line (from 1) where each is first used; `needs` are those without a default or an `if`.
    `names` are all that it speaks of."""

    compiled: jinja2.Template
    needs: Mapping[str, int]
    prints: Mapping[str, int]
    names: frozenset[str] = frozenset()

    def render(self, context: Mapping[str, Any]) -> str:
        """The filled text.

        Raises:
            CannotRender: a printed value is missing, or the text would be too long.
        """
        parts: list[str] = []
        size = 0
        try:
            for part in self.compiled.generate(context):
                size += len(part)
                if size > LONGEST:
                    raise CannotRender(f"it is longer than {LONGEST} characters")
                parts.append(part)
        except jinja2.UndefinedError as error:
            raise CannotRender(one_line(str(error))) from None
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError):
            raise CannotRender("a value is not of the type that is needed here") from None
        return "".join(parts)


@dataclass(frozen=True)
class MailParts:
    subject: TextTemplate
    text: TextTemplate
    html: TextTemplate | None

    @property
    def names(self) -> frozenset[str]:
        """All variables that it speaks of."""
        html = self.html.names if self.html else frozenset[str]()
        return self.subject.names | self.text.names | html


@dataclass(frozen=True)
class MailTemplate:
    """One mail in its languages; keys are lower-case language tags."""

    name: str
    languages: Mapping[str, MailParts]

    def choose(self, language: str) -> str:
        """`pt-BR` -> `pt-br`, else `pt`, else `en`, else the first there is."""
        tag = language.lower().replace("_", "-")
        for wanted in (tag, tag.partition("-")[0], FALLBACK_LANGUAGE):
            if wanted in self.languages:
                return wanted
        return min(self.languages)

    def render(self, context: Mapping[str, Any], language: str) -> dict[str, str]:
        """`subject`, `text`, `html` (empty where there is none) and the `language` chosen.

        Raises:
            CannotRender: as in `TextTemplate.render`.
        """
        chosen = self.choose(language)
        parts = self.languages[chosen]
        return {
            "subject": one_line(parts.subject.render(context)),
            "text": parts.text.render(context),
            "html": parts.html.render(context) if parts.html else "",
            "language": chosen,
        }


def context_of(facts: Facts, book: TopicBook = NO_TOPICS) -> dict[str, Any]:
    """What a template sees: the facts as maps, without what is None or empty, and what `book` says
    to them."""
    data = facts.model_dump()
    data["history"] |= {"drop": drop(facts), "days_since_answer": days_since_answer(facts)}
    seen = {name: _full(value, name) for name, value in data.items() if not _is_empty(value)}
    return seen | {name: _full(book.value(name, facts), name) for name in DERIVED}


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _full(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        branch = _Branch({k: _full(v, k) for k, v in value.items() if not _is_empty(v)})
        branch.name = name
        return branch
    if isinstance(value, list | tuple):
        return [_full(item, "answer") for item in value]
    return value
