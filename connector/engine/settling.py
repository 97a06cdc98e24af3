"""What is loaded at the start stays loaded, and the collector of garbage is told so."""

from __future__ import annotations

import gc


def settle() -> None:
    """Unless it is told, the collector looks through all that is loaded again and again: a fifth of
    the time of a busy worker, and 60 ms for which an answer is held up."""
    gc.collect()
    gc.freeze()
