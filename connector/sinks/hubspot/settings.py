"""What connector.yaml and the rules may say about HubSpot."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from connector.ports import Duration, Params, Secret, SinkSettings, Template

PROPERTY = r"^([a-z][a-z0-9_]*)?$"


class HubSpotSettings(SinkSettings):
    """One HubSpot account (portal), reached with the token of a private app."""

    type: Literal["hubspot"] = "hubspot"
    token: Secret = Field(description="access token of the private app, pat-...")
    portal: str = Field(
        "default", pattern=r"^[A-Za-z0-9-]+$", description="Hub ID; makes links to tasks possible"
    )
    unique_property: str = Field(
        "nps_action_id",
        pattern=r"^[a-z][a-z0-9_]*$",
        description="task property with unique values; none: a lost reply may make a second task",
    )
    default_owner: str = Field("", description="e-mail address; when nothing else names an owner")
    cause_field: str = Field(
        "", pattern=PROPERTY, description="task property in which people say why it came to that"
    )
    action_field: str = Field(
        "", pattern=PROPERTY, description="task property in which people say what they have done"
    )
    zone: str = Field(
        "UTC", description="the account's time zone: its daily quota ends at midnight"
    )

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError("write a zone such as Europe/Madrid") from None
        return zone

    @property
    def marker_property(self) -> str | None:
        return None if self.unique_property == "none" else self.unique_property


class TaskParams(Params):
    """What a rule may say about a HubSpot task."""

    subject: Template = Field(
        "NPS {{ score | default('-') }}: call {{ customer.name | default('the customer') }}",
        description="title of the task; one line, 250 characters at most",
    )
    next_step: Template = Field("", description="what the owner shall do; first line of the task")
    priority: Literal["LOW", "MEDIUM", "HIGH"] = "MEDIUM"
    task_type: Literal["CALL", "EMAIL", "TODO"] = "CALL"
    owner: Template = Field(
        "", description="e-mail address of a HubSpot user; empty: the contact's owner"
    )
    respond_within: Duration | None = Field(None, description="for example 4h; sets the due time")
