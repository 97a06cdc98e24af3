"""The Celery application: a few tasks of one line each, a queue for each sink, no surprises.

Nothing is read from a configuration module or from CELERY_… variables; there is no result backend,
no remote control, no events. https://docs.celeryq.dev/en/stable/userguide/configuration.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery import Celery
from kombu import Queue

from connector.engine.broker import CONNECT_SECONDS, transport_options
from connector.engine.wakeups import CHORES, DECIDE, PROJECT, Wakeup, deliver, follow, poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kombu import Connection


class _App(Celery):
    """Its own broker and no results, whatever CELERY_BROKER_URL and its siblings say."""

    backend_cls = "disabled://"

    def __init__(self, broker: str) -> None:
        super().__init__("connector", loader="app", set_as_current=False)
        self._url = broker

    def connection_for_read(self, url: str | None = None, **options: Any) -> Connection:
        return super().connection_for_read(url or self._url, **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Connection:
        return super().connection_for_write(url or self._url, **options)


def make_app(
    broker: str, sinks: Iterable[str], hear: Callable[[Wakeup], None] | None = None
) -> Celery:
    """`hear` is called in a thread of its own for every wake-up; without it the app only rings."""
    shared = (DECIDE, PROJECT, CHORES, poll(""), follow(""))
    queues = {one.queue for one in (*shared, *map(deliver, sinks))}
    app = _App(broker)
    app.config_from_object(
        {
            "broker_connection_timeout": CONNECT_SECONDS,
            "broker_connection_retry_on_startup": True,
            "broker_connection_max_retries": None,  # for ever
            "broker_transport_options": transport_options(broker),
            "task_queues": [Queue(name) for name in sorted(queues)],
            "task_default_queue": DECIDE.queue,
            "task_create_missing_queues": False,
            "task_serializer": "json",
            "accept_content": ["json"],
            "task_ignore_result": True,
            "task_store_errors_even_if_ignored": False,
            # A lost wake-up is harmless and a repeated one too: the cheapest of all ways.
            "task_acks_late": False,
            "worker_prefetch_multiplier": 4,
            "worker_enable_prefetch_count_reduction": False,
            "worker_hijack_root_logger": False,
            "worker_redirect_stdouts": False,
            "worker_enable_remote_control": False,
            "worker_send_task_events": False,
            "enable_utc": True,
        }
    )
    _define_tasks(app, hear)
    return app


def _define_tasks(app: Celery, hear: Callable[[Wakeup], None] | None) -> None:
    def heard(wakeup: Wakeup) -> None:
        if hear is not None:
            hear(wakeup)

    @app.task(name=DECIDE.task, shared=False)
    def decide() -> None:
        heard(DECIDE)

    @app.task(name="deliver", shared=False)
    def deliver_(sink: str) -> None:
        heard(deliver(sink))

    @app.task(name="poll", shared=False)
    def poll_(source: str) -> None:
        heard(poll(source))

    @app.task(name="follow", shared=False)
    def follow_(sink: str) -> None:
        heard(follow(sink))

    @app.task(name=PROJECT.task, shared=False)
    def project() -> None:
        heard(PROJECT)

    @app.task(name=CHORES.task, shared=False)
    def chores() -> None:
        heard(CHORES)
