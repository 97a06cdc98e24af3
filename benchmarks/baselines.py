"""What our figures stand beside, each as a process of its own that prints its rate as JSON.

`celery BROKER COUNT`: one Celery task for each action, which does nothing at all; with `DATABASE`
it marks its action as done there, so that something is remembered. `threads URL COUNT LANES`: a
pool of threads, each with a `requests.Session`, and nothing that is remembered.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_LANES = 4


def celery(broker: str, count: int, database: str = "") -> dict[str, float]:
    """The queue is full before the worker starts; counted from the first task to the last."""
    from celery import Celery
    from celery.worker import WorkController

    app = Celery("baseline", broker=broker)
    app.conf.update(task_ignore_result=True, worker_enable_remote_control=False)
    ran_at: list[float] = []
    all_ran = threading.Event()

    mark = _marker(database, count) if database else None

    @app.task(name="effect")
    def effect(action: int) -> None:
        if mark is not None:
            mark(action)
        ran_at.append(time.monotonic())
        if len(ran_at) == count:
            all_ran.set()

    for action in range(count):
        effect.delay(action)
    worker: Any = WorkController(
        app=app,
        pool_cls="threads",
        concurrency=_LANES,
        loglevel=logging.ERROR,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    threading.Thread(target=worker.start, daemon=True).start()
    all_ran.wait()
    return {"per_second": (count - 1) / (ran_at[-1] - ran_at[0])}


def _marker(database: str, count: int) -> Callable[[int], None]:
    """What marks an action as done, each in a transaction of its own."""
    import psycopg

    mine = threading.local()
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE effects (id integer PRIMARY KEY, done boolean)")
        connection.execute("INSERT INTO effects SELECT generate_series(0, %s)", [count])

    def mark(action: int) -> None:
        if not hasattr(mine, "connection"):
            mine.connection = psycopg.connect(database, autocommit=True)
        mine.connection.execute("UPDATE effects SET done = true WHERE id = %s", [action])

    return mark


def threads(url: str, count: int, lanes: int) -> dict[str, float]:
    import requests

    mine = threading.local()
    body = b'{"ticket": {"subject": "NPS 3", "comment": "' + b"x" * 400 + b'"}}\n'

    def call(_action: int) -> None:
        if not hasattr(mine, "session"):
            mine.session = requests.Session()
        mine.session.post(url, data=body, timeout=10).raise_for_status()

    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(call, range(lanes)))
        began = time.monotonic()
        list(pool.map(call, range(count)))
    return {"per_second": count / (time.monotonic() - began)}


if __name__ == "__main__":
    if sys.argv[1] == "celery":
        found = celery(sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
    else:
        found = threads(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    print(json.dumps(found), flush=True)  # noqa: T201 - whoever started us reads it
