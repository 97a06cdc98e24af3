"""YAML for tests: the same text is parsed once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

MOST_TEXTS = 200
LONGEST_TEXT = 20_000  # characters
_parsed: OrderedDict[str, list[Any]] = OrderedDict()


class Remembering(YAML):
    """Hundreds of tests begin with the same rules, and to parse them takes most of that beginning.
    Only what comes out of the parser is kept; each test makes its own values of it. Of a text with
    a fault nothing is kept."""

    def parse(self, stream: Any) -> Iterator[Any]:
        known = _parsed.get(stream)
        if known is None:
            yield from self._first_time(stream)
            return
        _parsed.move_to_end(stream)
        yield from known

    def _first_time(self, text: str) -> Iterator[Any]:
        events = []
        for event in super().parse(text):
            events.append(event)
            yield event
        if len(text) <= LONGEST_TEXT:
            _parsed[text] = events
            if len(_parsed) > MOST_TEXTS:
                _parsed.popitem(last=False)
