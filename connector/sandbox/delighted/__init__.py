"""Stand-in of Delighted. `sign` makes the signature of its webhooks."""

from connector.sandbox.delighted.api import Delighted
from connector.sandbox.delighted.project import sign

__all__ = ["Delighted", "sign"]
