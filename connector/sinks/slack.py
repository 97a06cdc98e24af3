"""Alerts in Slack channels, at most once. https://docs.slack.dev/reference/methods/chat.postMessage

Nothing that a customer wrote can notify or link: the rule's text is escaped as a whole, because
once it is filled in nobody can tell the author's `<!here>` from a customer's; the comment goes out
as plain text. Whom a message notifies is a parameter of its own, `mention`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import requests
from pydantic import Field, StringConstraints

from connector import ports
from connector.domain import About, Digest, DigestLine, Finding, Order, Prepared, Receipt
from connector.errors import ConnectorError, LookFirst, Paused, Refused, TryLater
from connector.limits import Allowance
from connector.ports import Capabilities, Secret, Template
from connector.sinks.crm import params_of
from connector.sinks.summary import inert, moment, score_words
from connector.text import hashed, one_line

POST = "https://slack.com/api/chat.postMessage"
TEST = "https://slack.com/api/auth.test"
MOST_TEXT = 2900  # of a section's 3,000 characters, after escaping
MOST_LINE = 300  # of an alert in a digest
MOST_COMMENT = 500  # enough to understand; the link leads to the rest

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_PAUSED = {
    "invalid_auth": "the token is not valid; put a new bot token into connector.yaml's variable",
    "not_authed": "no token was sent; check the token's variable",
    "account_inactive": "the app was removed from the workspace; install it again",
    "token_revoked": "the token was revoked; install the app again and renew the token",
    "token_expired": "the token has expired; renew it",
    "not_allowed_token_type": "this is not a bot token; use the one that starts with xoxb-",
    "missing_scope": "the app may not write; give it the scope chat:write and install it again",
    "no_permission": "the app may not write; ask a workspace administrator",
    "access_denied": "the app may not write; ask a workspace administrator",
    "ekm_access_denied": "writing is suspended; ask a workspace administrator",
    "team_access_not_granted": "the app has no access to this workspace; install it there",
    "org_login_required": "the workspace is being moved; it goes on when that is done",
}
_REFUSED = {
    "channel_not_found": "there is no such channel, or a private one without the app; check the "
    "rule, or write /invite @app there",
    "not_in_channel": "the app is not in the channel; write /invite @app there",
    "is_archived": "the channel is archived; name another one in the rule",
    "restricted_action": "the workspace does not let apps write in this channel",
}
_LATER = {"ratelimited", "rate_limited", "message_limit_exceeded"}
_NOT_DONE = {"request_timeout", "service_unavailable", "team_added_to_org"}
# Slack's own words: some of the operation may have succeeded before the error.
_UNKNOWN = {"fatal_error", "internal_error"}

Mention = Annotated[
    str, StringConstraints(pattern=r"^(?:here|channel|everyone|[UWS][A-Z0-9]{5,})$")
]


class SlackSettings(ports.SinkSettings):
    type: Literal["slack"] = "slack"
    token: Secret = Field(description="bot token (xoxb-…) with the scope chat:write")


class MessageParams(ports.Params):
    """`slack.message` in a rule."""

    channel: str = Field(min_length=1, description="#name or id; the app must be a member")
    text: Template = Field(
        "NPS {{ score | default('without score') }} from {{ customer.name | default('someone') }}",
        description="the headline; *bold* and _italic_ work, <…> does not",
    )
    mention: list[Mention] = Field(
        [], description="whom to notify: here, channel, or ids of people (U…) and groups (S…)"
    )


class SlackMessage:
    """`slack.message`. Slack knows no key and no look-up, so a lost answer stays in doubt."""

    Settings: ClassVar[type[ports.SinkSettings]] = SlackSettings
    Params: ClassVar[type[ports.Params]] = MessageParams
    type: ClassVar[str] = "slack"
    kind: ClassVar[str] = "slack.message"
    capabilities: ClassVar[Capabilities] = Capabilities(digest_by="channel")

    def __init__(self, settings: SlackSettings, session: requests.Session) -> None:
        self._session = session
        self.meter = settings.meter(Allowance(), session)  # Slack never tells its limits
        self._headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        self._account = f"slack:{hashed('slack', settings.token.get_secret_value())[:8]}"

    @property
    def account(self) -> str:
        """The workspace, as far as the token tells; from its hash the token cannot be read."""
        return self._account

    def prepare(self, orders: Sequence[Order], now: datetime) -> Sequence[bytes | ConnectorError]:
        prepared: list[bytes | ConnectorError] = []
        for order in orders:
            try:
                prepared.append(json.dumps(_message(order), separators=(",", ":")).encode())
            except Refused as refused:
                prepared.append(refused)
        return prepared

    def send(self, batch: Sequence[Prepared], now: datetime) -> Sequence[Receipt | ConnectorError]:
        sent: list[Receipt | ConnectorError] = []
        for one in batch:
            try:
                sent.append(self._post(one.body))
            except ConnectorError as error:
                sent.append(error)
        return sent

    def find(
        self, batch: Sequence[Prepared], now: datetime
    ) -> Sequence[Receipt | ConnectorError | None]:
        """Nobody can be asked; None would mean that nothing was sent."""
        return [LookFirst("a chat message cannot be looked up; see the channel") for _ in batch]

    def check(self, now: datetime) -> Sequence[Finding]:
        try:
            answer = _answer(self._session.get(TEST, headers=self._headers))
        except ConnectorError as error:
            return [Finding(ok=False, subject="token", message=str(error))]
        team = one_line(str(answer.get("team", "")), 80)
        return [Finding(ok=True, subject="token", message=f"works in the workspace {team}")]

    def _post(self, body: bytes) -> Receipt:
        headers = {**self._headers, "Content-Type": "application/json; charset=utf-8"}
        answer = _answer(self._session.post(POST, data=body, headers=headers))
        return Receipt(remote_id=f"{answer.get('channel', '')}/{answer.get('ts', '')}")


def _message(order: Order) -> dict[str, Any]:
    params, facts = params_of(order, MessageParams), order.facts
    notified = " ".join(_mention(who) for who in params.mention)
    if order.digest is not None:
        title = f"{notified} {_escaped(inert(params.text))}".strip()
        parts = [title, *_listed(order.digest)]
        told = [{"type": "section", "text": _marked(part)} for part in parts]
        return _posted(params.channel, title, told)
    headline = _cut(_escaped(inert(params.text).strip() or order.rule_name), MOST_TEXT)
    said = " ".join(inert(facts.comment).split())
    answer = [] if facts.score is None else [score_words(facts)]
    answer += [f"“{_cut(said, MOST_COMMENT)}”"] if said else []
    who = [
        one_line(inert(str(name)), 80)
        for name in (facts.customer.get("name"), facts.company.get("name"))
        if name
    ]
    about = [*who, facts.survey_name or facts.survey, moment(facts.answered_at)]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": _marked(f"{notified} {headline}".strip())}
    ]
    if answer:  # an alarm is about no answer
        blocks.append({"type": "section", "text": _plain(" - ".join(answer))})
    if any(about):
        elements = [_plain(" | ".join(part for part in about if part))]
        blocks.append({"type": "context", "elements": elements})
    if case := _case(order.about):
        blocks.append({"type": "context", "elements": [_marked(case)]})
    if link := _link(facts.link):
        blocks.append({"type": "context", "elements": [_marked(f"<{link}|Open the answer>")]})
    return _posted(params.channel, f"{notified} {headline}".strip(), blocks)


def _case(about: About | None) -> str:
    """Which case it is about, and whose it is."""
    if about is None:
        return ""
    number = _escaped(one_line(inert(about.number), 60))
    link = _link(about.link)
    named = f"<{link}|Case {number}>" if link else f"Case {number}"
    owner = _escaped(one_line(inert(about.owner), 80)) or "nobody"
    return f"{named} | owner: {owner} | {_cut(_escaped(inert(about.why)), MOST_LINE)}"


def _posted(channel: str, text: str, blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "channel": channel,
        "text": text,  # for notifications and screen readers
        "blocks": blocks,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _listed(digest: Digest) -> list[str]:
    """One line for each alert, in parts that fit into a section."""
    parts: list[str] = []
    lines = [_digest_line(line) for line in digest.lines]
    if digest.more:
        lines.append(f"+ {digest.more} more")
    for line in lines:
        if parts and len(parts[-1]) + len(line) < MOST_TEXT:
            parts[-1] += f"\n{line}"
        else:
            parts.append(line)
    return parts


def _digest_line(line: DigestLine) -> str:
    text = _cut(_escaped(one_line(inert(line.text), MOST_LINE)), MOST_LINE)
    link = _link(line.link)
    label = f"ticket {_escaped(one_line(inert(line.case), 30))}" if line.case else "open"
    fits = link and len(link) <= MOST_TEXT // 2
    return f"• {text} <{link}|{label}>" if fits else f"• {text}"


def _marked(text: str) -> dict[str, Any]:
    """`verbatim`: a bare address or @name in it is not made into a link or a mention."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mention(who: str) -> str:
    if who in ("here", "channel", "everyone"):
        return f"<!{who}>"
    return f"<!subteam^{who}>" if who.startswith("S") else f"<@{who}>"


def _cut(text: str, limit: int) -> str:
    """Never in the middle of an escaped character."""
    if len(text) <= limit:
        return text
    return re.sub(r"&[a-z]*$", "", text[: limit - 1]) + "…"


def _link(address: str | None) -> str:
    """The address if it is one that can stand inside `<…|…>`."""
    found = re.fullmatch(r"https?://[^\s<>|\"]{1,2000}", address or "")
    return found[0].replace("&", "&amp;") if found else ""


def _answer(response: requests.Response) -> dict[str, Any]:
    """The body of a success. Slack says most of its errors with the status 200."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        if response.status_code in (401, 403):
            raise Paused(f"Slack does not let us in ({response.status_code}); check the token")
        if 400 <= response.status_code < 500:
            raise Refused(f"Slack refused the request ({response.status_code})")
        raise LookFirst("Slack gave an answer that is none; the message may have been posted")
    if answer["ok"] is True:
        return answer
    said = str(answer.get("error"))
    # Anything but one of its code words would not be Slack speaking, and could quote the message.
    raise _error(said if re.fullmatch(r"[a-z][a-z0-9_]{0,60}", said) else "unknown")


def _error(code: str) -> ConnectorError:
    if code in _PAUSED:
        return Paused(f"Slack: {_PAUSED[code]} ({code})")
    if code in _LATER:
        return TryLater(f"Slack asks to wait ({code})", account_wide=True)
    if code in _NOT_DONE:
        return TryLater(f"Slack did not take the message ({code})")
    if code in _UNKNOWN:
        return LookFirst(f"Slack failed ({code}); the message may have been posted")
    return Refused(f"Slack: {_REFUSED.get(code, 'the message was refused')} ({code})")
