"""What the vendors hold before the connector first asks them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from connector.cli.demo import scenario
from connector.cli.demo.scenario import given_at
from connector.cli.demo.staging import FORM_ID
from connector.sandbox.google import items
from connector.sandbox.hotjar import question

if TYPE_CHECKING:
    from connector.cli.demo.scenario import Answer, Person
    from connector.sandbox import Sandbox

CHANNELS = ("nps-alerts", "nps-ops")
SALES_OWNER = "64492917"  # Sonia Sales of the HubSpot stand-in
NO_SUCH_MAILBOX = "5.1.1 The mailbox does not exist"


def seed(sandbox: Sandbox, now: datetime) -> None:
    """Answers at the three polled sources, people in both CRMs, channels in Slack, one dead
    mailbox, and one ticket whose acknowledgement will get lost."""
    for answer in (*scenario.OLD_DELIGHTED, *scenario.DELIGHTED):
        add_to_delighted(sandbox, answer, now)
    _fill_form(sandbox, now)
    _fill_hotjar(sandbox, now)
    for person in scenario.CUSTOMERS:
        if person not in (scenario.DORA, scenario.PABLO):  # the stand-ins know these two
            add_to_crms(sandbox, person)
    for channel in CHANNELS:
        sandbox.slack.add_channel(channel)
    dead = {"method": "RCPT", "path": scenario.GUS.email, "times": None}
    sandbox.mail.fault("status", status=550, body=NO_SUCH_MAILBOX, **dead)
    sandbox.zendesk.fault("lose_reply", method="POST", path="/api/v2/tickets")


def add_to_crms(sandbox: Sandbox, person: Person) -> None:
    """A contact in both."""
    first, _, last = person.name.partition(" ")
    sandbox.salesforce.add_contact(person.email, first, last)
    owner = {"hubspot_owner_id": SALES_OWNER}
    sandbox.hubspot.add_contact(person.email, firstname=first, lastname=last, **owner)


def add_to_delighted(sandbox: Sandbox, answer: Answer, now: datetime) -> str:
    """The id of the answer there."""
    row = sandbox.delighted.add_response(
        answer.score,
        comment=answer.comment or None,
        email=answer.who.email if answer.who else None,
        name=answer.who.name if answer.who else None,
        at=given_at(answer.minutes_ago, now),
    )
    return str(row["id"])


def _fill_form(sandbox: Sandbox, now: datetime) -> None:
    sandbox.google.add_form(
        FORM_ID,
        items.scale("q-score", "How likely are you to recommend us to a friend or colleague?"),
        items.text("q-why", "What is the reason for your score?"),
    )
    for answer in scenario.FORM:
        sandbox.google.add_response(
            FORM_ID,
            {"q-score": answer.score, "q-why": answer.comment or None},
            email=answer.who.email if answer.who else None,
            at=given_at(answer.minutes_ago, now),
        )


def _fill_hotjar(sandbox: Sandbox, now: datetime) -> None:
    survey = sandbox.hotjar.add_survey(
        [
            question("q-score", "nps", "How likely are you to recommend this shop?"),
            question("q-why", "long-text", "Why?"),
        ],
        name="Shop",
    )
    for answer in scenario.HOTJAR:
        sandbox.hotjar.add_response(
            survey["id"],
            {"q-score": answer.score, "q-why": answer.comment or None},
            at=given_at(answer.minutes_ago, now),
            attributes={"email": answer.who.email} if answer.who else None,
        )
