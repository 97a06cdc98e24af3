"""What other rules would have done: cases, messages and alerts, answer after answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connector.domain import Facts
from connector.rules.backtest import Backtest, Compared
from connector.rules.made import Known
from connector.rules.model import Ruleset
from connector.rules.past import Fate, Past, light_facts
from connector.rules.tally import Tally, by_day, days_between, load

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # a Monday
TICKET = "  - {id: angry, when: {segment: detractor}, then: [{zendesk.ticket: {group: Care}}]}\n"
THANKS = "  - {id: thanks, when: {score: {at_least: 7}}, then: [{email.thank_you: {}}]}\n"
ALERT = (
    "  - {id: often, when: {history.open_cases: {at_least: 1}},"
    ' then: [{slack.message: {channel: "#x", text: again}}]}\n'
)
Made = list[tuple[str, str, str]]


@pytest.fixture
def replay(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> Callable[..., list[Compared]]:
    """Answers as (days since the start, customer, what was given), under two rulesets."""

    def run(active: str, candidate: str, *answers: Any, **known: Any) -> list[Compared]:
        about = Known({}, known.pop("fates", {}), {}, known.pop("closes_after", None))
        both = (ruleset(f"rules:\n{rules}") for rules in (active, candidate))
        backtest = Backtest(*both, about)
        found = []
        for number, (days, customer, given) in enumerate(answers):
            more = given.pop("past", {})
            address = {"email": f"{customer}@example.com"} if customer else {}
            kept = facts(**{**given, "customer": {**address, **given.get("customer", {})}})
            at = START + timedelta(days=days)
            kept = kept.model_copy(update={"answered_at": at})
            light = light_facts(kept.model_dump(mode="json"))
            past = Past(number, f"r{number}", customer, 1, 1, True, at, light)
            found.append(backtest.compare(past._replace(**more)))
        return found

    return run


def made(one: Compared) -> tuple[Made, Made]:
    first, second = (
        [(e.asked.action.kind, e.asked.rule_id, e.withheld) for e in side.effects.values()]
        for side in (one.active, one.candidate)
    )
    return first, second


def test_a_rule_that_is_added_opens_its_cases_and_one_that_is_gone_does_not(replay) -> None:
    (sad, happy) = replay(THANKS, TICKET, (0, "ana", {"score": 2}), (1, "leo", {"score": 9}))
    assert made(sad) == ([], [("zendesk.ticket", "angry", "")])
    assert made(happy) == ([("email.thank_you", "thanks", "")], [])


def test_a_case_that_the_candidate_would_have_opened_keeps_the_customer_from_a_mail(replay) -> None:
    answers = [(0, "ana", {"score": 2}), (1, "ana", {"score": 9}), (1, "leo", {"score": 9})]
    _, second, other = replay(THANKS, TICKET + THANKS, *answers)
    mail, withheld = made(second)
    assert mail == [("email.thank_you", "thanks", "")]
    assert "open case" in withheld[0][2]
    assert made(other)[0] == made(other)[1]


def test_rules_that_ask_for_open_cases_see_their_own(replay) -> None:
    answers = [(0, "ana", {"score": 2}), (1, "ana", {"score": 9}), (2, None, {"score": 9})]
    first, second, nobody = replay(ALERT, TICKET + ALERT, *answers)
    assert made(first) == ([], [("zendesk.ticket", "angry", "")])
    assert made(second) == ([], [("slack.message", "often", "")])
    assert made(nobody) == ([], [])


@pytest.mark.parametrize(("days", "open_cases"), [(1.9, 1), (2, 0), (9, 0)])
def test_a_case_that_never_was_is_open_for_as_long_as_real_ones(replay, days, open_cases) -> None:
    rules = TICKET + THANKS
    answers = [(0, "ana", {"score": 2}), (days, "ana", {"score": 9})]
    (_, second) = replay(rules, rules, *answers, closes_after=timedelta(days=2))
    assert second.past.facts.history.open_cases == open_cases


def test_what_an_old_answer_and_history_do_not_get(replay) -> None:
    old = {"score": 9, "past": {"quiet": "too old"}}
    kept = {"score": 2, "past": {"acts": False}}
    found = replay(TICKET + THANKS, TICKET + THANKS, (0, "ana", old), (1, "leo", kept))
    assert made(found[0])[0] == [("email.thank_you", "thanks", "too old")]
    assert made(found[1]) == ([], [])
    assert found[1].active.fired == ("angry",)


def test_an_answer_that_turns_happy_before_its_case_was_sent_has_none(replay) -> None:
    def revision(number: int, score: int) -> dict[str, Any]:
        return {"score": score, "past": {"response": "r", "revision": number, "revisions": 2}}

    rules = TICKET + THANKS
    unsent = [(0, "ana", revision(1, 2)), (0, "ana", revision(2, 9))]
    late = [(0, "ana", revision(1, 2)), (1, "ana", revision(2, 9))]
    never = {("r", "case support-desk"): Fate(None, None)}
    assert made(replay(rules, rules, *unsent, fates=never)[1])[0] == [
        ("email.thank_you", "thanks", "")
    ]
    (ticket, mail) = made(replay(rules, rules, *late)[1])[0]
    assert ticket == ("zendesk.ticket", "angry", "")
    assert "open case" in mail[2]


def test_stop_and_default_and_until_end_the_reading_as_they_do_live(replay) -> None:
    active = "  - {id: first, when: {score: 2}, then: [{log: {}}], stop: true}\n" + TICKET
    candidate = (
        "  - {id: first, until: 2026-11-03, when: {score: 2}, then: [{log: {}}], stop: true}\n"
        + TICKET
        + "default: {then: [{slack.message: {channel: '#x', text: nobody}}]}\n"
    )
    answers = [(0, "ana", {"score": 2}), (2, "leo", {"score": 2}), (3, "eva", {"score": 8})]
    found = replay(active, candidate, *answers)
    assert made(found[0]) == ([], [])
    assert made(found[1]) == ([], [("zendesk.ticket", "angry", "")])
    assert made(found[2]) == ([], [("slack.message", "default", "")])


def add(replay: Any, active: str, candidate: str, *answers: Any, limit: int | None = 10) -> Tally:
    tally = Tally(limit=limit, zone=ZoneInfo("UTC"))
    for one in replay(active, candidate, *answers):
        tally.add(one)
    return tally


def test_who_is_told_of_a_change_and_how_many(replay) -> None:
    words = {"name": "Ana\x1b[31m", "company": "Acme", "plan": "scale"}
    answers = [(n, f"p{n}", {"score": 2, "comment": "w" * 500, "customer": words}) for n in "abc"]
    answers = [(n, who, given) for n, (_, who, given) in enumerate(answers)]
    tally = add(replay, THANKS, TICKET, *answers, limit=2)
    assert tally.changes == {("appears", "zendesk.ticket"): 3}
    newest = sorted(tally.differences, reverse=True)
    assert [one.response for one in newest] == ["r2", "r1"]
    assert (newest[0].name, newest[0].company, newest[0].score) == ("Ana [31m", "Acme", 2)
    assert len(newest[0].words) == 120
    assert newest[0].becomes == "angry (Care)"


def test_parts_of_the_past_add_up_to_the_whole(replay) -> None:
    answers = [(n, f"p{n % 3}", {"score": n % 11}) for n in range(40)]
    whole = add(replay, TICKET, THANKS + ALERT, *answers)
    parts = Tally(limit=10, zone=ZoneInfo("UTC"))
    found = replay(TICKET, THANKS + ALERT, *answers)
    for third in range(3):
        part = Tally(limit=10, zone=ZoneInfo("UTC"))
        for one in found:
            if one.past.customer == f"p{third}":
                part.add(one)
        parts.merge(part)
    whole.merge(Tally(limit=10, zone=ZoneInfo("UTC")))
    assert parts == whole


def test_the_load_of_days_is_what_a_hand_counts() -> None:
    days = days_between(START, START + timedelta(days=9), ZoneInfo("UTC"))
    counts = dict(zip(days, (3, 0, 7, 1, 2, 0, 0, 5, 12, 4), strict=True))
    found = load(counts, days, capacity=4)
    # 0 0 0 1 2 3 4 5 7 12: half of the days keep to 2, nine of ten to 7
    assert (found.total, found.p50, found.p90, found.most, found.over) == (34, 2, 7, 12, 3)
    # Mondays 3 and 5, Tuesdays 0 and 12, Wednesdays 7 and 4, then one of each
    assert found.by_weekday == (4.0, 6.0, 5.5, 1.0, 2.0, 0.0, 0.0)
    assert load({}, [], None).total == 0


def test_a_day_begins_where_the_team_works() -> None:
    late = datetime(2026, 11, 2, 23, 30, tzinfo=UTC)
    assert days_between(late, late, ZoneInfo("Europe/Madrid")) == [date(2026, 11, 3)]
    cases = {("Care", date(2026, 11, 3)): [2, 5], ("Sales", date(2026, 11, 3)): [1, 1]}
    assert by_day(cases, 1, ["Care", "Sales"]) == {date(2026, 11, 3): 6}
    assert by_day(cases, 0, ["Care"]) == {date(2026, 11, 3): 2}


CAPPED = THANKS.replace("thanks,", "thanks, cap: 1 per customer per 10d,")
WHY = "cap: 1 per customer per 10d; the last one on "


def test_a_cap_is_counted_by_what_the_candidate_itself_would_have_sent(replay) -> None:
    answers = [(days, "ana", {"score": 9}) for days in (0, 5, 10, 12)] + [(12, "leo", {"score": 9})]
    found = [[effect[2] for effect in made(one)[1]] for one in replay(THANKS, CAPPED, *answers)]
    assert found == [
        [""],
        [f"{WHY}2026-11-02 by thanks"],
        [""],
        [f"{WHY}2026-11-12 by thanks"],
        [""],
    ]


def test_a_message_that_turned_into_a_case_gives_its_place_back(replay) -> None:
    first = {"score": 9, "past": {"revisions": 2}}
    again = {"score": 2, "past": {"revision": 2, "revisions": 2, "response": "r0"}}
    answers = [(0, "ana", first), (0, "ana", again), (20, "ana", {"score": 9})]
    found = replay(THANKS + TICKET, CAPPED + TICKET, *answers, closes_after=timedelta(days=1))
    assert made(found[2])[1] == [("email.thank_you", "thanks", "")]


def test_a_later_rule_without_the_cap_sends_in_its_place(replay) -> None:
    rules = CAPPED + CAPPED.replace("thanks, cap: 1 per customer per 10d", "loud, cap: none")
    found = replay(rules, rules, *((days, "ana", {"score": 9}) for days in (0, 1)))
    assert [made(one)[0] for one in found] == [
        [("email.thank_you", "thanks", "")],
        [("email.thank_you", "loud", "")],
    ]


def test_days_since_contact_are_those_of_each_side(replay) -> None:
    silent = (
        "  - {id: silent, when: {history.days_since_contact: {at_least: 3}}, "
        'then: [{slack.message: {channel: "#x", text: again}}]}\n'
    )
    answers = [(0, "ana", {"score": 2}), (2, "ana", {"score": 8}), (4, "ana", {"score": None})]
    found = replay(silent, TICKET + silent, *answers)
    assert [one.active.fired for one in found] == [(), (), ()]
    assert [one.candidate.fired for one in found] == [("angry",), (), ("silent",)]


def test_a_holdout_spares_the_customers_that_it_would_spare(replay) -> None:
    spared = THANKS.replace("thanks,", "thanks, holdout: 50%,")
    answers = [(0, f"p{number}", {"score": 9}) for number in range(40)]
    answers += [(1, f"p{number}", {"score": 9}) for number in range(40)]
    found = replay(THANKS, spared, *answers)
    out = [bool(one.candidate.held_out) for one in found]
    assert out[:40] == out[40:]
    assert 8 < sum(out[:40]) < 32
    for one in found:
        assert one.candidate.fired == one.active.fired == ("thanks",)
        assert len(made(one)[1]) == (0 if one.candidate.held_out else 1)
    tally = Tally(limit=10, zone=ZoneInfo("UTC"))
    for one in found:
        tally.add(one)
    assert tally.rules["thanks", "held out"] == [0, sum(out)]


ROUTED = "  - {id: angry, when: {segment: detractor}, then: [{zendesk.ticket: {group: Care, "
ROUTED += 'assignee: "{{ owner }}"}}]}\n'
ROUTING = "routing: [{when: {language: es}, pool: es}, {when: {}, owner: eva}]\n"


def test_pools_take_turns_from_their_first_member_and_cases_count_by_person(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    active = ruleset(f"pools: {{es: [ana, bo]}}\n{ROUTING}rules:\n{ROUTED}")
    # One more rule that takes turns: whose turn it then is moves, and that is no news.
    more = ROUTED.replace("angry", "passives").replace("detractor", "passive")
    candidate = ruleset(f"pools: {{es: [ana, bo]}}\n{ROUTING}rules:\n{ROUTED}{more}")
    backtest = Backtest(active, candidate, Known({}, {}, {}))
    tally = Tally(limit=10, zone=ZoneInfo("UTC"))
    scores = (2, 8, 2, 2, 9)
    for number, score in enumerate((*scores, 1)):
        given = facts(score=score, language="en" if number == 5 else "es")
        light = light_facts(
            given.model_copy(update={"positions": {"es": 7}}).model_dump(mode="json")
        )
        past = Past(number, f"r{number}", None, 1, 1, True, START, light)
        tally.add(backtest.compare(past))
    assert {team: pair for (team, _), pair in tally.cases.items()} == {
        "ana": [2, 2],
        "bo": [1, 2],
        "eva": [1, 1],
    }
    assert tally.changes == {("appears", "zendesk.ticket"): 1}
    assert tally.differences[0].becomes == "passives (pool es)"


def test_a_revision_keeps_its_turn(
    ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]
) -> None:
    rules = ruleset(f"pools: {{es: [ana, bo]}}\n{ROUTING}rules:\n{ROUTED}")
    backtest = Backtest(rules, rules, Known({}, {}, {}))
    teams = []
    for number, (response, revision, revisions) in enumerate(
        (("a", 1, 2), ("b", 1, 1), ("a", 2, 2), ("c", 1, 1))
    ):
        light = light_facts(facts(score=2, language="es").model_dump(mode="json"))
        # Both revisions are there before anything is sent.
        past = Past(number, response, None, revision, revisions, True, START, light)
        (effect,) = backtest.compare(past).active.effects.values()
        teams.append(effect.team)
    assert teams == ["ana", "bo", "ana", "ana"]
