"""The words of `mentions`: what it means that a text holds one, and which of many it holds.

The words of all rules are found in one pass over the words of the text: cut at whatever is no
letter, digit or `_`, each is looked up. This costs the same for ten words and for thousands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from connector.text import fold

# Scripts that write without spaces between words: there a word may stand anywhere.
_SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\ud7ff]")
_RUN = re.compile(r"\w+")
_SIGNS = bytes(n if n < 128 and _RUN.match(chr(n)) else 32 for n in range(256))
_STEM = 4  # letters by which the beginnings (`cancel*`) are looked up


class Word:
    """One word or phrase, to be found whole in folded text.

    `cancel*` also finds what begins so (`cancelled`). Between the words of a phrase may stand any
    white space.

    Raises:
        ValueError: for a word without a letter, digit or sign.
    """

    def __init__(self, written: str) -> None:
        folded = fold(written).strip()
        stem = folded.removesuffix("*").rstrip()
        if not stem:
            raise ValueError("must hold a word to look for")
        self.written = written
        self.parts = stem.split()
        self.starts_whole = _needs_edge(stem[0])
        self.ends_whole = _needs_edge(stem[-1]) and not folded.endswith("*")
        # nothing but letters and digits, so that it stands within one word of a text
        self.is_run = len(self.parts) == 1 and _RUN.fullmatch(stem) is not None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What decides whether the word is there."""
        body = r"\s+".join(re.escape(part) for part in self.parts)
        body = re.sub("['\u2019]", "['\u2019]", body)  # typed and typographic apostrophes are one
        start = r"(?<!\w)" if self.starts_whole else ""
        end = r"(?!\w)" if self.ends_whole else ""
        return re.compile(f"{start}{body}{end}")

    def is_in(self, text: str) -> bool:
        """Does it stand in this folded text?"""
        return self.pattern.search(text) is not None


def _needs_edge(character: str) -> bool:
    return bool(_RUN.match(character)) and not _SPACELESS.match(character)


class Finder:
    """Which of many words stand in a text. Says of each exactly what `Word.is_in` says.

    Whole words and the first words of phrases are looked up as they are, beginnings by their first
    letters, and what may stand inside a word (Chinese, Thai, `:-(`) by its first sign.
    """

    def __init__(self, words: Iterable[Word]) -> None:
        self._whole: dict[str, list[Word]] = {}
        self._begun: dict[int, dict[str, list[Word]]] = {}
        self._inside: dict[str, list[Word]] = {}
        for word in words:
            first = word.parts[0]
            if not word.starts_whole:
                self._inside.setdefault(first[0], []).append(word)
            elif word.is_run and not word.ends_whole:
                size = min(len(first), _STEM)
                self._begun.setdefault(size, {}).setdefault(first[:size], []).append(word)
            else:
                run = _RUN.match(first)
                self._whole.setdefault(run[0] if run else first, []).append(word)

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
        return found


def _runs(text: str) -> list[str]:
    """Everything between signs and spaces."""
    if text.isascii():
        return text.encode("ascii").translate(_SIGNS).decode("ascii").split()
    return _RUN.findall(text)
