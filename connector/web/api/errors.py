"""Why the API gives no answer."""

from __future__ import annotations


class NotFound(Exception):
    pass


class Wrong(Exception):
    """What was asked cannot be; each line names the parameter."""

    def __init__(self, *details: str) -> None:
        super().__init__("; ".join(details))
        self.details = list(details)
