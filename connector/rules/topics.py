"""What a comment is about, what it asks for, and whether its words fit its score.

Derived from the facts and from the words of `topics.yaml` alone, at any time, and never stored as
a fact. Nothing is claimed about a mood: the score is what the customer said about that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connector.languages import base
from connector.rules.words import Finder, Word, spelled_word
from connector.text import fold

if TYPE_CHECKING:
    from connector.domain import Facts

TOPICS, ASKS_FOR, CONTRADICTION = DERIVED = ("topics", "asks_for", "contradiction")
COMPLAINT = "complaint"
MOST_WORDS_TOLD = 5

_BEFORE = 80  # characters before a word that are looked at
_CLAUSE = re.compile(r"[.,;:!?\u00a1\u00bf()\[\]\n\u2026]")
_RUN = re.compile(r"[\w'\u2019]+")
# How many words before it a "no" turns a word around: "it was not at all bad". Who asks not to be
# called says so directly: "I never got the quote" asks for one.
_WINDOWS = {COMPLAINT: 3, ASKS_FOR: 1}
_NEGATIONS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "de": "nicht nie niemals kein keine keinen keiner keinerlei ohne nichts null",
        "en": "no not never without nothing none nor neither hardly cannot zero dont doesnt didnt "
        "isnt wasnt cant wont",
        "es": "no nunca jamas sin ni ningun ninguna ninguno nada tampoco cero",
        "fr": "pas jamais sans aucun aucune rien ni ne zero",
        "it": "non mai senza nessun nessuna nessuno niente nulla ne zero",
        "nl": "niet nooit geen zonder niets nul",
        "pt": "nao nunca jamais sem nem nenhum nenhuma nada tampouco zero",
    }.items()
}

Subject = tuple[str, str]  # (`topics`, its name), (`asks_for`, its name), (`complaint`, "")


@dataclass(frozen=True)
class Heard:
    """What one comment says. `words` are those that were found, as topics.yaml spells them;
    `complaints` are words of complaint, empty where the score is no promoter's."""

    topics: tuple[str, ...] = ()
    asks_for: tuple[str, ...] = ()
    complaints: tuple[str, ...] = ()
    words: Mapping[Subject, tuple[str, ...]] = field(default_factory=dict)

    @property
    def contradiction(self) -> bool:
        """A promoter's score with words of complaint."""
        return bool(self.complaints)

    @property
    def flags(self) -> tuple[str, ...]:
        """`asks_for:quote`, `contradiction`."""
        asked = tuple(f"{ASKS_FOR}:{name}" for name in self.asks_for)
        return (*asked, CONTRADICTION) if self.contradiction else asked


_SILENCE = Heard()


@dataclass(frozen=True, eq=False)
class TopicBook:
    """The words of one `topics.yaml`, ready to listen with. Threads may share it.

    `is_whole`: false where the file has mistakes, so that more may be meant than is known.
    """

    topics: Mapping[str, tuple[Word, ...]] = field(default_factory=dict)
    asks_for: Mapping[str, tuple[Word, ...]] = field(default_factory=dict)
    complaint: tuple[Word, ...] = ()
    is_whole: bool = True
    _last: list[tuple[Facts, Heard]] = field(default_factory=list, repr=False)
    _finders: dict[str, Finder] = field(default_factory=dict, repr=False)
    _subjects: dict[tuple[str, str], list[Subject]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for subject, words in self.subjects().items():
            for word in words:
                self._subjects.setdefault(word.key, []).append(subject)
        for language in {word.language for words in self.subjects().values() for word in words}:
            self._finders[language] = Finder(self._of(language), language)
        self._finders.setdefault("", Finder(self._of("")))

    def subjects(self) -> dict[Subject, tuple[Word, ...]]:
        """Everything that is listened for, with its words, in the order of the file."""
        found: dict[Subject, tuple[Word, ...]] = {}
        for group, named in ((TOPICS, self.topics), (ASKS_FOR, self.asks_for)):
            found |= {(group, name): words for name, words in named.items()}
        return found | {(COMPLAINT, ""): self.complaint}

    @property
    def languages(self) -> frozenset[str]:
        """Those that it has words of."""
        return frozenset(language for language in self._finders if language)

    def _of(self, language: str) -> Iterable[Word]:
        words = {word.key: word for words in self.subjects().values() for word in words}
        return [word for word in words.values() if word.language in ("", language)]

    def heard(self, facts: Facts) -> Heard:
        """What this answer's comment says. The newest answer is remembered: several fields ask."""
        if not self._subjects:
            return _SILENCE
        for known, heard in self._last:  # at most one
            if known is facts:
                return heard
        heard = self._listen(facts)
        self._last[:] = [(facts, heard)]
        return heard

    def value(self, name: str, facts: Facts) -> Any:
        """Of one of the fields `DERIVED`."""
        return getattr(self.heard(facts), name)

    def _listen(self, facts: Facts) -> Heard:
        if not facts.comment:
            return _SILENCE
        text, language = fold(facts.comment).strip(), base(facts.language)
        found = (self._finders.get(language) or self._finders[""]).find(text)
        if not found:
            return _SILENCE
        words: dict[Subject, list[str]] = {}
        for word in found:
            for subject in self._subjects[word.key]:
                window = _WINDOWS.get(subject[0], 0)
                if not window or _stands_plainly(word, text, language, window):
                    words.setdefault(subject, []).append(spelled_word(word))
        told = {subject: tuple(sorted(some)) for subject, some in words.items()}
        complaints = told.get((COMPLAINT, ""), ()) if facts.segment == "promoter" else ()
        return Heard(
            topics=tuple(name for name in self.topics if (TOPICS, name) in told),
            asks_for=tuple(name for name in self.asks_for if (ASKS_FOR, name) in told),
            complaints=complaints[:MOST_WORDS_TOLD],
            words=told,
        )


def _stands_plainly(word: Word, text: str, language: str, window: int) -> bool:
    """Does it stand anywhere without a "no" among the words before it?"""
    return any(not _is_denied(text, place, language, window) for place in word.places(text))


def _is_denied(text: str, place: int, language: str, window: int) -> bool:
    negations = _NEGATIONS.get(language, frozenset())
    clause = _CLAUSE.split(text[max(place - _BEFORE, 0) : place])[-1]
    before = _RUN.findall(clause)[-window:]
    return any(run in negations or run.replace("\u2019", "'").endswith("n't") for run in before)


NO_TOPICS = TopicBook()
