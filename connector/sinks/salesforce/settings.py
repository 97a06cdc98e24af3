"""What connector.yaml and the rules may say about Salesforce, and how the connector logs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import requests
from pydantic import BeforeValidator, Field, field_validator, model_validator

from connector.ports import Duration, Params, Secret, SinkSettings, Template

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce

FIXED_FIELDS = frozenset(
    {"id", "attributes", "whoid", "whatid", "ownerid", "subject", "status", "priority"}
    | {"description", "activitydate"}
)
FIELD_NAME = r"^([A-Za-z]\w*)?$"


def _my_domain(value: object) -> object:
    """`https://Acme.my.salesforce.com/` -> `acme.my`."""
    if not isinstance(value, str):
        return value
    host = value.strip().casefold().removeprefix("https://").split("/")[0]
    return host.removesuffix(".salesforce.com")


class SalesforceSettings(SinkSettings):
    """Give `consumer_secret` (client credentials), or `username` and `private_key` (JWT bearer)."""

    type: Literal["salesforce"] = "salesforce"
    domain: Annotated[str, BeforeValidator(_my_domain)] = Field(
        pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$",
        description="My Domain, for example acme.my or acme--dev.sandbox.my",
    )
    consumer_key: Secret = Field(description="consumer key of the connected app")
    consumer_secret: Secret | None = Field(None, description="its secret (client credentials)")
    username: str | None = Field(None, description="integration user (JWT bearer)")
    private_key: Secret | None = Field(None, description="PEM of the app's certificate (JWT)")
    login: Literal["login", "test"] = Field("login", description="JWT audience; test: a sandbox")
    api_version: str = Field("64.0", pattern=r"^\d{2,3}\.0$")
    external_id_field: str = Field("NPS_Response_Id__c", pattern=r"^[A-Za-z]\w*__c$")
    on_ambiguous: Literal["most_recent", "none"] = Field(
        "most_recent", description="which of several contacts with one address gets the task"
    )
    leads: bool = Field(True, description="look for a lead where no contact has the address")
    default_owner: str = Field(
        "", description="e-mail address, user name or full name; when nothing else names an owner"
    )
    waiting_statuses: tuple[str, ...] = Field(
        ("Not Started",), description="values of Status at which nobody has begun"
    )
    cause_field: str = Field(
        "", pattern=FIELD_NAME, description="field of Task in which people say why it came to that"
    )
    action_field: str = Field(
        "", pattern=FIELD_NAME, description="field of Task in which people say what they have done"
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> SalesforceSettings:
        signed = [self.username is not None, self.private_key is not None]
        secret = self.consumer_secret is not None
        if secret == all(signed) or (secret and any(signed)):
            raise ValueError("give either consumer_secret, or username and private_key")
        if self.domain in ("login", "test"):
            raise ValueError("domain must be your My Domain, for example acme.my")
        return self

    @property
    def log_in_hint(self) -> str:
        if self.consumer_secret is not None:
            return (
                "check consumer_key and consumer_secret, and that the connected app has the client "
                "credentials flow switched on with a 'Run As' user"
            )
        return (
            "check consumer_key, username and private_key, that the certificate was uploaded, that "
            "the user is pre-authorised for the connected app, and that `login` is test for a "
            "sandbox"
        )


class TaskParams(Params):
    """What a rule may say about a Salesforce task."""

    subject: Template = Field(
        "NPS {{ score | default('-') }}: call {{ customer.name | default('the customer') }}",
        description="title of the task; one line, 255 characters at most",
    )
    next_step: Template = Field("", description="what the owner shall do; first line of the task")
    priority: Literal["High", "Normal", "Low"] = "Normal"
    status: str = Field("Not Started", description="a value of your Status picklist")
    owner: Template = Field(
        "",
        description="e-mail address, user name or full name; empty: the owner of the contact's "
        "account, else of the contact or lead, else default_owner",
    )
    respond_within: Duration | None = Field(None, description="for example 4h; sets the due date")
    fields: dict[str, Template] = Field(
        {}, description="further fields of Task by API name, for example NPS_Score__c"
    )

    @field_validator("fields")
    @classmethod
    def _not_ours(cls, fields: dict[str, str]) -> dict[str, str]:
        for name in fields:
            if name.casefold() in FIXED_FIELDS:
                raise ValueError(f"{name} is set by the connector; use the parameter for it")
        return fields


def connect(settings: SalesforceSettings, session: requests.Session) -> Salesforce:
    """Log in. The JWT audience is never the My Domain: Salesforce takes only login and test."""
    from connector.sinks.salesforce.client import Salesforce

    key = settings.consumer_key.get_secret_value()
    if settings.consumer_secret is not None:
        return Salesforce(
            consumer_key=key,
            consumer_secret=settings.consumer_secret.get_secret_value(),
            domain=settings.domain,
            version=settings.api_version,
            session=session,
        )
    pem = settings.private_key.get_secret_value() if settings.private_key else ""
    return Salesforce(
        username=settings.username,
        consumer_key=key,
        privatekey=pem.replace("\\n", "\n"),  # environment variables often hold one line
        instance_url=settings.domain,
        domain=settings.login,
        version=settings.api_version,
        session=session,
    )
