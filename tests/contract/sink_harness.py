"""The sinks before their stand-ins, one entry each."""

from __future__ import annotations

import json
from typing import Any

from connector.sandbox import SECRETS, Sandbox
from connector.sandbox.core import Vendor
from connector.sandbox.zendesk.desk import AGENT_ID
from connector.sandbox.zendesk.tickets import clean
from tests.contract.harness import Raw, Shown, SinkHarness


def setting(vendor: Vendor, name: str, value: Any) -> None:
    """Change what the vendor knows of the account: its token, its password."""
    with vendor.changing():
        vendor.state["settings"][name] = value


# -- Zendesk ------------------------------------------------------------------------------------


def zendesk_echo(text: str) -> Raw:
    details = {"base": [{"description": text, "error": "InvalidValue"}]}
    return {
        "status": 422,
        "body": {"error": "RecordInvalid", "description": text, "details": details},
    }


def zendesk_comments(state: Raw) -> list[str]:
    return [one["html_body"] for listed in state["comments"].values() for one in listed]


def zendesk_shown(state: Raw) -> list[Shown]:
    return [
        *(Shown(html, "html") for html in zendesk_comments(state)),
        *(Shown(ticket["raw_subject"], "line") for ticket in state["tickets"].values()),
        *(Shown(user["name"], "line") for user in state["users"].values()),
    ]


def zendesk_by_hand(sandbox: Sandbox) -> None:
    with sandbox.zendesk.changing():
        for external_id in (None, "order-4711", "nps-someone-elses"):
            fields = {"subject": "By hand", "comment": {"body": "Hello"}}
            fields["external_id"] = external_id
            sandbox.zendesk.desk.create(clean(sandbox.zendesk.desk, fields, None, 9002), 9002, {})


def zendesk_strangers(state: Raw) -> list[str]:
    return [
        number
        for number, ticket in state["tickets"].items()
        if ticket["submitter_id"] != AGENT_ID and ticket["status"] != "deleted"
    ]


def zendesk_webhook(sandbox: Sandbox, remote_id: str) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"ticket_id": remote_id}).encode()
    return body, sandbox.zendesk.webhook_headers(body)


ZENDESK = SinkHarness(
    kind="zendesk.ticket",
    vendor="zendesk",
    settings=lambda sandbox: {
        "subdomain": "sandbox",
        "email": SECRETS["ZENDESK_EMAIL"],
        "api_token": SECRETS["ZENDESK_API_TOKEN"],
        "webhook_secret": SECRETS["ZENDESK_WEBHOOK_SECRET"],
        "base_url": sandbox.urls["zendesk"],
    },
    params={
        "subject": "NPS 2: call Dora",
        "next_step": "Call today",
        "priority": "high",
        "group": "Retention",
        "assignee": "ana@example.com",
        "fields": {"NPS score": "2"},
    },
    subject="subject",
    writes=("POST", "/api/v2/tickets"),
    refuse_second=lambda sandbox: sandbox.zendesk.fault(
        "status", method="POST", path="/api/v2/tickets", skip=1, **zendesk_echo("Subject: too rude")
    ),
    words="Subject: too rude",
    echo=zendesk_echo,
    revoke=lambda sandbox: setting(sandbox.zendesk, "api_token", "another"),
    restore=lambda sandbox: setting(sandbox.zendesk, "api_token", SECRETS["ZENDESK_API_TOKEN"]),
    shown=zendesk_shown,
    amends=("PUT", "/api/v2/tickets/"),
    notes=lambda state, marker: sum(
        marker in comment["html_body"]
        for listed in state["comments"].values()
        for comment in listed
    ),
    close=lambda sandbox, remote_id: sandbox.zendesk.solve(int(remote_id)),
    delete=lambda sandbox, remote_id: sandbox.zendesk.delete(int(remote_id)),
    by_hand=zendesk_by_hand,
    lists=("GET", "/api/v2/incremental/tickets/cursor"),
    page_size="connector.sinks.zendesk.desk.EXPORTED_PER_PAGE",
    touch=lambda sandbox, remote_id: sandbox.zendesk.comment(int(remote_id), "Called them"),
    strangers=zendesk_strangers,
    news_page_size="connector.sinks.zendesk.desk.EXPORTED_PER_PAGE",
    webhook=zendesk_webhook,
)

# -- Salesforce ---------------------------------------------------------------------------------


def salesforce_revoke(sandbox: Sandbox) -> None:
    setting(sandbox.salesforce, "consumer_secret", "another")
    with sandbox.salesforce.changing():
        sandbox.salesforce.state["tokens"].clear()


def salesforce_by_hand(sandbox: Sandbox) -> None:
    with sandbox.salesforce.changing():
        number = sandbox.salesforce.state["next_number"]
        for marker in (None, f"order-{number}"):
            task = {"Subject": "By hand", "NPS_Response_Id__c": marker}
            sandbox.salesforce.tasks.insert(task, by_api=False)


def tasks_of(state: Raw) -> list[Raw]:
    return list(state["records"]["Task"].values())


SALESFORCE = SinkHarness(
    kind="salesforce.task",
    vendor="salesforce",
    settings=lambda sandbox: {
        "domain": "sandbox.my",
        "consumer_key": SECRETS["SALESFORCE_CONSUMER_KEY"],
        "consumer_secret": SECRETS["SALESFORCE_CONSUMER_SECRET"],
        "default_owner": "sonia@example.com",
        "base_url": sandbox.urls["salesforce"],
    },
    params={"subject": "NPS 2: call Dora", "next_step": "Call today", "priority": "Normal"},
    subject="subject",
    writes=("PATCH", "/services/data/v64.0/composite/"),
    refuse_second=lambda sandbox: sandbox.salesforce.fault(
        "half_batch", path="/services/data/v64.0/composite/"
    ),
    words="a validation rule says no",
    echo=lambda text: {
        "status": 400,
        "body": [{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": text}],
    },
    revoke=salesforce_revoke,
    restore=lambda sandbox: setting(
        sandbox.salesforce, "consumer_secret", SECRETS["SALESFORCE_CONSUMER_SECRET"]
    ),
    shown=lambda state: [
        *(Shown(task["Description"], "plain") for task in tasks_of(state)),
        *(Shown(task["Subject"], "cell") for task in tasks_of(state)),
    ],
    amends=("PATCH", "/services/data/v64.0/sobjects/Task/"),
    notes=lambda state, marker: sum(task["Description"].count(marker) for task in tasks_of(state)),
    close=lambda sandbox, remote_id: sandbox.salesforce.complete(remote_id),
    delete=lambda sandbox, remote_id: sandbox.salesforce.delete(remote_id),
    by_hand=salesforce_by_hand,
    lists=("GET", "/services/data/v64.0/query"),
    page_size="connector.sandbox.salesforce.api.PAGE",
    touch=lambda sandbox, remote_id: sandbox.salesforce.start(remote_id),
    strangers=lambda state: [
        task["Id"] for task in tasks_of(state) if task["Subject"] == "By hand"
    ],
    news_page_size="connector.sandbox.salesforce.api.PAGE",
)

# -- HubSpot ------------------------------------------------------------------------------------


def hubspot_by_hand(sandbox: Sandbox) -> None:
    with sandbox.hubspot.changing():
        for marker in ({}, {"nps_action_id": "order-4711"}):
            task = {"hs_task_subject": "By hand", "hs_task_body": "", **marker}
            sandbox.hubspot.crm.create("tasks", task, [])


def properties_of(state: Raw) -> list[Raw]:
    return [task["properties"] for task in state["objects"]["tasks"].values()]


HUBSPOT = SinkHarness(
    kind="hubspot.task",
    vendor="hubspot",
    settings=lambda sandbox: {
        "token": SECRETS["HUBSPOT_TOKEN"],
        "portal": "1",
        "default_owner": "sonia@example.com",
        "base_url": sandbox.urls["hubspot"],
    },
    params={"subject": "NPS 2: call Dora", "next_step": "Call today", "priority": "MEDIUM"},
    subject="subject",
    writes=("POST", "/crm/v3/objects/tasks/batch/create"),
    refuse_second=lambda sandbox: sandbox.hubspot.fault(
        "half_batch", path="/crm/v3/objects/tasks/batch/create"
    ),
    words="every second item is refused",
    echo=lambda text: {
        "status": 400,
        "body": {"status": "error", "category": "VALIDATION_ERROR", "message": text},
    },
    revoke=lambda sandbox: setting(sandbox.hubspot, "token", "another"),
    restore=lambda sandbox: setting(sandbox.hubspot, "token", SECRETS["HUBSPOT_TOKEN"]),
    shown=lambda state: [
        *(Shown(one["hs_task_body"], "html") for one in properties_of(state)),
        *(Shown(one["hs_task_subject"], "cell") for one in properties_of(state)),
    ],
    amends=("PATCH", "/crm/v3/objects/tasks/"),
    notes=lambda state, marker: sum(
        one["hs_task_body"].count(marker) for one in properties_of(state)
    ),
    close=lambda sandbox, remote_id: sandbox.hubspot.complete(remote_id),
    delete=lambda sandbox, remote_id: sandbox.hubspot.delete(remote_id),
    by_hand=hubspot_by_hand,
    lists=("POST", "/crm/v3/objects/tasks/search"),
    page_size="connector.sinks.hubspot.portal.SEARCHED_PER_PAGE",
    touch=lambda sandbox, remote_id: sandbox.hubspot.start(remote_id),
    strangers=lambda state: [
        number
        for number, task in state["objects"]["tasks"].items()
        if task["properties"]["hs_task_subject"] == "By hand"
    ],
    news_page_size="connector.sinks.hubspot.following.MOST_WITH_HISTORY",
)

# -- mail and chat ------------------------------------------------------------------------------

NO_CASE = "a message opens no case, so nothing is ever added to one"
AT_MOST_ONCE = "nobody can be asked what arrived, so what was lost is never sent again"


def email_settings(sandbox: Sandbox) -> Raw:
    host, port = sandbox.urls["smtp"].split(":")
    return {
        "host": host,
        "port": int(port),
        "security": "none",
        "user": SECRETS["SMTP_USER"],
        "password": SECRETS["SMTP_PASSWORD"],
        "from_address": "care@example.com",
        "from_name": "Customer Care",
        "unsubscribe_url": "https://nps.example.com/u",
        "unsubscribe_secret": SECRETS["UNSUBSCRIBE_SECRET"],
    }


EMAIL = SinkHarness(
    kind="email.thank_you",
    vendor="mail",
    settings=email_settings,
    params={
        "template": "thank_you",
        "rendered": {"subject": "Thank you", "text": "Thank you!", "html": "<p>Thank you!</p>"},
    },
    subject="rendered",
    writes=("DATA", ""),
    refuse_second=lambda sandbox: sandbox.mail.fault(
        "status", method="RCPT", status=550, body="5.1.1 No such user here", skip=1
    ),
    words="No such user here",
    echo=lambda text: {"method": "RCPT", "status": 550, "body": f"5.7.1 {text}"},
    revoke=lambda sandbox: setting(sandbox.mail, "password", "another"),
    restore=lambda sandbox: setting(sandbox.mail, "password", SECRETS["SMTP_PASSWORD"]),
    shown=lambda state: [
        Shown(message["headers"][name], "line")
        for message in state["messages"]
        for name in ("Subject", "To", "From", "List-Unsubscribe")
    ],
    has_url=False,
    exempt={
        "a_rate_limit_makes_the_whole_account_wait": "SMTP has no Retry-After",
        "a_500_makes_nothing_twice": "in SMTP a 5xx is a final refusal and leaves no doubt",
        "rubbish_is_no_success": "SMTP has no bodies that could be rubbish",
        "a_second_try_sends_the_same_bytes": AT_MOST_ONCE,
    },
)


def slack_shown(state: Raw) -> list[Shown]:
    found = [Shown(message["text"], "mrkdwn") for message in state["messages"]]
    for message in state["messages"]:
        for block in message["blocks"]:
            for text in (block.get("text"), *block.get("elements", [])):
                if text:
                    found.append(
                        Shown(text["text"], "mrkdwn" if text["type"] == "mrkdwn" else "plain")
                    )
    return found


SLACK = SinkHarness(
    kind="slack.message",
    vendor="slack",
    settings=lambda sandbox: {
        "token": SECRETS["SLACK_BOT_TOKEN"],
        "base_url": sandbox.urls["slack"],
    },
    params={"channel": "#retention", "text": "NPS 2 from Dora"},
    subject="text",
    writes=("POST", "/api/chat.postMessage"),
    refuse_second=lambda sandbox: sandbox.slack.fault(
        "status",
        path="/api/chat.postMessage",
        skip=1,
        status=200,
        body={"ok": False, "error": "msg_too_rude"},
    ),
    words="msg_too_rude",
    echo=lambda text: {"status": 200, "body": {"ok": False, "error": text}},
    revoke=lambda sandbox: setting(sandbox.slack, "token", "another"),
    restore=lambda sandbox: setting(sandbox.slack, "token", SECRETS["SLACK_BOT_TOKEN"]),
    shown=slack_shown,
    has_url=False,
    exempt={"a_second_try_sends_the_same_bytes": AT_MOST_ONCE},
)

SINKS = {one.kind: one for one in (ZENDESK, SALESFORCE, HUBSPOT, EMAIL, SLACK)}


def common(harness: SinkHarness, sandbox: Sandbox) -> Raw:
    return {"type": harness.kind.partition(".")[0], **harness.settings(sandbox)}


def with_subject(harness: SinkHarness, line: str) -> Raw:
    """The parameters with other words in the rule's own line."""
    if harness.subject == "rendered":
        return {**harness.params, "rendered": {**harness.params["rendered"], "subject": line}}
    return {**harness.params, harness.subject: line}
