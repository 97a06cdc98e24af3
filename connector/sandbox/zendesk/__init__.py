"""The Zendesk Support stand-in. https://developer.zendesk.com/api-reference/"""

from connector.sandbox.zendesk.api import Zendesk

__all__ = ["Zendesk"]
