"""What we use of zenpy, imported on first use, and by this one door.

Its modules import each other in circles: two threads that enter by different doors meet a half-made
one. https://github.com/python/cpython/issues/106176
"""

from zenpy import Zenpy
from zenpy.lib.api_objects import Ticket
from zenpy.lib.exception import APIException, ZenpyException

__all__ = ["APIException", "Ticket", "Zenpy", "ZenpyException"]
