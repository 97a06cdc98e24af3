"""`cap` and `holdout`: how they are read, what they refuse, and that a draw is fair."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any

import pytest

from connector.domain import Facts, PastEffect
from connector.rules.decide import decide
from connector.rules.explain import explain
from connector.rules.holdout import Holdout
from connector.rules.model import Loaded, Ruleset

Rules = Callable[..., Ruleset]
Given = Callable[..., Facts]
NOW = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)
MAIL = "  - {{id: thanks, cap: {cap}, when: {{}}, then: [{{email.thank_you: {{}}}}]}}\n"


def effect(days: float, kind: str = "email.thank_you", **more: Any) -> PastEffect:
    said = {"sink": "mail", "rule_id": "earlier", **more}
    return PastEffect(kind=kind, at=NOW - timedelta(days=days), **said)


def after(facts: Facts, *effects: PastEffect) -> Facts:
    history = facts.history.model_copy(update={"effects": effects})
    return facts.model_copy(update={"history": history, "decided_at": NOW})


def refused(rules: Ruleset, facts: Facts) -> list[str]:
    return [intent.refused for intent in decide(rules, facts).intents]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1 per customer per 30d", "1 per customer per 30d"),
        ("  2  per Customer per 1h 30m ", "2 per customer per 90m"),
        ("3 per customer per 24h", "3 per customer per 1d"),
    ],
)
def test_a_cap_is_read_as_people_write_it(ruleset: Rules, written: str, said: str) -> None:
    assert str(ruleset(f"rules:\n{MAIL.format(cap=written)}").rules[0].cap) == said


@pytest.mark.parametrize(
    "written",
    ["1", "one per customer per 30d", "1 per week", "1 per customer", "1 per customer per month",
     "0 per customer per 30d", "21 per customer per 30d", "1 per customer per 0d", "[1]", "{a: 1}",
     "1 per company per 30d", "true"],
)  # fmt: skip
def test_anything_else_is_told_with_an_example(
    load_rules: Callable[..., Loaded], written: str
) -> None:
    for rules in (
        f"rules:\n{MAIL.format(cap=written)}",
        f"defaults: {{cap: {written}}}\nrules:\n{MAIL.format(cap='none')}",
    ):
        (problem,) = (p for p in load_rules(rules).problems if p.severity == "error")
        assert problem.message.startswith("cap: ")
        assert problem.message.endswith("write it as 1 per customer per 30d, or none")
        assert problem.line in (1, 2)


def test_the_cap_of_a_rule_wins_and_none_switches_it_off(ruleset: Rules) -> None:
    rules = ruleset(
        """
        defaults: {cap: 1 per customer per 30d}
        rules:
          - {id: a, when: {}, then: [{email.thank_you: {}}, {zendesk.ticket: {}}]}
          - {id: b, cap: 2 per customer per 7d, when: {}, then: [{email.thank_you: {}}]}
          - {id: c, cap: none, when: {}, then: [{slack.message: {channel: x, text: y}}]}
        default:
          then: [{slack.message: {channel: x, text: y}}]
        """
    )
    caps = [[str(one.cap) for one in rule.then] for rule in rules.rules]
    assert caps == [["1 per customer per 30d", "None"], ["2 per customer per 7d"], ["None"]]
    assert str(rules.default[0].cap) == "1 per customer per 30d"
    assert rules.recall.kinds == {"email.thank_you", "slack.message"}
    assert (rules.recall.most, rules.recall.within) == (2, timedelta(days=30))
    assert not rules.recall.contacts


def test_a_cap_that_only_meets_cases_is_a_warning(load_rules: Callable[..., Loaded]) -> None:
    rules = """
        rules:
          - id: a
            cap: 1 per customer per 30d
            when: {}
            then: [{zendesk.ticket: {}}]
        """
    (problem,) = load_rules(rules).problems
    assert (problem.line, problem.column, problem.severity) == (3, 10, "warning")
    assert problem.message == "cap: this rule only opens cases, which are never limited"


@pytest.mark.parametrize(
    ("effects", "why"),
    [
        ([], ""),
        ([effect(29.99)], "2026-02-18"),
        ([effect(30)], ""),
        ([effect(1, rule_id="other", sink="mail2")], "2026-03-19"),  # by kind, whichever rule
        ([effect(1, kind="slack.message")], ""),
        ([effect(9), effect(2), effect(5)], "2026-03-18"),  # the last one, wherever it stands
    ],
)
def test_a_message_is_refused_while_the_time_runs(
    ruleset: Rules, facts: Given, effects: list[PastEffect], why: str
) -> None:
    rules = ruleset(f"rules:\n{MAIL.format(cap='1 per customer per 30d')}")
    said = f"cap: 1 per customer per 30d; the last one on {why} by " if why else ""
    (found,) = refused(rules, after(facts(score=9), *effects))
    assert found.startswith(said)
    assert bool(found) is bool(why)


def test_alerts_are_counted_by_sink_and_rule(ruleset: Rules, facts: Given) -> None:
    rules = ruleset(
        """
        rules:
          - id: a
            cap: 2 per customer per 1d
            when: {}
            then: [{slack.message: {channel: x, text: y}}]
        """
    )
    mine = {"kind": "slack.message", "sink": "chat", "rule_id": "a"}
    others = [effect(0.1, **{**mine, "rule_id": "b"}), effect(0.1, **{**mine, "sink": "chat2"})]
    assert refused(rules, after(facts(), effect(0.1, **mine), *others)) == [""]
    assert refused(rules, after(facts(), effect(0.1, **mine), effect(0.2, **mine)))[0]


def test_facts_that_were_kept_before_caps_existed_decide_as_before(
    ruleset: Rules, facts: Given
) -> None:
    rules = ruleset(f"rules:\n{MAIL.format(cap='1 per customer per 30d')}")
    old = facts(score=9).model_dump(mode="json")
    for name in ("decided_at", "customer_id", "positions"):
        del old[name]
    for name in ("effects", "days_since_contact"):
        del old["history"][name]
    assert refused(rules, Facts.model_validate(old)) == [""]


def test_explain_says_which_cap_refuses(ruleset: Rules, facts: Given) -> None:
    rules = ruleset(f"rules:\n{MAIL.format(cap='1 per customer per 30d')}")
    (report,) = explain(rules, after(facts(score=9), effect(2)))
    assert report.fired
    assert report.note == (
        "its email.thank_you is withheld: cap: 1 per customer per 30d; the last one on 2026-03-18 "
        "by earlier"
    )


# --- holdout -------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["0%", "100%", "10", "0.1", "ten %", "-5%", "0.001%", "[10%]"])
def test_a_holdout_that_is_no_share_is_told_with_an_example(
    load_rules: Callable[..., Loaded], written: str
) -> None:
    rules = f"rules:\n  - {{id: a, holdout: {written}, when: {{}}, then: [{{log: {{}}}}]}}\n"
    (problem,) = load_rules(rules).problems
    share = "write a share of customers above 0% and below 100%, such as 10%"
    assert problem.message == f"holdout: {share}"


def test_a_holdout_where_a_case_is_opened_is_refused(load_rules: Callable[..., Loaded]) -> None:
    rules = """
        rules:
          - id: a
            holdout: 10%
            when: {}
            then: [{slack.message: {channel: x, text: y}}, {zendesk.ticket: {}}]
        """
    loaded = load_rules(rules)
    (problem,) = loaded.problems
    assert loaded.ruleset is None
    assert (problem.line, problem.column) == (3, 14)
    assert problem.message.startswith("holdout: zendesk.ticket opens a case")


def of(number: int, facts: Facts) -> Facts:
    return facts.model_copy(update={"customer_id": f"customer-{number}"})


def within(count: float, many: int, share: float) -> bool:
    """Four standard deviations: once in 16,000 draws it is more."""
    return abs(count - many * share) <= 4 * sqrt(many * share * (1 - share))


@pytest.mark.parametrize("parts", [50, 1000, 9000])
def test_the_share_is_met_and_two_rules_draw_independently(facts: Given, parts: int) -> None:
    one, many = Holdout(parts), 10_000
    share, answer = parts / 10_000, facts()
    drawn = {
        rule: [one.has(rule, of(number, answer)) for number in range(many)] for rule in ("a", "b")
    }
    assert within(sum(drawn["a"]), many, share)
    assert within(sum(drawn["b"]), many, share)
    both = sum(a and b for a, b in zip(drawn["a"], drawn["b"], strict=True))
    assert within(both, many, share * share)


def test_a_draw_is_the_same_in_every_process_and_grows_with_the_share(facts: Given) -> None:
    drawn = [n for n in range(30) if Holdout(1000).has("thanks", of(n, facts()))]
    assert drawn == [2, 10, 15, 16, 21, 22]
    assert set(drawn) <= {n for n in range(30) if Holdout(2000).has("thanks", of(n, facts()))}


def test_an_anonymous_answer_is_drawn_by_itself(facts: Given) -> None:
    answers = [facts().model_copy(update={"response_id": f"r{n}"}) for n in range(1000)]
    assert within(sum(Holdout(5000).has("a", one) for one in answers), 1000, 0.5)


def test_a_held_out_rule_counts_as_matched_stops_and_asks_for_nothing(
    ruleset: Rules, facts: Given
) -> None:
    rules = ruleset(
        """
        rules:
          - {id: w, status: shadow, holdout: 99.99%, when: {}, then: [{log: {}}]}
          - {id: a, holdout: 99.99%, stop: true, when: {}, then: [{email.thank_you: {}}]}
          - {id: b, when: {}, then: [{zendesk.ticket: {}}]}
        default: {then: [{slack.message: {channel: x, text: y}}]}
        """
    )
    verdict = decide(rules, facts())
    assert [(m.rule_id, m.status) for m in verdict.matches] == [("w", "shadow"), ("a", "held_out")]
    assert verdict.intents == ()
    notes = {report.rule_id: (report.fired, report.note) for report in explain(rules, facts())}
    assert notes == {
        "w": (True, "a shadow: it asks for nothing"),
        "a": (True, "held out: the answer falls into the 99.99 %"),
        "b": (False, "not read: a ended the reading"),
    }
    known = facts().model_copy(update={"customer_id": "c1"})
    assert explain(rules, known)[1].note == "held out: the customer falls into the 99.99 %"
