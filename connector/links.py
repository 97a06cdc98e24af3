"""Addresses of our own pages, as they are put into tickets and tasks."""

from __future__ import annotations

from urllib.parse import quote


def customer_page(public_url: str, customer_id: str | None, response_id: str) -> str:
    """The page of a customer; for an anonymous answer the page of the answer. Empty where nobody
    has said under which address we are reached."""
    if not public_url or not (customer_id or response_id):
        return ""
    base = public_url.rstrip("/")
    if customer_id:
        return f"{base}/customers/{quote(customer_id, safe='')}"
    return f"{base}/responses/{quote(response_id, safe='')}"
