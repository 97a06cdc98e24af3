"""The Salesforce stand-in. https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/"""

from connector.sandbox.salesforce.api import Salesforce

__all__ = ["Salesforce"]
