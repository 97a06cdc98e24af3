"""The outside world: posts signed answers, again and again until each is acknowledged.

    python -m tests.chaos.sender URL SECRET SEED PER_SECOND ENOUGH FILE

What was answered with 202 stands in FILE, one JSON line each, written before the next request.
What could not be sent in time is caught up with. After ENOUGH answers it goes on slowly, after
twice as many seldom: so there is always something to hit, and a slow machine is not buried.
SIGTERM: nothing new begins; what has begun is sent until it is acknowledged, and a few of the first
unhappy ones turn happy.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from tests.chaos import lots

SCORES = (0, 6, 7, 8, 9, 10)
REVISED_SHARE = 0.15  # with other words
TURNED_SHARE = 0.2  # with the opposite score
REPEATED_SHARE = 0.1
# At most; so some come before the first words were delivered, and some after.
REVISED_AFTER_SECONDS, TURNED_AFTER_SECONDS = 1.0, 4.0
AFTERTHOUGHTS = 8  # of the first unhappy ones, who turn when their case has long been opened
PARALLEL = 16
AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 3.0
SLOWLY_SECONDS, SELDOM_SECONDS = 0.2, 1.0


def answer(number: int, revision: int, score: int, lot: str = "") -> dict[str, Any]:
    """What a survey tool posts. Every person is made up and answers once."""
    return {
        "tags": [lot] if lot else [],
        "id": f"a-{number:05}",
        "score": score,
        "comment": f"words {revision} of a-{number:05}",
        "email": f"person-{number:05}@example.com",
        "name": f"Person a-{number:05}",
        "at": datetime.now(UTC).isoformat(),
        "revised": datetime.now(UTC).isoformat(),
    }


class Sender:
    def __init__(
        self, url: str, secret: str, seed: int, per_second: float, enough: int, file: Path
    ) -> None:
        self.url = url
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.random = random.Random(seed)
        self.pause = 1 / per_second
        self.enough = enough
        self.file = file
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.local = threading.local()
        self.unhappy: list[tuple[int, str]] = []  # who has not said anything else since, and when

    def run(self) -> None:
        number, due = 0, time.monotonic()
        with ThreadPoolExecutor(PARALLEL) as pool:
            running = threading.Semaphore(PARALLEL)
            while not self.stopping.is_set():
                thoughts = self.random.choice(SCORES), [self.random.random() for _ in range(3)]
                lot = self.random.choice(list(lots.LOTS))
                followed = self.random.random() < lots.SHARE
                running.acquire()
                if followed:
                    said = answer(number, 1, lots.SCORE, lot)
                    told = pool.submit(self.until_acknowledged, said)
                else:
                    told = pool.submit(self.tell, number, *thoughts)
                told.add_done_callback(lambda _: running.release())
                number += 1
                if number < self.enough:
                    due += self.pause
                else:
                    slow = SLOWLY_SECONDS if number < 2 * self.enough else SELDOM_SECONDS
                    due = time.monotonic() + slow
                self.stopping.wait(due - time.monotonic())
        for number, at in sorted(self.unhappy)[:AFTERTHOUGHTS]:
            self.until_acknowledged(answer(number, 2, 10) | {"at": at})

    def tell(self, number: int, score: int, drawn: list[float]) -> None:
        revised, repeated, hesitating = drawn
        first = answer(number, 1, score)
        self.until_acknowledged(first)
        if repeated < REPEATED_SHARE:
            self.post(json.dumps(first).encode())
        if revised < REVISED_SHARE + TURNED_SHARE:
            turned = revised < TURNED_SHARE
            time.sleep(hesitating * (TURNED_AFTER_SECONDS if turned else REVISED_AFTER_SECONDS))
            again = answer(number, 2, 10 - score if turned else score)
            self.until_acknowledged(again | {"at": first["at"]})
        elif score == 0:
            self.unhappy.append((number, first["at"]))

    def until_acknowledged(self, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        while self.post(body) != 202:
            time.sleep(AGAIN_SECONDS)
        line = json.dumps({"id": said["id"], "score": said["score"], "comment": said["comment"]})
        with self.lock, self.file.open("a") as file:
            file.write(line + "\n")

    def post(self, body: bytes) -> int:
        """The status; 0 where none came."""
        stamp = str(int(time.time()))
        digest = hmac.new(self.key, b"m." + stamp.encode() + b"." + body, hashlib.sha256).digest()
        headers = {
            "webhook-id": "m",
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
        try:
            return self.session.post(
                self.url, body, headers=headers, timeout=PATIENCE_SECONDS
            ).status_code
        except requests.RequestException:
            return 0

    @property
    def session(self) -> requests.Session:
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
        session: requests.Session = self.local.session
        return session


if __name__ == "__main__":
    url, secret, seed, per_second, enough, file = sys.argv[1:]
    sender = Sender(url, secret, int(seed), float(per_second), int(enough), Path(file))
    signal.signal(signal.SIGTERM, lambda *_: sender.stopping.set())
    sender.run()
