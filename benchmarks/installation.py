"""One installation in a folder of its own, its processes, and the world around it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import servers, sinks
from benchmarks.answers import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.workspace import Workspace

ROOT = Path(__file__).parent.parent
_CONNECTOR = """
store: {store}
receiver: {{port: {port}}}
surveys: {{nps: {{}}}}
sources:
  app:
    type: webhook
    survey: nps
    surge: 100000000
    paths:
      {{id: id, score: score, comment: comment, answered_at: at, email: email, name: name}}
    signature: {{scheme: standard, secrets: ["${{WEBHOOK_SECRET}}"]}}
sinks:
{sinks}
"""
_RULES = """
rules:
  - id: urgent
    when: {{segment: detractor, comment: {{mentions: [refund, cancel*, lawyer]}}}}
    then: [{{{action}}}]
  - id: detractor
    when: {{segment: detractor}}
    then: [{{{action}}}]
  - id: passive
    when: {{segment: passive}}
    then: [{{{action}}}]
  - id: promoter
    when: {{segment: promoter}}
    then: [{{{action}}}]
"""
_ANSWER_SECONDS = 3600.0


class World:
    """The process that sends webhooks and is the far side of the sinks."""

    def __init__(self) -> None:
        words = (sys.executable, "-m", "benchmarks.traffic")
        self._process = servers.start(*words, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        with self._process.stdout as said:
            self.url = f"http://127.0.0.1:{int(said.readline())}"

    def do(self, order: str, **arguments: Any) -> dict[str, Any]:
        """Raises RuntimeError with what went wrong there."""
        body = json.dumps(arguments).encode()
        request = urllib.request.Request(f"{self.url}/{order}", body)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            found: dict[str, Any] = json.loads(answer.read())
        if "error" in found:
            raise RuntimeError(f"{order}: {found['error']}")
        return found

    def end(self) -> None:
        servers.end(self._process)


class Installation:
    """`sinks_text` is YAML below `sinks:`; `action` is one action as a rule writes it."""

    def __init__(self, place: Path, store: str, sinks_text: str, action: str) -> None:
        self.place = place
        self.port = servers.free_port()
        self.environment: dict[str, str] = {"WEBHOOK_SECRET": SECRET}
        text = _CONNECTOR.format(store=store, port=self.port, sinks=sinks_text)
        (place / "connector.yaml").write_text(text)
        (place / "rules.yaml").write_text(_RULES.format(action=action))
        (place / "templates").mkdir()
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """One process of the product. Its output goes to the file `log`."""
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(ROOT)}
        with (self.place / "log").open("ab") as log:
            started = servers.start(
                *(sys.executable, "-m", "benchmarks.product", *words),
                cwd=self.place,
                env=environment,
                stdout=log,
                stderr=log,
            )
        self._processes.append(started)
        return started

    def receiver(self, *words: str) -> subprocess.Popen[bytes]:
        """The same, and it answers."""
        started = self.start(*words)
        servers.wait_for(lambda: self._answers(started), " ".join(words), 60)
        return started

    def end(self, process: subprocess.Popen[bytes]) -> None:
        servers.end(process)
        self._processes.remove(process)

    def end_all(self) -> None:
        for process in list(self._processes):
            self.end(process)

    def says(self, words: str) -> int:
        """How often that stands in the log."""
        return (self.place / "log").read_text().count(words)

    def workspace(self) -> Workspace:
        """The same installation in this process; close its store when done."""
        from connector import config
        from connector.workspace import open_workspace

        sinks.register()
        settings = config.load(self.place / "connector.yaml", self.environment)
        return open_workspace(settings, datetime.now(UTC) - timedelta(hours=1))

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            log = (self.place / "log").read_text()
            raise RuntimeError(f"it ended at once:\n{log[-2000:]}")
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self.port}/healthz"
            with urllib.request.urlopen(url, timeout=5):
                return True
        return False


def sink(type: str, world: World) -> tuple[str, str]:
    """(YAML below `sinks:`, the action of a rule) for one of the sinks of `benchmarks.sinks`."""
    return f"  far: {{type: {type}, base_url: {world.url}}}", f"{type}.case: {{text: Call.}}"


@contextlib.contextmanager
def installation(sinks_text: str, action: str, store: str = "") -> Iterator[Installation]:
    """On a SQLite file of its own unless `store` says otherwise; all its processes end with it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        made = Installation(Path(directory), store or "sqlite:///connector.db", sinks_text, action)
        try:
            yield made
        finally:
            made.end_all()
