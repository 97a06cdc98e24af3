"""The words behind `mentions` and in `topics.yaml`: read and checked, whatever way they are
written: one, a list, or lists by language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector.rules.stems import LANGUAGES
from connector.rules.words import ANY, Word
from connector.text import did_you_mean, one_line

LONGEST_WORD = 100  # characters
MOST_WORDS = 1_000  # in the list of one language
_NAMES = {name: code for code, name in LANGUAGES.items()}
Way = tuple[str | int, ...]


class BadWords(Exception):
    """`str()` says what it must be; `way` leads to the place; `at_key`: to the key there."""

    def __init__(self, message: str, hint: str = "", way: Way = (), at_key: bool = False) -> None:
        super().__init__(message)
        self.hint, self.way, self.at_key = hint, way, at_key


def words(wanted: Any) -> tuple[Word, ...]:
    """The words, in the order in which they are written.

    Raises:
        BadWords: what must stand there, in words.
    """
    if not isinstance(wanted, Mapping):
        return tuple(_listed(wanted, "", ()))
    if not wanted:
        raise BadWords("must not be empty", "write a language and its words: es: [reembolso]")
    found: list[Word] = []
    for language, texts in wanted.items():
        if language != ANY and language not in LANGUAGES:
            raise BadWords(f"unknown language '{one_line(language, 40)}'", *_cure(language))
        found += _listed(texts, "" if language == ANY else language, (language,))
    return tuple(found)


def _listed(texts: Any, language: str, way: Way) -> Iterator[Word]:
    if texts is None or texts == []:
        raise BadWords("must not be empty", way=way)
    several = isinstance(texts, list)
    for number, text in enumerate(texts if several else [texts]):
        here = (*way, number) if several else way
        if not isinstance(text, str):
            raise BadWords(f"must be text{_not(text)}", "put it in quotes", here)
        if way and len(text) > LONGEST_WORD:
            raise BadWords(f"must be at most {LONGEST_WORD} characters long", way=here)
        if way and number >= MOST_WORDS:
            raise BadWords(f"must be at most {MOST_WORDS} words", "split the list", way)
        try:
            yield Word(text, language)
        except ValueError as error:
            raise BadWords(str(error), way=here) from None


def _cure(language: str) -> tuple[str, Way, bool]:
    """The hint, the way, and that it is about the key."""
    tag = language.lower().replace("_", "-").partition("-")[0]
    if tag in LANGUAGES:
        hint = f"write {tag}: it includes {one_line(language, 20)}"
    else:
        near = _NAMES.get(language.lower(), "")
        known = did_you_mean(language, [*LANGUAGES, ANY, *_NAMES])
        hint = f"did you mean '{near}'?" if near else known
        allowed = f"allowed: {', '.join([*LANGUAGES, ANY])}; other languages go under {ANY}"
        hint = f"{hint} {allowed}".strip()
    return hint, (language,), True


def _not(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return f", not {str(value).lower()}"
    return ""
