"""Is this HubSpot account ready? Read-only; each finding says how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from connector.domain import Finding
from connector.errors import ConnectorError
from connector.sinks.hubspot.people import Owners
from connector.sinks.hubspot.portal import Portal
from connector.sinks.hubspot.settings import HubSpotSettings

NOBODY = "nobody@example.invalid"
CREATE = (
    "POST /crm/v3/properties/tasks with type string, fieldType text and hasUniqueValue true "
    "(docs/sinks/hubspot.md has the command); it cannot be made unique later"
)


def check(
    settings: HubSpotSettings, portal: Portal, owners: Owners, now: datetime
) -> list[Finding]:
    try:
        portal.read("contacts", [NOBODY], ["email"], now, by="email")
        return [
            Finding(ok=True, subject="token", message="HubSpot lets us read contacts"),
            _marker_property(settings, portal, now),
            _owners(settings, owners, now),
            *_told_by_people(settings, portal, now),
        ]
    except ConnectorError as error:
        return [Finding(ok=False, subject="token", message=str(error))]


def _marker_property(settings: HubSpotSettings, portal: Portal, now: datetime) -> Finding:
    name = settings.marker_property
    if name is None:
        return Finding(
            ok=True,
            subject="unique_property",
            message="none: at least once; a lost reply can make a second task",
            cure=CREATE,
        )
    definition = portal.task_property(name, now)
    if definition is None:
        return Finding(
            ok=False, subject=name, message=f"tasks have no property {name}", cure=CREATE
        )
    if not definition.get("hasUniqueValue"):
        return Finding(
            ok=False,
            subject=name,
            message="its values are not unique: a lost reply could not be settled",
            cure=f"create another one: {CREATE}; then set unique_property to its name",
        )
    return Finding(ok=True, subject=name, message="unique values: one task per case")


def _told_by_people(settings: HubSpotSettings, portal: Portal, now: datetime) -> Iterator[Finding]:
    """The properties in which people say why, and what they have done."""
    wanted = {"cause_field": settings.cause_field, "action_field": settings.action_field}
    for setting, name in wanted.items():
        if name and portal.task_property(name, now):
            yield Finding(ok=True, subject=setting, message=f"{name} can be read")
        elif name:
            yield Finding(
                ok=False,
                subject=setting,
                message=f"tasks have no property {name}, so nothing is told from it",
                cure="write its internal name; POST /crm/v3/properties/tasks makes one",
            )


def _owners(settings: HubSpotSettings, owners: Owners, now: datetime) -> Finding:
    subject, name = "default_owner", settings.default_owner
    try:
        known = owners.resolve([name or NOBODY], now)
    except ConnectorError as error:
        return Finding(
            ok=False,
            subject="owners",
            message=str(error),
            cure="give the private app the scope crm.objects.owners.read",
        )
    if not name:
        return Finding(
            ok=True,
            subject=subject,
            message="not set: tasks for unknown people will have no owner",
            cure="set default_owner to a HubSpot user's e-mail address",
        )
    if not known:
        return Finding(
            ok=False,
            subject=subject,
            message="not the e-mail address of an active HubSpot user",
            cure="Settings > Users & Teams shows the addresses",
        )
    return Finding(ok=True, subject=subject, message="an active user")
