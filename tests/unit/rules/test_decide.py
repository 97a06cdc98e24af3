"""From facts to a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from connector.domain import Facts, History, Verdict
from connector.ports import Duration, Params, Template
from connector.rules.decide import decide
from connector.rules.load import load
from connector.rules.model import ActionKind, Ruleset, RulesetText, Vocabulary

Decide = Callable[..., Verdict]


@pytest.fixture
def verdict(ruleset: Callable[..., Ruleset], facts: Callable[..., Facts]) -> Decide:
    def decided(rules: str, **given: Any) -> Verdict:
        return decide(ruleset(rules), facts(**given))

    return decided


def fired(verdict: Verdict) -> list[str]:
    return [match.rule_id for match in verdict.matches]


def asked(verdict: Verdict) -> list[tuple[str, str]]:
    return [(intent.rule_id, intent.kind) for intent in verdict.intents]


def rule(name: str, extra: str = "", then: str = "{log: {}}", when: str = "score: 3") -> str:
    return f"  - {{id: {name}, when: {{{when}}}, then: [{then}]{extra}}}\n"


TICKET = "{zendesk.ticket: {}}"
ALERT = "{slack.message: {channel: '#cx', text: hello}}"


def test_every_live_match_acts_in_the_order_of_the_file(verdict: Decide) -> None:
    rules = "rules:\n" + rule("b", then=ALERT) + rule("no", when="score: 4") + rule("a", then=ALERT)
    found = verdict(rules, score=3)
    assert fired(found) == ["b", "a"]
    assert asked(found) == [("b", "slack.message"), ("a", "slack.message")]
    assert {match.status for match in found.matches} == {"live"}


def test_stop_ends_the_reading(verdict: Decide) -> None:
    rules = "rules:\n" + rule("a") + rule("b", ", stop: true") + rule("c", then=TICKET)
    found = verdict(rules, score=3)
    assert fired(found) == ["a", "b"]
    assert found.intents == ()


def test_a_stop_that_does_not_match_stops_nothing(verdict: Decide) -> None:
    rules = "rules:\n" + rule("a", ", stop: true", when="score: 4") + rule("b")
    assert fired(verdict(rules, score=3)) == ["b"]


def test_a_shadow_only_watches(verdict: Decide) -> None:
    rules = (
        "rules:\n"
        + rule("a", ", status: shadow, stop: true", then=TICKET)
        + rule("b", then=TICKET)
        + "default: {then: [" + ALERT + "]}\n"
    )  # fmt: skip
    found = verdict(rules, score=3)
    assert [(match.rule_id, match.status) for match in found.matches] == [
        ("a", "shadow"),
        ("b", "live"),
    ]
    assert asked(found) == [("b", "zendesk.ticket")]


def test_a_shadow_does_not_keep_default_from_running(verdict: Decide) -> None:
    rules = "rules:\n" + rule("a", ", status: shadow") + "default: {then: [" + ALERT + "]}\n"
    found = verdict(rules, score=3)
    assert fired(found) == ["a"]
    assert asked(found) == [("default", "slack.message")]


def test_a_draft_is_ignored(verdict: Decide) -> None:
    rules = "rules:\n" + rule("a", ", status: draft, stop: true", then=TICKET) + rule("b")
    found = verdict(rules, score=3)
    assert (fired(found), found.intents) == (["b"], ())


def test_default_runs_when_nothing_matched_and_only_then(verdict: Decide) -> None:
    rules = "rules:\n" + rule("a") + "default: {then: [" + ALERT + "]}\n"
    assert asked(verdict(rules, score=4)) == [("default", "slack.message")]
    assert asked(verdict(rules, score=3)) == []
    assert verdict(rules, score=4).matches == ()


def test_without_rules_nothing_happens(verdict: Decide) -> None:
    assert verdict("rules: []", score=3) == Verdict()


def test_log_asks_for_nothing_and_counts_as_a_match(verdict: Decide) -> None:
    found = verdict("rules:\n" + rule("a"), score=3)
    assert (fired(found), found.intents) == (["a"], ())


def test_one_sink_gets_at_most_one_case_and_the_first_rule_opens_it(verdict: Decide) -> None:
    rules = (
        "rules:\n"
        + rule("a", then="{zendesk.ticket: {group: Retention}}, " + ALERT)
        + rule("b", then=TICKET + ", {salesforce.task: {sink: crm-eu}}, " + ALERT)
        + rule("c", then="{salesforce.task: {sink: crm-us}}, {salesforce.task: {sink: crm-eu}}")
    )
    found = verdict(rules, score=3)
    assert [(i.rule_id, i.kind, i.sink) for i in found.intents] == [
        ("a", "zendesk.ticket", "support-desk"),
        ("a", "slack.message", "chat"),
        ("b", "salesforce.task", "crm-eu"),
        ("b", "slack.message", "chat"),
        ("c", "salesforce.task", "crm-us"),
    ]
    assert found.intents[0].params["group"] == "Retention"


def test_an_intent_is_filled_in_complete_and_plain(verdict: Decide) -> None:
    found = verdict(
        """
        rules:
          - id: x
            name: Unhappy customer
            when: {score: 3}
            then:
              - zendesk.ticket:
                  subject: "NPS {{ score }}: {{ customer.name | default('-') }}"
                  priority: high
                  tags: [a, "plan_{{ customer.plan }}"]
                  fields: {Plan: "{{ customer.plan }}", Fixed: yes it is}
                  respond_within: 4h
        """,
        score=3,
        customer={"plan": "pro"},
    )
    (intent,) = found.intents
    assert intent.rule_name == "Unhappy customer"
    assert intent.respond_within == timedelta(hours=4)
    assert intent.settle == timedelta(0)
    assert intent.problem == ""
    assert intent.params == {
        "sink": None,
        "subject": "NPS 3: -",
        "next_step": "",
        "priority": "high",
        "group": "",
        "assignee": "",
        "tags": ["a", "plan_pro"],
        "respond_within": "14400s",
        "fields": {"Plan": "pro", "Fixed": "yes it is"},
    }
    assert json.loads(json.dumps(intent.params)) == intent.params


def test_params_can_be_read_again_by_the_kind(verdict: Decide, vocabulary: Vocabulary) -> None:
    (intent,) = verdict(
        "rules:\n" + rule("a", then="{zendesk.ticket: {respond_within: 1h 30m}}"), score=3
    ).intents
    again = vocabulary.actions["zendesk.ticket"].params.model_validate(intent.params)
    assert again.respond_within == timedelta(minutes=90)  # type: ignore[attr-defined]  # this kind


def test_customers_words_stay_words(verdict: Decide) -> None:
    then = "{slack.message: {channel: '#cx', text: 'Said: {{ comment }}'}}"
    (intent,) = verdict("rules:\n" + rule("a", then=then), score=3, comment="{{ 7*7 }}").intents
    assert intent.params["text"] == "Said: {{ 7*7 }}"


DURATIONS = """\
defaults: {{{defaults}}}
rules:
  - id: x
    when: {{score: 3}}
    then:
      - {action}
"""


@pytest.mark.parametrize(
    ("defaults", "action", "within", "settle"),
    [
        ("", "zendesk.ticket: {}", None, 0),
        ("respond_within: 24h", "zendesk.ticket: {}", 24 * 60, 0),
        ("respond_within: 24h", "zendesk.ticket: {respond_within: 4h}", 4 * 60, 0),
        ("respond_within: 24h", "zendesk.ticket: {respond_within: null}", None, 0),
        ("respond_within: 24h", "email.thank_you: {}", None, 10),
        ("settle: 3m", "email.thank_you: {}", None, 3),
        ("settle: 0", "email.thank_you: {}", None, 0),
        ("settle: 3m", "email.thank_you: {settle: 5m}", None, 5),
        ("settle: 3m", "zendesk.ticket: {}", None, 0),
        ("settle: 3m", "zendesk.ticket: {settle: 2m}", None, 2),
        ("", "email.thank_you: {settle: 0}", None, 0),
    ],
)
def test_durations_are_inherited(
    verdict: Decide, defaults: str, action: str, within: int | None, settle: int
) -> None:
    (intent,) = verdict(DURATIONS.format(defaults=defaults, action=action), score=3).intents
    assert intent.respond_within == (None if within is None else timedelta(minutes=within))
    assert intent.settle == timedelta(minutes=settle)


def test_a_case_whose_text_cannot_be_filled_in_still_gets_the_call(verdict: Decide) -> None:
    found = verdict(
        """
        rules:
          - id: x
            when: {survey: relationship}
            then:
              - zendesk.ticket:
                  subject: "NPS {{ score }} from {{ customer.name }}"
                  assignee: "{{ customer.owner }}"
                  tags: [a, "{{ customer.plan }}"]
                  fields: {Plan: "{{ customer.plan }}", Score: "{{ score | default('-') }}"}
              - slack.message: {channel: "#cx", text: "{{ comment }}"}
        """,
        score=0,
    )
    ticket, alert = found.intents
    assert ticket.params["subject"] == "NPS 0: please call the customer"
    assert ticket.params["assignee"] == ""
    assert ticket.params["tags"] == ["a"]
    assert ticket.params["fields"] == {"Score": "0"}
    assert ticket.problem == (
        "subject could not be filled in: customer.name is empty; "
        "assignee could not be filled in: customer.owner is empty; "
        "tags: item 2 could not be filled in: customer.plan is empty; "
        "fields: Plan could not be filled in: customer.plan is empty"
    )
    assert alert.params["text"] == "NPS 0: please call the customer"


def test_without_a_score_the_plain_text_names_none(verdict: Decide) -> None:
    rules = "rules:\n" + rule("a", then=TICKET, when="survey: relationship")
    (intent,) = verdict(rules).intents
    assert intent.params["subject"] == "NPS: please call the customer"
    assert intent.problem == "subject could not be filled in: score is empty"


def test_a_mail_that_cannot_be_filled_in_is_left_alone(verdict: Decide) -> None:
    rules = "rules:\n" + rule("a", then="{email.thank_you: {}}", when="survey: relationship")
    (intent,) = verdict(rules).intents
    assert intent.problem == "the mail thank_you could not be written: score is empty"
    assert "rendered" not in intent.params


def test_a_message_to_the_customer_gets_no_plain_text_instead(verdict: Decide) -> None:
    then = "{email.thank_you: {reply_to: '{{ customer.owner }}'}}"
    (intent,) = verdict("rules:\n" + rule("a", then=then), score=3).intents
    assert intent.params["reply_to"] == "{{ customer.owner }}"
    assert intent.problem == "reply_to could not be filled in: customer.owner is empty"


class ShortParams(Params):
    title: Template = Field("NPS {{ score }}", max_length=40)
    lines: list[Template] = []
    respond_within: Duration | None = None


def test_filled_in_texts_have_to_fit_the_kind(facts: Callable[..., Facts]) -> None:
    vocabulary = Vocabulary(
        actions={
            "a.case": ActionKind(ShortParams, opens_case=True, sinks=("a",)),
            "b.mail": ActionKind(ShortParams, to_customer=True, sinks=("b",)),
        }
    )
    then = ", ".join(f"{{{kind}: {{title: '{{{{ comment }}}}'}}}}" for kind in ("a.case", "b.mail"))
    loaded = load(RulesetText({"rules.yaml": "rules:\n" + rule("x", then=then)}), vocabulary)
    assert loaded.ruleset
    case, mail = decide(loaded.ruleset, facts(score=3, comment="x" * 41)).intents
    assert case.params["title"] == "NPS 3: please call the customer"
    assert case.problem == "title: not what a.case takes once filled in"
    assert mail.problem == "title: not what b.mail takes once filled in"
    assert mail.params["title"] == "x" * 41


def test_only_cases_inherit_the_time_to_respond_and_only_they_drop_a_line(
    facts: Callable[..., Facts],
) -> None:
    vocabulary = Vocabulary(
        actions={
            "a.case": ActionKind(ShortParams, opens_case=True, sinks=("a",)),
            "b.mail": ActionKind(ShortParams, to_customer=True, sinks=("b",)),
        }
    )
    then = ", ".join(
        f"{{{kind}: {{lines: [a, '{{{{ link }}}}']}}}}" for kind in ("a.case", "b.mail")
    )
    text = "defaults: {respond_within: 4h}\nrules:\n" + rule("x", then=then)
    loaded = load(RulesetText({"rules.yaml": text}), vocabulary)
    assert loaded.ruleset
    case, mail = decide(loaded.ruleset, facts(score=3)).intents
    assert (case.params["lines"], case.respond_within) == (["a"], timedelta(hours=4))
    assert (mail.params["lines"], mail.respond_within) == (["a", "{{ link }}"], None)
    assert case.problem == mail.problem == "lines: item 2 could not be filled in: link is empty"


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.just(10**400)
)
maps = st.dictionaries(
    st.one_of(st.sampled_from(["plan", "value", "name", "vip", "mrr", "language"]), st.text()),
    scalars,
    max_size=6,
)
any_facts = st.builds(
    Facts,
    response_id=st.just("r1"),
    source=st.sampled_from(["app", "gone"]),
    survey=st.sampled_from(["relationship", "stars", "gone"]),
    score=st.one_of(st.none(), st.integers(-5, 15)),
    segment=st.sampled_from([None, "promoter", "passive", "detractor"]),
    comment=st.text(),
    language=st.text(max_size=8),
    tags=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    link=st.one_of(st.none(), st.text()),
    properties=maps,
    customer=maps,
    company=maps,
    history=st.builds(
        History,
        answers=st.integers(0, 9),
        previous_score=st.one_of(st.none(), st.integers(0, 10)),
        previous_segment=st.sampled_from([None, "promoter", "detractor"]),
    ),
)
EVERYTHING = """\
rules:
  - id: a
    when:
      any:
        - {score: {between: [0, 6]}, segment: detractor}
        - {customer.value: {at_least: 5}, company.value: {not: 5}}
        - {properties.mrr: {at_most: 5}}
        - {properties.mrr: [5, x, true], language: es}
        - {customer.vip: true, tags: {not: x}}
        - {comment: {matches: "a.{0,5}b"}}
        - {comment: {mentions: [refund, "a*"]}, properties.name: {mentions: [b]}}
        - {history.previous_score: {at_least: 1}, link: {exists: false}}
    then:
      - zendesk.ticket:
          subject: "{{ score }} {{ customer.name | upper }} {{ customer.value | round }}"
          fields: {a: "{{ properties.mrr | date }}", b: "{{ comment | title | trim }}"}
      - slack.message: {channel: "#cx", text: "{{ properties.plan ~ tags | join('-') }}"}
  - id: b
    when: {none: [{survey: stars}]}
    then: [{email.thank_you: {}}]
default:
  then: [{slack.message: {channel: "#cx", text: "{{ history.previous_segment }}"}}]
"""


@pytest.fixture(scope="module")
def twice(vocabulary: Vocabulary) -> list[Ruleset]:
    """The same rules, loaded twice."""
    files = {"rules.yaml": EVERYTHING, "templates/thank_you/en.txt": "Subject: a\n\n{{ link }}\n"}
    made = [load(RulesetText(files), vocabulary).ruleset for _ in range(2)]
    return [each for each in made if each]


@settings(max_examples=300, deadline=None)
@given(answer=any_facts)
def test_deciding_is_total_and_gives_the_same_twice(twice: list[Ruleset], answer: Facts) -> None:
    first, second = (decide(rules, answer) for rules in twice)
    assert repr(first) == repr(second)
    for intent in first.intents:
        json.dumps(intent.params)
