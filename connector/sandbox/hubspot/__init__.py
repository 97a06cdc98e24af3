"""The HubSpot CRM stand-in. https://developers.hubspot.com/docs/reference/api/overview"""

from connector.sandbox.hubspot.api import HubSpot

__all__ = ["HubSpot"]
