"""The sinks' `Params` for the rule loader, and adapters by type: rules and sinks stay strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector import sinks as sink_registry
from connector import sources as source_registry
from connector.rules.model import ActionKind, AttributeType, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.domain import Survey
    from connector.ports import Sink, Source


def source_types() -> tuple[str, ...]:
    return tuple(source_registry.REGISTRY)


def source_type(name: str) -> type[Source]:
    """Raises KeyError for a type that does not exist."""
    return source_registry.load(name)


def sink_types() -> tuple[str, ...]:
    return tuple(kind.partition(".")[0] for kind in sink_registry.REGISTRY)


def sink_type(name: str) -> type[Sink]:
    """`zendesk` -> the sink class. Raises KeyError for a type that does not exist."""
    for kind in sink_registry.REGISTRY:
        if kind.partition(".")[0] == name:
            return sink_registry.load(kind)
    raise KeyError(name)


def vocabulary(
    surveys: Mapping[str, Survey],
    sources: Mapping[str, str],
    sinks: Mapping[str, str],
    attributes: Mapping[str, AttributeType],
) -> Vocabulary:
    """All that a rule may name. `sources` and `sinks` map instance ids to their types."""
    actions = {}
    for kind in sink_registry.REGISTRY:
        adapter = sink_registry.load(kind)
        mine = tuple(id for id, of in sinks.items() if of == adapter.type)
        actions[kind] = ActionKind(
            params=adapter.Params,
            opens_case=adapter.capabilities.opens_case,
            to_customer=adapter.capabilities.to_customer,
            settle=adapter.capabilities.settle,
            sinks=mine,
            digest_by=adapter.capabilities.digest_by,
        )
    return Vocabulary(
        actions=actions,
        surveys=dict(surveys),
        sources=tuple(sources),
        attributes=dict(attributes),
    )
