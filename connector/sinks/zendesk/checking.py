"""What `connector doctor` says of a Zendesk account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from connector.domain import Finding
from connector.errors import ConnectorError
from connector.sinks.zendesk.desk import CURE, Desk
from connector.sinks.zendesk.following import Follower
from connector.sinks.zendesk.model import ZendeskSettings
from connector.sinks.zendesk.names import Names


def findings(
    settings: ZendeskSettings, desk: Desk, names: Names, follower: Follower, now: datetime
) -> Sequence[Finding]:
    subject = "log-in"
    try:
        me = desk.me()
        desk.with_external_id("nps-check")
        found = [Finding(ok=True, subject=subject, message=f"Zendesk lets us in, as agent {me.id}")]
        return [*found, *_names(settings, names, now), *_news(follower, now)]
    except ConnectorError as error:
        return [Finding(ok=False, subject=subject, message=str(error), cure=CURE)]


def _names(settings: ZendeskSettings, names: Names, now: datetime) -> Iterator[Finding]:
    if settings.group and names.group(settings.group, now) is None:
        cure = "write its name as in Admin Center > People > Groups"
        yield _missing("default group", settings.group, cure)
    cure = "write its title as in Admin Center > Objects and rules > Tickets > Fields"
    for subject, title in (
        ("cause_field", settings.cause_field),
        ("action_field", settings.action_field),
    ):
        if title and names.field(title, now) is None:
            yield _missing(subject, title, cure)


def _missing(subject: str, name: str, cure: str) -> Finding:
    message = f'"{name}" does not exist in Zendesk'
    return Finding(ok=False, subject=subject, message=message, cure=cure)


def _news(follower: Follower, now: datetime) -> Iterator[Finding]:
    if not follower.may_export(now):
        yield Finding(
            ok=True,
            subject="news of tickets",
            message="Zendesk exports changes only to administrators, so each ticket that is not "
            "closed is asked for: one more call for every hundred",
        )
