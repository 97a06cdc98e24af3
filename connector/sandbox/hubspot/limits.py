"""HubSpot's limits: per ten seconds, per day of the account's own zone, per second for searches.

https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from connector.sandbox.core import Clock, Refusal
from connector.sandbox.hubspot.answers import Row, error_body


class Limits:
    def __init__(self, state: Row, clock: Clock) -> None:
        self.state = state
        self.clock = clock

    def _used(self, name: str) -> int:
        window, used = self.state["windows"].get(name, [None, 0])
        return int(used) if window == self._window(name) else 0

    def _window(self, name: str) -> int:
        if name == "DAILY":
            zone = ZoneInfo(self.state["settings"]["time_zone"])
            return self.clock.now().astimezone(zone).toordinal()
        seconds = 10 if name == "TEN_SECONDLY_ROLLING" else 1
        return int(self.clock.timestamp() // seconds)

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
        self.state["windows"][name] = [self._window(name), used + 1]

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
