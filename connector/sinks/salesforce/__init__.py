"""Salesforce. https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/"""

from connector.sinks.salesforce.task import SalesforceTask

__all__ = ["SalesforceTask"]
