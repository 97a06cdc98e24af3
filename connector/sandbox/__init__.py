"""Stateful stand-ins of the vendor APIs on loopback, for tests and the demo.

They judge each request as the vendor would, and count what was really made.
"""

from connector.sandbox.core import Call, Clock, Fault, Refusal, Reply, Vendor
from connector.sandbox.credentials import SECRETS
from connector.sandbox.server import Sandbox

__all__ = ["SECRETS", "Call", "Clock", "Fault", "Refusal", "Reply", "Sandbox", "Vendor"]
