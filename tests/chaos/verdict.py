"""Counting at the far sides, against what the outside world was promised."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import requests

from connector.domain import amendment_key, case_key, effect_key, response_id
from tests.chaos import lots
from tests.chaos.agents import ANA

MOST_PARKED = 0.01
_NAME = re.compile(r"\ba-\d{5,}\b")
ACCOUNTS = {"desk": "zendesk:acme", "hub": "hubspot:default", "crm": "salesforce:sandbox.my"}
KINDS = {"desk": "ticket", "hub": "task", "crm": "task", "chat": "message", "mail": "mail"}
_BLIND = ("chat", "mail")


@dataclass
class Answer:
    """What was acknowledged of one answer: every score in turn, and the newest comment."""

    id: str
    scores: list[int]
    words: str

    @property
    def revised(self) -> bool:
        return len(self.scores) > 1

    def wanted(self) -> dict[str, bool]:
        """Sink -> whether there must be an effect, by the rules of the installation. Where there
        need not, there may be one: it depends on how far the first words had come when others came.
        """
        first, last = _sinks(self.scores[0]), _sinks(self.scores[-1])
        return dict.fromkeys(first, False) | {s: s != "mail" or s in first for s in last}

    @property
    def cheered(self) -> bool:
        """Unhappy first: a mail is due only if no case had been opened until then."""
        return "desk" in _sinks(self.scores[0]) and "mail" in _sinks(self.scores[-1])


def _sinks(score: int) -> tuple[str, ...]:
    if score == lots.SCORE:
        return ("desk",)
    if score <= 6:
        return ("desk", "chat")
    return {7: ("hub",), 8: ("crm",)}.get(score, ("mail",))


class Worked(NamedTuple):
    """When a person first worked on a ticket and when it was solved, by the help desk's clock."""

    touched_at: datetime | None = None
    solved_at: datetime | None = None


@dataclass
class FarSides:
    """What exists there. `made` counts effects by sink and key (chat and mail: by answer), `texts`
    is all that stands on a case, `worked` what people did with it, `late` the messages of an
    escalation by answer."""

    made: Mapping[str, Counter[str]]
    texts: Mapping[str, Mapping[str, str]]
    worked: Mapping[str, Worked] = field(default_factory=dict)
    late: Counter[str] = field(default_factory=Counter)


@dataclass
class Tally:
    """One row of the table."""

    name: str
    actions: int = 0
    effects: int = 0
    parked: int = 0
    in_doubt: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


def acknowledged(file: Path) -> list[Answer]:
    """From the sender's own record."""
    found: dict[str, Answer] = {}
    for line in file.read_text().splitlines():
        said = json.loads(line)
        known = found.setdefault(said["id"], Answer(said["id"], [], ""))
        known.scores.append(said["score"])
        known.words = said["comment"]
    return list(found.values())


def look(urls: Mapping[str, str]) -> FarSides:
    """Ask every stand-in over HTTP."""
    state = {name: _state(urls[name]) for name in ("zendesk", "hubspot", "salesforce", "slack")}
    mails = requests.get(f"{urls['mail']}/messages", timeout=30).json()
    helpdesk, chat = state["zendesk"], state["slack"]["messages"]
    tickets = list(helpdesk["tickets"].values())
    desk = {t["external_id"]: _written(helpdesk["comments"][str(t["id"])]) for t in tickets}
    hub_rows = [row["properties"] for row in state["hubspot"]["objects"]["tasks"].values()]
    crm_rows = list(state["salesforce"]["records"]["Task"].values())
    return FarSides(
        made={
            "desk": Counter(ticket["external_id"] for ticket in tickets),
            "hub": Counter(row.get("nps_action_id") for row in hub_rows),
            "crm": Counter(row["NPS_Response_Id__c"] for row in crm_rows),
            "chat": _posted(chat, "cx-alerts"),
            "mail": Counter(
                name.replace("person-", "a-")
                for mail in mails
                for name in re.findall(r"person-\d+", " ".join(mail["rcpt_tos"]))
            ),
        },
        texts={
            "desk": desk,
            "hub": {row.get("nps_action_id"): row.get("hs_task_body") or "" for row in hub_rows},
            "crm": {row["NPS_Response_Id__c"]: row["Description"] or "" for row in crm_rows},
        },
        worked={t["external_id"]: _worked(helpdesk, str(t["id"])) for t in reversed(tickets)},
        late=_posted(chat, "retention"),
    )


def _state(url: str) -> Any:
    return requests.get(f"{url}/_sandbox/state", timeout=30).json()


def _posted(messages: list[dict[str, Any]], channel: str) -> Counter[str]:
    told = " ".join(message["text"] for message in messages if message["channel"] == channel)
    return Counter(_NAME.findall(told))


def _worked(helpdesk: dict[str, Any], ticket: str) -> Worked:
    audits = (audit for audit in helpdesk["audits"][ticket] if audit["author_id"] == ANA)
    solved_at = helpdesk["solved"].get(ticket, {}).get("at")
    return Worked(
        touched_at=min((datetime.fromisoformat(one["created_at"]) for one in audits), default=None),
        solved_at=datetime.fromisoformat(solved_at) if solved_at else None,
    )


def _written(comments: list[dict[str, Any]]) -> str:
    return "\n".join(str(comment.get("body") or comment) for comment in comments)


def judge(answers: list[Answer], there: FarSides, outbox: Mapping[str, str]) -> list[Tally]:
    """One tally per sink, one for the newer words that belong onto cases, and one for what nobody
    has asked for."""
    tallies = {sink: Tally(f"{sink} {what}") for sink, what in KINDS.items()}
    notes, strays = Tally("notes on cases"), Tally("nobody wanted")
    expected: dict[str, set[str]] = {sink: set() for sink in KINDS}
    for answer in answers:
        for sink, must in answer.wanted().items():
            key, counted = _keys(answer, sink)
            expected[sink].add(counted)
            effects = there.made[sink][counted]
            blind = sink in _BLIND
            _count(tallies[sink], answer, effects, outbox.get(key, "missing"), must, blind)
            if answer.revised and effects and not blind:
                _count_note(notes, answer, key, there.texts[sink].get(key, ""), outbox)
        if answer.cheered:
            _count_cheered(tallies["mail"], answer, there, outbox)
    for sink, known in expected.items():
        unasked = sorted(str(key) for key in there.made[sink] if key not in known)
        strays.effects += len(unasked)
        strays.doubled += [f"{sink}: {key} has an effect that nobody asked for" for key in unasked]
    return [*tallies.values(), notes, strays]


def _keys(answer: Answer, sink: str) -> tuple[str, str]:
    """The action's key, and what its effect is counted by."""
    response = response_id("app", answer.id)
    if sink in ACCOUNTS:
        key = case_key(response, ACCOUNTS[sink])
        return key, key
    if sink == "chat":
        return effect_key(response, "chat", "slack.message", "detractor"), answer.id
    return effect_key(response, "", "email.thank_you", ""), answer.id


def _count(tally: Tally, answer: Answer, effects: int, state: str, must: bool, blind: bool) -> None:
    in_doubt = blind and state == "in_doubt" and not effects
    tally.actions += bool(must or effects or in_doubt)
    tally.effects += min(effects, 1)
    tally.parked += state == "parked"
    tally.in_doubt += in_doubt
    if effects > 1:
        tally.doubled.append(f"{answer.id}: {effects} at the far side, {state} here")
    if must and not effects and not in_doubt and state != "parked":
        tally.lost.append(f"{answer.id}: nothing at the far side, {state} here")


def _count_cheered(
    mails: Tally, answer: Answer, there: FarSides, outbox: Mapping[str, str]
) -> None:
    """Who turned happy has a case or a thank-you, never both: a person talks to them first."""
    (desk, ticket), (mail, person) = _keys(answer, "desk"), _keys(answer, "mail")
    case, thanks = there.made["desk"][ticket], there.made["mail"][person]
    if case and thanks:
        mails.doubled.append(f"{answer.id}: a mail although the customer has a case")
    settled = outbox.get(desk) == "parked" or outbox.get(mail) in ("parked", "in_doubt")
    if not case and not thanks and not settled:
        mails.lost.append(f"{answer.id}: neither a case nor a mail")


def _count_note(
    tally: Tally, answer: Answer, case: str, text: str, outbox: Mapping[str, str]
) -> None:
    """The newest words stand on the case once: in its body, or in one note."""
    key = amendment_key(case, 2)
    state = outbox.get(key, "")
    told = max(text.count(answer.words), text.count(f"[{key}]"))
    tally.actions += 1
    tally.effects += min(told, 1)
    tally.parked += state == "parked"
    if told > 1:
        tally.doubled.append(f"{answer.id}: its newest words are told {told} times")
    if not told and state != "parked":
        tally.lost.append(f"{answer.id}: its newest words are on no case, {state or 'missing'}")
