"""What we use of simple-salesforce, imported on first use, and by this one door.

Its modules import each other: two threads that enter by different doors meet a half-made one.
https://github.com/python/cpython/issues/106176
"""

from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError
from simple_salesforce.format import format_soql, quote_soql_value

__all__ = ["Salesforce", "SalesforceError", "format_soql", "quote_soql_value"]
