"""Is this Salesforce organisation ready? Read-only; each finding says how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.domain import Finding
from connector.errors import ConnectorError
from connector.sinks.salesforce.session import Org
from connector.sinks.salesforce.settings import SalesforceSettings

PRIORITIES = ("High", "Normal", "Low")
USED_FIELDS = ("Subject", "Description", "WhoId", "WhatId", "OwnerId", "ActivityDate")


def check(
    settings: SalesforceSettings,
    org: Org,
    user_ids: Callable[[Sequence[str], datetime], Mapping[str, str]],
    now: datetime,
) -> list[Finding]:
    try:
        fields = org.fields("Task", now)
        return [
            Finding(
                ok=True,
                subject="log-in",
                message=f"Salesforce lets us in; API calls used today: {org.calls_used()}",
            ),
            _key_field(fields.get(settings.external_id_field), settings.external_id_field),
            *_task_fields(fields),
            *_picklists(fields, settings.waiting_statuses),
            *_told_by_people(fields, settings),
            _readable(org, "Contact", now),
            *([_readable(org, "Lead", now)] if settings.leads else []),
            _default_owner(settings, user_ids, now),
        ]
    except ConnectorError as error:
        return [Finding(ok=False, subject="log-in", message=str(error))]


def _key_field(field: Mapping[str, Any] | None, name: str) -> Finding:
    cure = (
        "Setup > Object Manager > Activity > Fields: create it as Text(255) with 'Unique' and "
        "'External ID', and give the integration user edit access"
    )
    if field is None:
        return Finding(
            ok=False, subject=name, message=f"Task has no field {name} that we can see", cure=cure
        )
    if not (field["unique"] and field["externalId"]):
        return Finding(
            ok=False,
            subject=name,
            message=f"{name} is not unique and an external id: a lost reply could make two tasks",
            cure=cure,
        )
    return Finding(ok=True, subject=name, message="unique and an external id: one task per case")


def _task_fields(fields: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    for name in USED_FIELDS:
        if name not in fields or not fields[name]["createable"]:
            yield Finding(
                ok=False,
                subject=f"Task.{name}",
                message="the integration user cannot write this field",
                cure="give its permission set edit access to the field",
            )


def _told_by_people(
    fields: Mapping[str, Mapping[str, Any]], settings: SalesforceSettings
) -> Iterator[Finding]:
    """The fields in which people say why, and what they have done."""
    shown = {name.casefold() for name in fields}
    wanted = {"cause_field": settings.cause_field, "action_field": settings.action_field}
    for setting, name in wanted.items():
        if name and name.casefold() in shown:
            yield Finding(ok=True, subject=setting, message=f"{name} can be read")
        elif name:
            yield Finding(
                ok=False,
                subject=setting,
                message=f"Task has no field {name} that we can see, so nothing is told from it",
                cure="write its API name; custom fields are made on Activity. Give the integration "
                "user read access to it",
            )


def _picklists(
    fields: Mapping[str, Mapping[str, Any]], waiting: Sequence[str]
) -> Iterator[Finding]:
    statuses = ("Not Started", *waiting)
    for name, used in {"Priority": PRIORITIES, "Status": dict.fromkeys(statuses)}.items():
        values = fields.get(name, {}).get("picklistValues") or []
        active = {str(one["value"]) for one in values if one["active"]}
        missing = [value for value in used if value not in active]
        if missing:
            yield Finding(
                ok=False,
                subject=f"Task.{name}",
                message=f"the picklist has no {', '.join(missing)}; "
                f"it has {', '.join(sorted(active)) or 'nothing'}",
                cure="add the value in Salesforce, or name one of these in the rules",
            )
        else:
            yield Finding(ok=True, subject=f"Task.{name}", message=f"has {', '.join(used)}")


def _readable(org: Org, kind: str, now: datetime) -> Finding:
    try:
        org.query(f"SELECT Id, Email, OwnerId FROM {kind} LIMIT 1", now)  # noqa: S608 - two constants
    except ConnectorError as error:
        return Finding(
            ok=False,
            subject=kind,
            message=str(error),
            cure=f"give the integration user read access to {kind}.Email and {kind}.OwnerId"
            + (", or set leads: false" if kind == "Lead" else ""),
        )
    return Finding(ok=True, subject=kind, message="readable")


def _default_owner(
    settings: SalesforceSettings,
    user_ids: Callable[[Sequence[str], datetime], Mapping[str, str]],
    now: datetime,
) -> Finding:
    subject = "default_owner"
    if not settings.default_owner:
        return Finding(
            ok=True,
            subject=subject,
            message="not set: tasks for unknown people will belong to the integration user",
            cure="set default_owner to a person or a shared user",
        )
    if not user_ids([settings.default_owner], now):
        return Finding(
            ok=False,
            subject=subject,
            message="it is not the name of exactly one active user",
            cure="use the user name (the one for logging in): it is unique",
        )
    return Finding(ok=True, subject=subject, message="an active user")
