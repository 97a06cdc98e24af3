"""Background jobs of create_many and update_many.

The work is done when the job is accepted; until `job_seconds` have passed the job only says that
it is queued. https://developer.zendesk.com/api-reference/ticketing/ticket-management/job_statuses/
"""

from __future__ import annotations

import hashlib
from typing import Any

from connector.sandbox.core import Clock, Refusal
from connector.sandbox.zendesk.desk import Row

MOST_JOBS = 30
KEPT_SECONDS = 86_400


class Jobs:
    def __init__(self, state: Row, clock: Clock) -> None:
        self.state = state
        self.clock = clock

    def check_room(self) -> None:
        """Raises `Refusal` when 30 jobs are queued; its status is not documented."""
        waiting = [job for job in self.state["jobs"].values() if not self._ended(job)]
        if len(waiting) >= MOST_JOBS:
            text = "You already have 30 jobs queued or running"
            raise Refusal(429, {"error": "TooManyJobs", "description": text})

    def add(self, results: list[Row]) -> Row:
        serial = f"{len(self.state['jobs'])}-{self.clock.timestamp()}"
        number = hashlib.sha256(serial.encode()).hexdigest()[:32]
        failed = bool(results) and all("error" in result for result in results)
        self.state["jobs"][number] = {
            "id": number,
            "at": self.clock.timestamp(),
            "ready_at": self.clock.timestamp() + self.state["settings"]["job_seconds"],
            "status": "failed" if failed else "completed",
            "results": results,
        }
        return self._shown(self.state["jobs"][number], accepted=True)

    def find(self, number: str) -> Row | None:
        """What a poll sees; None when unknown or older than a day."""
        job: Row | None = self.state["jobs"].get(number)
        if job is None or self.clock.timestamp() - job["at"] > KEPT_SECONDS:
            return None
        return self._shown(job, accepted=False)

    def _ended(self, job: Row) -> bool:
        ready: float = job["ready_at"]
        return self.clock.timestamp() >= ready

    def _shown(self, job: Row, accepted: bool) -> Row:
        ended = self._ended(job) and not accepted
        total = len(job["results"])
        results: Any = job["results"] if ended else None
        return {
            "id": job["id"],
            "url": f"https://sandbox.zendesk.com/api/v2/job_statuses/{job['id']}.json",
            "total": total,
            "progress": total if ended else None,
            "status": job["status"] if ended else "queued",
            "message": f"Completed at {job['ready_at']}" if ended else None,
            "results": results,
        }
