"""What Salesforce says of the calls of the last 24 hours. It has no limit by the second or minute.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from connector.limits import Allowance, Heard, Quota

_USAGE = re.compile(r"(?:^|[;,\s])api-usage=([0-9]{1,9})/([0-9]{1,9})(?:$|[;,\s])")


def heard(headers: Mapping[str, str]) -> Heard:
    """`api-usage=18/5000`: of the whole organisation, whatever a single app may use of it."""
    found = _USAGE.search(headers.get("Sforce-Limit-Info", ""))
    if found is None or not int(found[2]):
        return Heard()
    return Heard(quota=Quota(int(found[2]), int(found[1])))


# Contacts, leads, tasks: three calls for 200.
CALLS = Allowance(per_batch=3, per_action=0, per_note=1, read=heard)
