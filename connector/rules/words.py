"""The words of `mentions`: what it means that a text holds one, and which of many it holds.

The words of all rules are found in one pass over the words of the text: cut at whatever is no
letter, digit or `_`, each is looked up. This costs the same for ten words and for thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from connector.rules.stems import HEAD, head, stem
from connector.text import fold

ANY = "any"  # in place of a language: as it is written, in answers of every language
FORMS_SEARCHED = 10_000  # characters of a text in which the forms of a word are looked for

# Scripts that write without spaces between words: there a word may stand anywhere.
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\ud7ff]")
_RUN = re.compile(r"\w+")
_RUN_OR_NOT = re.compile(r"\w+|\W+")
_SIGNS = bytes(n if n < 128 and _RUN.match(chr(n)) else 32 for n in range(256))
_BEGINNING = 4  # letters by which the beginnings (`cancel*`) are looked up
_MOST_KNOWN = 20_000  # words of texts of which a finder remembers what they are forms of


class Word:
    """One word or phrase, to be found whole in folded text.

    `cancel*` also finds what begins so (`cancelled`). Between the words of a phrase may stand any
    white space. With a `language` it is found only in answers of that language, and in all forms
    of each of its words, but for a word with a star.

    Raises:
        ValueError: for a word without a letter, digit or sign.
    """

    def __init__(self, written: str, language: str = "") -> None:
        folded = fold(written).strip()
        bare = folded.removesuffix("*").rstrip()
        if not bare:
            raise ValueError("must hold a word to look for")
        self.written, self.language = written, language
        self.parts = bare.split()
        self.starts_whole = _needs_edge(bare[0])
        self.ends_whole = _needs_edge(bare[-1]) and not folded.endswith("*")
        # nothing but letters and digits, so that it stands within one word of a text
        self.is_run = len(self.parts) == 1 and _RUN.fullmatch(bare) is not None
        self.has_forms = bool(language) and self.starts_whole and self.ends_whole
        self._forms = tuple(
            (head(run), stem(language, run)) for run in _RUN.findall(bare) if self.has_forms
        )

    @property
    def key(self) -> tuple[str, str]:
        """Two words with the same key are found in the same texts."""
        return self.language, self.written

    @property
    def first_form(self) -> tuple[str, str]:
        """How a text's word begins, and its stem, where this one may stand."""
        return self._forms[0]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Where it stands; of a word with forms: where words stand that begin like these, each of
        them a group."""
        if self.has_forms:
            runs = iter(self._forms)
            body = r"\s+".join(_beginnings(part, runs) for part in self.parts)
            body = f"(?={body}(?!\\w))"  # looked ahead, for places may overlap
        else:
            body = r"\s+".join(map(re.escape, self.parts)) + (r"(?!\w)" if self.ends_whole else "")
        body = re.sub("['\u2019]", "['\u2019]", body)  # typed and typographic ones are one
        return re.compile((r"(?<!\w)" if self.starts_whole else "") + body)

    def places(self, text: str) -> Iterator[int]:
        """Where it begins in this folded text of its language."""
        if self.has_forms:
            text = text[:FORMS_SEARCHED]
        for found in self.pattern.finditer(text):
            pairs = zip(found.groups(), self._forms, strict=True)
            if all(stem(self.language, run) == wanted for run, (_, wanted) in pairs):
                yield found.start()

    def is_in(self, text: str, language: str | None = None) -> bool:
        """Does it stand in this folded text? `language` is that of the answer; None: of whatever
        language the word is."""
        if self.language and language is not None and self.language != language:
            return False
        return next(self.places(text), None) is not None


def _needs_edge(character: str) -> bool:
    return bool(_RUN.match(character)) and not _SPACELESS.match(character)


def _beginnings(part: str, runs: Iterator[tuple[str, str]]) -> str:
    """`e-mail` -> `(e)\\-(ma\\w*)`."""
    return "".join(
        _beginning(next(runs)[0]) if _RUN.match(piece) else re.escape(piece)
        for piece in _RUN_OR_NOT.findall(part)
    )


def _beginning(letters: str) -> str:
    """Every word whose `head` this is."""
    written = re.escape(letters).replace("i", "[iy]")
    return f"({written}\\w*)" if len(letters) == HEAD else f"({written})"


def spelled(wanted: Any) -> list[str]:
    """What stands behind `mentions`, one text for each word: `refund`, `es: reembolsar`."""
    if isinstance(wanted, Mapping):
        return [
            text if language == ANY else f"{language}: {text}"
            for language, texts in wanted.items()
            for text in spelled(texts)
        ]
    return [str(text) for text in (wanted if isinstance(wanted, list | tuple) else [wanted])]


def spelled_word(word: Word) -> str:
    """The same for one word."""
    return f"{word.language}: {word.written}" if word.language else word.written


class Finder:
    """Which of many words stand in a text of one language. Says of each exactly what `Word.is_in`
    says; words of other languages are left out by who makes it.

    Whole words and the first words of phrases are looked up as they are, beginnings by their first
    letters, what may stand inside a word (Chinese, Thai, `:-(`) by its first sign, and forms by
    their stem, which is remembered.
    """

    def __init__(self, words: Iterable[Word], language: str = "") -> None:
        self._language = language
        self._whole: dict[str, list[Word]] = {}
        self._begun: dict[int, dict[str, list[Word]]] = {}
        self._inside: dict[str, list[Word]] = {}
        self._forms: dict[tuple[str, str], list[Word]] = {}
        for word in words:
            first = word.parts[0]
            if word.has_forms:
                self._forms.setdefault(word.first_form, []).append(word)
            elif not word.starts_whole:
                self._inside.setdefault(first[0], []).append(word)
            elif word.is_run and not word.ends_whole:
                size = min(len(first), _BEGINNING)
                self._begun.setdefault(size, {}).setdefault(first[:size], []).append(word)
            else:
                run = _RUN.match(first)
                self._whole.setdefault(run[0] if run else first, []).append(word)
        self._heads = {beginning for beginning, _ in self._forms}
        self._known: dict[str, list[Word]] = {}  # a word of texts -> what it may be a form of

    def find(self, text: str) -> list[Word]:
        """The words that stand in this folded text, in no order."""
        found: list[Word] = []
        runs, whole = _runs(text), self._whole
        hits = [run for run in runs if run in whole]
        if hits:
            for run in set(hits):
                found += [word for word in whole[run] if word.is_run or word.is_in(text)]
        for size, begun in self._begun.items():
            hits = [run for run in runs if run[:size] in begun]
            for run in set(hits):
                found += [word for word in begun[run[:size]] if run.startswith(word.parts[0])]
        if self._inside:
            for sign in self._inside.keys() & set(text):
                found += [word for word in self._inside[sign] if word.is_in(text)]
        if self._forms:
            found += self._find_forms(text, runs)
        return found

    def _find_forms(self, text: str, runs: list[str]) -> list[Word]:
        if len(text) > FORMS_SEARCHED:
            text = text[:FORMS_SEARCHED]
            runs = _runs(text)
        known = self._known
        unknown = [run for run in runs if run not in known]
        if unknown:
            if len(known) > _MOST_KNOWN:
                known = self._known = {}
                unknown = runs
            known |= {run: self._forms_of(run) for run in set(unknown)}
        hits = {run for run in runs if known[run]}
        maybe = {word.key: word for run in hits for word in known[run]}
        return [word for word in maybe.values() if word.is_run or word.is_in(text)]

    def _forms_of(self, run: str) -> list[Word]:
        beginning = head(run)
        if beginning not in self._heads:
            return []
        return self._forms.get((beginning, stem(self._language, run)), [])


def _runs(text: str) -> list[str]:
    """Everything between signs and spaces."""
    if text.isascii():
        return text.encode("ascii").translate(_SIGNS).decode("ascii").split()
    return _RUN.findall(text)
