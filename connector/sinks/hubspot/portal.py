"""hubspot-api-client on our session, and HubSpot's refusals named after the next step.

The client would open its own urllib3 pool, without time-outs, and would raise another ApiException
class for each of its packages. Here every API object sends through the session that all adapters
use (time-outs, `base_url`, pace, redaction, what means "wait" and what "nobody knows"), and what
that returns is judged before the client sees it, so that no ApiException is ever made.
https://github.com/HubSpot/hubspot-api-python
https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any, cast
from zoneinfo import ZoneInfo

import requests

from connector.errors import ConnectorError, LookFirst, Paused, TryLater
from connector.patience import at_leisure, patiently
from connector.sinks.crm import Rejected, Transport
from connector.sinks.hubspot.settings import HubSpotSettings

MOST_INPUTS = 100
SEARCHED_PER_PAGE = 200
OWNERS_PER_PAGE = 500
MIGRATION_SECONDS = 86_400  # Retry-After of a 477 may be a day
NO_PROPERTY = "PROPERTY_DOESNT_EXIST"
TOKEN_CURE = "make a new token in Settings > Integrations > Private Apps and put it into the "  # noqa: S105
_SCOPE = re.compile(r"[a-z0-9._-]{3,60}")


class Portal:
    """One HubSpot account as the adapter sees it."""

    def __init__(self, settings: HubSpotSettings, session: requests.Session) -> None:
        self._settings = settings
        self._transport = cast("Transport", session)
        self._pool = _Pool(self._transport, settings.zone)
        self._apis: dict[str, Any] = {}

    def read(
        self, kind: str, ids: Sequence[str], properties: Sequence[str], now: datetime, by: str = ""
    ) -> list[dict[str, Any]]:
        """Those of these contacts or tasks that exist; `by` is a unique property other than the id.

        `kind` is contacts or tasks. This reads the records themselves, not the search index.
        """
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), MOST_INPUTS):
            body: dict[str, Any] = {
                "properties": list(properties),
                "propertiesWithHistory": [],
                "inputs": [{"id": one} for one in ids[start : start + MOST_INPUTS]],
            }
            if by:
                body["idProperty"] = by
            api = self._api(f"{kind} batch")
            # A 207 lists the unknown ones as errors: they are simply not there.
            answer = self._reading(partial(api.read, body, _preload_content=False), now)
            found.extend(_rows(answer, "results"))
        return found

    def tasks_now(
        self, ids: Sequence[str], asked: Mapping[str, Sequence[str]], now: datetime, archived: bool
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Results and errors of one read. `asked`: names of properties and propertiesWithHistory.

        `archived`: of the deleted ones, instead of the others.
        """
        names = {
            kind: list(asked.get(kind, ())) for kind in ("properties", "propertiesWithHistory")
        }
        body = {**names, "inputs": [{"id": one} for one in ids]}
        api = self._api("tasks batch")
        deleted = {"archived": "true"} if archived else {}  # the client would write True
        call = partial(api.read, body, **deleted, _preload_content=False)
        answer = self._reading(call, now)
        return _rows(answer, "results"), _rows(answer, "errors")

    def create_tasks(
        self, inputs: Sequence[Mapping[str, Any]], now: datetime
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Results and errors of one batch, whatever the status (201 or 207) was."""
        api = self._api("tasks batch")
        body = {"inputs": list(inputs)}
        answer = self._writing(partial(api.create, body, _preload_content=False), now)
        return _rows(answer, "results"), _rows(answer, "errors")

    def update_task(self, task_id: str, properties: Mapping[str, str], now: datetime) -> None:
        api = self._api("tasks basic")
        body = {"properties": dict(properties)}
        self._writing(partial(api.update, task_id, body, _preload_content=False), now)

    def owners(self, now: datetime) -> Iterator[dict[str, Any]]:
        """Every active owner."""
        api, after = self._api("owners"), None
        while True:
            page: dict[str, Any] = {"limit": OWNERS_PER_PAGE} | ({"after": after} if after else {})
            answer = self._reading(partial(api.get_page, **page, _preload_content=False), now)
            yield from _rows(answer, "results")
            after = (answer.get("paging") or {}).get("next", {}).get("after")
            if not after:
                return

    def tasks_with(self, marker: str, since: datetime, now: datetime) -> Iterator[dict[str, Any]]:
        """Every task made since then that has this property, the oldest first.

        The search index lags by seconds to minutes, and one search shows 10,000 rows at most; so
        each page begins where the last one ended. Five searches a second are allowed.
        https://developers.hubspot.com/docs/api-reference/search/guide
        """
        api, seen = self._api("tasks search"), set[str]()
        after = int(since.timestamp() * 1000)
        while True:
            body = _marked_since(marker, after)
            call = partial(api.do_search, body, _preload_content=False)
            rows = _rows(at_leisure(partial(self._reading, call, now)), "results")
            fresh = [row for row in rows if row.get("id") not in seen]
            yield from fresh
            if len(rows) < SEARCHED_PER_PAGE:
                return
            if not fresh:
                raise TryLater("HubSpot shows more tasks of one moment than a page holds")
            seen.update(str(row["id"]) for row in fresh)
            after = int(datetime.fromisoformat(str(rows[-1]["createdAt"])).timestamp() * 1000)

    def task_property(self, name: str, now: datetime) -> dict[str, Any] | None:
        """The definition of a property of tasks; None where there is none."""
        api = self._api("properties")
        try:
            call = partial(api.get_by_name, "tasks", name, _preload_content=False)
            return self._reading(call, now)
        except Rejected as refusal:
            if refusal.status == 404:
                return None
            raise

    def _reading(self, call: Callable[[], Any], now: datetime) -> dict[str, Any]:
        def once() -> dict[str, Any]:
            self._pool.now = now
            with self._transport.reading():
                return _content(call(), TryLater)

        return patiently(once)

    def _writing(self, call: Callable[[], Any], now: datetime) -> dict[str, Any]:
        self._pool.now = now
        return _content(call(), LookFirst)

    def _api(self, name: str) -> Any:
        """The client makes a new API object for every attribute chain; one of each is enough."""
        if not self._apis:
            self._apis = self._made()
        return self._apis[name]

    def _made(self) -> dict[str, Any]:
        from hubspot import HubSpot

        token = self._settings.token.get_secret_value()
        client = HubSpot(access_token=token, api_factory=self._pool.api)
        return {
            "contacts batch": client.crm.contacts.batch_api,
            "tasks batch": client.crm.objects.tasks.batch_api,
            "tasks basic": client.crm.objects.tasks.basic_api,
            "tasks search": client.crm.objects.tasks.search_api,
            "owners": client.crm.owners.owners_api,
            "properties": client.crm.properties.core_api,
        }


def _marked_since(marker: str, milliseconds: int) -> dict[str, Any]:
    filters = [
        {"propertyName": marker, "operator": "HAS_PROPERTY"},
        {"propertyName": "hs_createdate", "operator": "GTE", "value": str(milliseconds)},
    ]
    return {
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": "hs_createdate", "direction": "ASCENDING"}],
        "properties": [marker, "hs_createdate"],
        "limit": SEARCHED_PER_PAGE,
    }


class Answer:
    """A response with the few attributes that the client expects of urllib3's."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.reason = response.reason
        self.data = response.content


class _Pool:
    """Stands where the client keeps its urllib3 pool."""

    def __init__(self, transport: Transport, zone: str) -> None:
        self._transport = transport
        self._zone = ZoneInfo(zone)
        self.now: datetime | None = None

    def api(self, package: Any, name: str, config: dict[str, Any]) -> Any:
        """The `api_factory` of the client: its own, with this pool put in."""
        from hubspot.discovery.discovery_base import DiscoveryBase

        api = DiscoveryBase._default_api_factory(package, name, config)
        api.api_client.rest_client.pool_manager = self
        return api

    def request(
        self,
        method: str,
        url: str,
        body: str | None = None,
        fields: Any = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Answer:
        """Also called for what is not 2xx, so nothing but 2xx comes back from here."""
        response = self._transport.request(
            method,
            url,
            params=fields,
            data=body,
            headers=headers,
            hooks={"response": self._daily_quota},
        )
        if 200 <= response.status_code <= 299:
            return Answer(response)
        raise _meaning(response)

    def _daily_quota(self, response: requests.Response, **_: Any) -> None:
        """Of the 429s only this one is no matter of seconds; the session would not look inside."""
        if response.status_code != 429 or _json(response).get("policyName") != "DAILY":
            return
        until = None
        if self.now:
            today = self.now.astimezone(self._zone).date()
            until = datetime.combine(today + timedelta(days=1), time(), self._zone)
            until = until.astimezone(self.now.tzinfo)
        raise Paused("HubSpot's calls for today are used up; it goes on after midnight", until)


def _meaning(response: requests.Response) -> ConnectorError:
    status, body = response.status_code, _json(response)
    first = next(iter(_rows(body, "errors")), {})
    if status == 401:
        return Paused(f"HubSpot refuses the token (401); {TOKEN_CURE}environment")
    if status == 403:
        scopes = _needed_scopes(first)
        return Paused(
            "HubSpot forbids it (403); give the private app the scopes "
            + (scopes or "crm.objects.contacts.read and .write, crm.objects.owners.read")
        )
    if status == 423:
        return TryLater("HubSpot has locked these records for a moment (423)", 2)
    if status == 477:
        seconds = response.headers.get("Retry-After", "")
        wait = float(seconds) if re.fullmatch(r"\d{1,6}", seconds) else 3600.0
        text = "HubSpot is moving this account to another data centre (477)"
        return TryLater(text, min(wait, MIGRATION_SECONDS), account_wide=True)
    code = str(first.get("code") or body.get("category") or f"status {status}")
    return Rejected("HubSpot", status, code, str(body.get("message") or ""))


def _needed_scopes(error: Mapping[str, Any]) -> str:
    named = (error.get("context") or {}).get("requiredGranularScopes") or []
    return ", ".join(one for one in named if isinstance(one, str) and _SCOPE.fullmatch(one))


def _content(answer: Answer, unreadable: type[ConnectorError]) -> dict[str, Any]:
    try:
        content = json.loads(answer.data)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise unreadable("HubSpot's answer could not be read")
    return content


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _rows(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = content.get(name)
    return [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []
