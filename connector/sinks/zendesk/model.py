"""What `connector.yaml` says about a Zendesk account, and what a rule may say about a ticket."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from connector import ports
from connector.ports import Duration, Secret, Template

Priority = Literal["low", "normal", "high", "urgent"]
TicketType = Literal["task", "problem", "incident", "question"]
Subdomain = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]


class ZendeskSettings(ports.SinkSettings):
    """One Zendesk account: `email` with `api_token`, or `oauth_token` alone."""

    type: Literal["zendesk"] = "zendesk"
    subdomain: Subdomain = Field(description="acme for https://acme.zendesk.com")
    email: str | None = Field(None, description="the agent in whose name tickets are opened")
    api_token: Secret | None = None
    oauth_token: Secret | None = None
    group: str = Field("", description="the group of tickets whose rule names none")

    webhook_secret: Secret | None = Field(
        None, description="the signing secret of the webhook that tells of changed tickets"
    )
    cause_field: str = Field("", description="title or id of the ticket field for the root cause")
    action_field: str = Field("", description="title or id of the ticket field for what was done")

    @model_validator(mode="after")
    def _one_way_in(self) -> ZendeskSettings:
        with_token = bool(self.email) and self.api_token is not None
        if with_token == (self.oauth_token is not None):
            raise ValueError("give email and api_token, or oauth_token, not both")
        return self


class TicketParams(ports.Params):
    """`zendesk.ticket` in a rule. Fields with a template may say `{{ … }}`."""

    subject: Template = Field(
        "NPS {{ score }} - {{ customer.name | default('anonymous') }}",
        description="the ticket's subject, one line of at most 150 characters",
    )
    next_step: Template = Field("", description="what the agent should do, first in the ticket")
    priority: Priority = Field("normal", description="low, normal, high or urgent")
    group: str = Field("", description="name or id of a group; empty: the account's default group")
    assignee: Template = Field("", description="e-mail address or full name of an agent")
    tags: list[str] = Field([], description="besides nps, nps_<segment> and nps_silent")
    type: TicketType = Field("task", description="only a task has a due time in Zendesk")
    public: bool = Field(
        False,
        description="the customer can read the ticket: it then holds only their own answer",
    )
    respond_within: Duration | None = Field(None, description="time until the ticket is due: 4h")
    fields: dict[str, Template] = Field(
        {}, description="custom ticket fields by title or id, for example NPS score: {{ score }}"
    )
