"""Where effects happen: one line per kind of action. The part before the dot is the sink's type."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from connector.ports import Sink

REGISTRY: dict[str, str] = {
    "zendesk.ticket": "connector.sinks.zendesk:ZendeskTicket",
    "salesforce.task": "connector.sinks.salesforce:SalesforceTask",
    "hubspot.task": "connector.sinks.hubspot:HubSpotTask",
    "email.thank_you": "connector.sinks.email:ThankYouEmail",
    "slack.message": "connector.sinks.slack:SlackMessage",
}


def load(kind: str) -> type[Sink]:
    """The adapter of a kind, imported now.

    Raises:
        KeyError: there is no such kind.
    """
    module, name = REGISTRY[kind].split(":")
    return cast("type[Sink]", getattr(import_module(module), name))
