"""The stem of a word: what its forms have in common (`reembolsar`, `reembolso`, `reembolsaron`).

The stemmers are those of Snowball (https://snowballstem.org/), in C. Words come without accents, as
customers leave them out; where a stemmer needs one to know an ending, it is put back.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import Stemmer

LANGUAGES: Mapping[str, str] = {
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "lt": "lithuanian",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
_ENDINGS = {"pt": {"cao": "ção", "coes": "ções", "sao": "são", "soes": "sões"}}
_LONGEST = 40  # letters; longer ones are no words
HEAD = 2  # letters


def head(word: str) -> str:
    """The first letters: only words that share them are forms of one another. This spares most
    words of a text the stemmer (`dying` and `die` begin alike here)."""
    return word[:HEAD].replace("y", "i")


@lru_cache(maxsize=50_000)
def stem(language: str, word: str) -> str:
    """The stem of one word in lower case and without accents; `language` is one of `LANGUAGES`."""
    if len(word) > _LONGEST:
        return word
    for bare, ending in _ENDINGS.get(language, {}).items():
        if word.endswith(bare):
            word = word.removesuffix(bare) + ending
            break
    return str(Stemmer.Stemmer(LANGUAGES[language], 0).stemWord(word))  # two threads: two of them
