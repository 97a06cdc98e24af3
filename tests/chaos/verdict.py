"""Counting at the far sides, against what the outside world was promised."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from connector.domain import amendment_key, case_key, effect_key, response_id
from connector.store import Store
from connector.store.tables import actions

MOST_PARKED = 0.01
_NAME = re.compile(r"\ba-\d{5,}\b")
_ACCOUNTS = {"desk": "zendesk:acme", "hub": "hubspot:default", "crm": "salesforce:sandbox.my"}
KINDS = {"desk": "ticket", "hub": "task", "crm": "task", "chat": "message", "mail": "mail"}
_BLIND = ("chat", "mail")


@dataclass
class Answer:
    """What was acknowledged of one answer; `words` is the newest comment."""

    id: str
    score: int
    words: str
    revised: bool = False

    @property
    def sinks(self) -> tuple[str, ...]:
        """Where it must have an effect, by the rules of the installation."""
        if self.score <= 6:
            return ("desk", "chat")
        return {7: ("hub",), 8: ("crm",)}.get(self.score, ("mail",))


@dataclass
class FarSides:
    """What exists there. `made` counts effects by sink and key (chat and mail: by answer), `texts`
    is all that stands on a case."""

    made: Mapping[str, Counter[str]]
    texts: Mapping[str, Mapping[str, str]]


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
        known = found.setdefault(said["id"], Answer(said["id"], said["score"], said["comment"]))
        known.revised |= known.words != said["comment"]
        known.words = said["comment"]
    return list(found.values())


def look(urls: Mapping[str, str]) -> FarSides:
    """Ask every stand-in over HTTP."""
    state = {name: _state(urls[name]) for name in ("zendesk", "hubspot", "salesforce", "slack")}
    mails = requests.get(f"{urls['mail']}/messages", timeout=30).json()
    tickets = list(state["zendesk"]["tickets"].values())
    desk = {t["external_id"]: _written(state["zendesk"]["comments"][str(t["id"])]) for t in tickets}
    hub_rows = [row["properties"] for row in state["hubspot"]["objects"]["tasks"].values()]
    crm_rows = list(state["salesforce"]["records"]["Task"].values())
    posted = " ".join(message["text"] for message in state["slack"]["messages"])
    return FarSides(
        made={
            "desk": Counter(ticket["external_id"] for ticket in tickets),
            "hub": Counter(row.get("nps_action_id") for row in hub_rows),
            "crm": Counter(row["NPS_Response_Id__c"] for row in crm_rows),
            "chat": Counter(_NAME.findall(posted)),
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
    )


def _state(url: str) -> Any:
    return requests.get(f"{url}/_sandbox/state", timeout=30).json()


def _written(comments: list[dict[str, Any]]) -> str:
    return "\n".join(str(comment.get("body") or comment) for comment in comments)


def states(store_url: str) -> dict[str, str]:
    """The outbox's own opinion: key -> state."""
    store = Store(store_url)
    try:
        with store.read() as connection:
            found = connection.execute(select(actions.c.key, actions.c.state)).tuples().all()
            return dict(found)
    finally:
        store.close()


def judge(answers: list[Answer], there: FarSides, outbox: Mapping[str, str]) -> list[Tally]:
    """One tally per sink, and one for the newer words that belong onto cases."""
    tallies = {sink: Tally(f"{sink} {what}") for sink, what in KINDS.items()}
    notes = Tally("notes on cases")
    for answer in answers:
        for sink in answer.sinks:
            key, counted = _keys(answer, sink)
            effects = there.made[sink][counted]
            _count(tallies[sink], answer, effects, outbox.get(key, "missing"), sink in _BLIND)
            if answer.revised and sink not in _BLIND and effects:
                _count_note(notes, answer, key, there.texts[sink].get(key, ""), outbox)
    return [*tallies.values(), notes]


def _keys(answer: Answer, sink: str) -> tuple[str, str]:
    """The action's key, and what its effect is counted by."""
    response = response_id("app", answer.id)
    if sink in _ACCOUNTS:
        key = case_key(response, _ACCOUNTS[sink])
        return key, key
    if sink == "chat":
        return effect_key(response, "chat", "slack.message", "detractor"), answer.id
    return effect_key(response, "", "email.thank_you", ""), answer.id


def _count(tally: Tally, answer: Answer, effects: int, state: str, blind: bool) -> None:
    tally.actions += 1
    tally.effects += min(effects, 1)
    tally.parked += state == "parked"
    tally.in_doubt += state == "in_doubt" and not effects
    if effects > 1:
        tally.doubled.append(f"{answer.id}: {effects} at the far side, {state} here")
    accounted = ("parked", "in_doubt") if blind else ("parked",)
    if effects == 0 and state not in accounted:
        tally.lost.append(f"{answer.id}: nothing at the far side, {state} here")


def _count_note(
    tally: Tally, answer: Answer, case: str, text: str, outbox: Mapping[str, str]
) -> None:
    """The newest words stand on the case once: in its body, or in one note."""
    key = amendment_key(case, 2)
    state = outbox.get(key, "")
    tally.actions += 1
    tally.effects += answer.words in text
    tally.parked += state == "parked"
    if text.count(f"[{key}]") > 1:
        tally.doubled.append(f"{answer.id}: the same note twice")
    if answer.words not in text and state != "parked":
        tally.lost.append(f"{answer.id}: its newest words are on no case, {state or 'missing'}")
