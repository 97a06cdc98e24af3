"""HubSpot's limits: in any ten seconds, a day of the account's zone, in any second for searches.

https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
"""

from __future__ import annotations

from bisect import bisect_right
from zoneinfo import ZoneInfo

from connector.sandbox.core import Clock, Refusal
from connector.sandbox.hubspot.answers import Row, error_body

_ROLLING = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}


class Limits:
    """Counts the calls of the last seconds, whenever they began, and those of the account's day."""

    def __init__(self, state: Row, clock: Clock) -> None:
        self.state = state
        self.clock = clock

    def _used(self, name: str) -> int:
        if name in _ROLLING:
            return len(self._recent(name))
        day, used = self.state["windows"].get(name, [None, 0])
        return int(used) if day == self._today() else 0

    def _recent(self, name: str) -> list[float]:
        """When the calls were made that still count, the oldest first."""
        calls: list[float] = self.state["windows"].get(name, [])
        gone = self.clock.timestamp() - _ROLLING[name]
        return calls[bisect_right(calls, gone) :]

    def _today(self) -> int:
        zone = ZoneInfo(self.state["settings"]["time_zone"])
        return self.clock.now().astimezone(zone).toordinal()

    def take(self, name: str, limit: int) -> None:
        """Count one call; raises `Refusal` 429. `DAILY` has no Retry-After: it ends at midnight."""
        used = self._used(name)
        if used >= limit:
            body = error_body(
                "RATE_LIMITS",
                f"You have reached your {name.lower()} limit.",
                errorType="RATE_LIMIT",
                policyName=name,
            )
            raise Refusal(429, body, {} if name == "DAILY" else {"Retry-After": "10"})
        if name in _ROLLING:
            self.state["windows"][name] = [*self._recent(name), self.clock.timestamp()]
        else:
            self.state["windows"][name] = [self._today(), used + 1]

    def headers(self) -> dict[str, str]:
        settings = self.state["settings"]
        day, burst = settings["requests_per_day"], settings["requests_per_10_seconds"]
        return {
            "X-HubSpot-RateLimit-Daily": str(day),
            "X-HubSpot-RateLimit-Daily-Remaining": str(day - self._used("DAILY")),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(burst),
            "X-HubSpot-RateLimit-Remaining": str(burst - self._used("TEN_SECONDLY_ROLLING")),
        }
