"""Rulesets that this process has loaded, by the hash of their text: none is loaded twice."""

from __future__ import annotations

import threading

from connector.rules.load import load
from connector.rules.model import Loaded, RulesetText, Vocabulary

_MOST = 2  # the active one, and the one before it or a candidate: switching back costs nothing


class KeptRulesets:
    """Safe to share between threads. A text with errors is remembered with its problems too."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._kept: dict[str, Loaded] = {}
        self._lock = threading.Lock()

    def known(self, hash: str) -> Loaded | None:
        """What loading the text of this hash gave, where that is remembered."""
        return self._kept.get(hash)

    def load(self, text: RulesetText) -> Loaded:
        """As `rules.load.load`."""
        with self._lock:
            loaded = self._kept.pop(text.hash, None) or load(text, self._vocabulary)
            newest = {text.hash: loaded}
            self._kept = dict([*self._kept.items()][-(_MOST - 1) :]) | newest
        return loaded
