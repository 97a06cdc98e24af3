"""What an adapter is: a table of facts plus one translation.

Retry, rate limits, leases, idempotency bookkeeping, storing and logging live around adapters,
written once. An adapter gets a `requests.Session` that already has time-outs, no hidden retries,
the `base_url` override and an error policy (see `connector.http`): it always writes the vendor's
own URLs.
"""

from __future__ import annotations

from connector.ports.fields import (
    Duration,
    OwnLimit,
    Secret,
    Share,
    Template,
    Templated,
    TemplateName,
    TemplateNamed,
    Transport,
)
from connector.ports.following import (
    Following,
    Notifying,
)
from connector.ports.sinks import (
    Capabilities,
    Listing,
    Made,
    Metered,
    Naming,
    Params,
    Sink,
    SinkKinds,
    SinkSettings,
)
from connector.ports.sources import (
    FileRow,
    Importable,
    Pollable,
    Source,
    SourceSettings,
    SourceTypes,
)

__all__ = [
    "Capabilities",
    "Duration",
    "FileRow",
    "Following",
    "Importable",
    "Listing",
    "Made",
    "Metered",
    "Naming",
    "Notifying",
    "OwnLimit",
    "Params",
    "Pollable",
    "Secret",
    "Share",
    "Sink",
    "SinkKinds",
    "SinkSettings",
    "Source",
    "SourceSettings",
    "SourceTypes",
    "Template",
    "TemplateName",
    "TemplateNamed",
    "Templated",
    "Transport",
]
