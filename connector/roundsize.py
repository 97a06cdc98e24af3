"""How many actions one round takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.ports import Capabilities

ROUND_SECONDS = 0.5  # so long an idle neighbour may wait for work that we hold
MOST = 200


class RoundSize:
    """As many as fill one call; while there is a backlog, as many as take about ROUND_SECONDS.

    A larger round shares its commits among more actions. It is for far sides with a key or a
    look-up only: whatever else is sent is marked one call at a time. Where a round finds less than
    it asked for there is no backlog, and the next one leaves the rest to others.
    """

    def __init__(self, capabilities: Capabilities) -> None:
        self._call = capabilities.batch
        can_recover = capabilities.can_find or bool(capabilities.key_lifetime)
        self._most = max(MOST, self._call) if can_recover else self._call
        self.actions = self._call

    def learn(self, asked: int, taken: int, seconds: float) -> None:
        """`taken` of the `asked` ones were there, and their calls took so many seconds."""
        if taken < asked or not taken:
            self.actions = self._call
            return
        # By the calls alone: where our own commits are slow, a round must not become smaller.
        fits = int(taken * ROUND_SECONDS / max(seconds, 1e-6))
        wanted = min(fits, 2 * self.actions, self._most)
        self.actions = max(wanted // self._call, 1) * self._call
