"""The store is the truth; engines only wake the stages that work on it."""

from connector.store.database import Store

__all__ = ["Store"]
