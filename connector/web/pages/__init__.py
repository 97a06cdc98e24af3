"""The pages, in the order of the navigation. Each is a module with TITLE, PATH and `routes`."""

from __future__ import annotations

PAGES = (
    "today",
    "loop",
    "deliveries",
)
