"""Zendesk Support: tickets for people to work on. https://developer.zendesk.com/api-reference/"""

from connector.sinks.zendesk.adapter import ZendeskTicket

__all__ = ["ZendeskTicket"]
