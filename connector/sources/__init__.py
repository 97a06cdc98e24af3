"""Where answers come from: one module for each type, imported only when it is configured."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from connector.ports import Source

REGISTRY: dict[str, str] = {
    "csv": "connector.sources.csv_file:CsvFile",
    "delighted": "connector.sources.delighted:Delighted",
    "google_forms": "connector.sources.google_forms:GoogleForms",
    "hotjar": "connector.sources.hotjar:Hotjar",
    "webhook": "connector.sources.webhook:Webhook",
}


def load(source_type: str) -> type[Source]:
    """The adapter class of a source type. Raises KeyError for a type that does not exist."""
    module, name = REGISTRY[source_type].split(":")
    return cast("type[Source]", getattr(import_module(module), name))
