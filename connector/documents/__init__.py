"""YAML documents that remember where each value stands, so that every fault names its place."""

from connector.documents.reading import Document, read
from connector.documents.validation import validate

__all__ = ["Document", "read", "validate"]
