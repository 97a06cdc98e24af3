"""A file whose age says whether a process without an address still goes round."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def touch(path: Path | None) -> None:
    """Trouble with the file shows as its age; it must not stop the work."""
    if path is not None:
        with contextlib.suppress(OSError):
            path.touch()
