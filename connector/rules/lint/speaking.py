"""A comment that says what conditions about topics, requests and contradictions ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connector.rules.lint.branches import Literal
from connector.rules.lint.candidates import candidates
from connector.rules.topics import COMPLAINT, CONTRADICTION, Subject, TopicBook
from connector.rules.words import Word

Fit = Callable[[Sequence[Literal], Any], bool]


def said_about(
    heard: Mapping[str, Sequence[Literal]], book: TopicBook, given: Mapping[str, Any], fit: Fit
) -> dict[str, Any] | None:
    """`comment` and `language` of such an answer, added to what is `given`; None: no comment says
    all that. Whether it says nothing else is for the reader to try."""
    subjects: list[Subject] = []
    for name, literals in heard.items():
        if name == CONTRADICTION:
            values = [value for value in (False, True) if fit(literals, value)]
            if not values:
                return None
            subjects += [(COMPLAINT, "")] if values[0] else []
            continue
        known = book.topics if name == "topics" else book.asks_for
        tried = [*candidates(name, "topics", literals).values, *((one,) for one in known)]
        wanted = next((value for value in tried if fit(literals, value)), None)
        if wanted is None:
            return None
        subjects += [(name, one) for one in wanted]
    return _sentence(subjects, book, given) if subjects else {}


def _sentence(
    subjects: Sequence[Subject], book: TopicBook, given: Mapping[str, Any]
) -> dict[str, Any]:
    """One word for each, in the language that has words for most of them."""
    words = book.subjects()
    told = given.get("language")
    languages = [str(told)] if told else ["en", *sorted(book.languages)]

    def chosen(language: str) -> list[Word]:
        first = [
            next((w for w in words.get(subject, ()) if w.language in ("", language)), None)
            for subject in subjects
        ]
        return [word for word in first if word is not None]

    language = max(languages, key=lambda one: len(chosen(one)))
    said = [word.written.rstrip("* ") for word in chosen(language)]
    comment = "; ".join([*filter(None, [given.get("comment")]), *said])
    spoken = {"language": language} if any(word.language for word in chosen(language)) else {}
    return {"comment": comment} | spoken
