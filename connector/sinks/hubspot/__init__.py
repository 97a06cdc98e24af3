"""HubSpot. https://developers.hubspot.com/docs/api-reference/crm-tasks-v3/guide"""

from connector.sinks.hubspot.task import HubSpotTask

__all__ = ["HubSpotTask"]
