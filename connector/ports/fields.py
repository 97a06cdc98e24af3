"""What fields of settings and parameters are made of, and the session that adapters get."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Annotated, Protocol

from pydantic import BeforeValidator, SecretStr

from connector.limits import Limit, Meter, parse_limit, parse_share
from connector.text import parse_duration


class Templated:
    """Marks a `Params` field in which a rule author may write `{{ … }}`."""


class TemplateNamed:
    """Marks a `Params` field that names a mail template (`thank_you` -> templates/thank_you/).

    The rules render it in the customer's language and hand the result to the sink as
    `params["rendered"] = {"subject", "text", "html", "language"}`.
    """


Template = Annotated[str, Templated()]
TemplateName = Annotated[str, TemplateNamed()]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Secret = SecretStr
Share = Annotated[float, BeforeValidator(parse_share)]
OwnLimit = Annotated[Limit, BeforeValidator(parse_limit)]


class Transport(Protocol):
    """What the session of an adapter can beyond a `requests.Session` (see `connector.http`)."""

    def reading(self) -> AbstractContextManager[None]:
        """POSTs inside only read or fetch a token: whatever fails, nothing happened."""
        ...

    def exactly(
        self, body: bytes, headers: Mapping[str, str] | None = None
    ) -> AbstractContextManager[None]:
        """The next write inside goes out with exactly these bytes and extra headers."""
        ...

    def report_to(self, meter: Meter) -> None:
        """Tell this meter of every request and every answer from now on."""
        ...
