"""Commands as processes of their own: started, listened to, ended, and nothing left of them."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "connector"]


class Process:
    """A command in a session of its own; what it writes to stderr is read as it comes."""

    def __init__(self, *words: str, **environment: str) -> None:
        self.running = subprocess.Popen(
            [*COMMAND, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,
        )
        self.said: list[str] = []
        self._heard: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.running.stderr is not None
        with self.running.stderr as lines:
            for line in lines:
                self._heard.put(line)

    def hear_until(self, last: str) -> str:
        """What it has said on stderr so far, once a line that begins so has come."""
        while not (self.said and self.said[-1].startswith(last)):
            self.said.append(self._heard.get(timeout=60))
        return "".join(self.said)

    def lines_until(self, last: str) -> str:
        """What it prints up to a line that begins so; all, when there is none."""
        assert self.running.stdout is not None
        lines: list[str] = []
        for line in self.running.stdout:
            lines.append(line)
            if line.startswith(last):
                break
        return "".join(lines)

    def end(self, how: signal.Signals) -> int:
        self.running.send_signal(how)
        self.last_words()
        return self.running.returncode

    def last_words(self) -> str:
        """All that it has said on stderr, once it has ended."""
        self.running.wait(timeout=60)
        self._reader.join()
        while not self._heard.empty():
            self.said.append(self._heard.get())
        return "".join(self.said)

    def has_left_something_running(self) -> bool:
        try:
            os.killpg(self.running.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def clean_up(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.running.pid, signal.SIGKILL)
        self.running.wait()
        self._reader.join()
        if self.running.stdout is not None:
            self.running.stdout.close()


@contextlib.contextmanager
def started(*words: str, **environment: str) -> Iterator[Process]:
    process = Process(*words, **environment)
    try:
        yield process
    finally:
        process.clean_up()
