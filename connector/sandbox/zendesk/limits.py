"""Zendesk's limits, by the clock's own minutes. Headers and 429 as the vendor sends them.

https://developer.zendesk.com/api-reference/introduction/rate-limits/
"""

from __future__ import annotations

from connector.sandbox.core import Clock, Refusal
from connector.sandbox.zendesk.desk import Row


class Limits:
    """Counts calls in fixed windows kept in the state."""

    def __init__(self, state: Row, clock: Clock) -> None:
        self.state = state
        self.clock = clock

    def take(self, name: str, limit: int, seconds: int = 60) -> None:
        """Count one call; raises `Refusal` 429 with Retry-After when the window is used up."""
        now = self.clock.timestamp()
        window = [int(now // seconds), 0]
        if (known := self.state["windows"].get(name)) and known[0] == window[0]:
            window = known
        if window[1] >= limit:
            wait = int(seconds - now % seconds) + 1
            raise Refusal(
                429,
                {
                    "error": "APIRateLimitExceeded",
                    "description": "Number of allowed API requests per minute exceeded",
                },
                {"Retry-After": str(wait)},
            )
        self.state["windows"][name] = [window[0], window[1] + 1]

    def headers(self) -> dict[str, str]:
        limit = self.state["settings"]["requests_per_minute"]
        now = self.clock.timestamp()
        minute, used = self.state["windows"].get("account", [0, 0])
        left = max(0, limit - (used if minute == int(now // 60) else 0))
        return {
            "X-Rate-Limit": str(limit),
            "X-Rate-Limit-Remaining": str(left),
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(left),
            "ratelimit-reset": str(int(60 - now % 60) + 1),
        }
