"""Groups, owners and fields that rules name, and what exists at the far side."""

from __future__ import annotations

from collections.abc import Callable

from connector.rules.lint import WhyUnasked

Linted = Callable[..., list[str]]
RULES = """
    rules:
      - id: a
        name: A
        owner: o
        when: {segment: detractor}
        then:
          - log: {}
          - zendesk.ticket: {group: Suport, assignee: "{{ customer.owner | default('') }}"}
          - salesforce.task: {sink: crm-eu}
    default:
      then:
        - zendesk.ticket: {group: support, fields: {NPS scroe: "{{ score | default('-') }}"}}
"""
NAMES = {"support-desk": {"group": ["Support", "Retention"], "fields": ["NPS score"]}}


def told(linted: Linted, **seen: object) -> list[str]:
    return [said for said in linted(RULES, **seen) if "exist" in said]


def test_what_does_not_exist_is_a_mistake_at_its_word_also_in_default(linted: Linted) -> None:
    assert told(linted, names=NAMES) == [
        "rules.yaml:8:33: group: 'Suport' does not exist in support-desk "
        "(did you mean 'Support'? there are: Support, Retention)",
        "rules.yaml:12:49: fields: 'NPS scroe' does not exist in support-desk "
        "(did you mean 'NPS score'? there are: NPS score)",
    ]


def test_what_nobody_lists_is_not_judged(linted: Linted) -> None:
    assert told(linted) == []
    assert told(linted, names={"crm-eu": {"group": []}}) == []


def test_where_nothing_exists_that_is_said(linted: Linted) -> None:
    (said, *_) = told(linted, names={"support-desk": {"group": []}})
    assert said.endswith("does not exist in support-desk (there is none)")


def test_a_sink_that_could_not_be_asked_is_told_once_and_only_where_it_matters(
    linted: Linted,
) -> None:
    why = WhyUnasked("it sleeps", ("group", "fields"))
    assert told(linted, unasked={"support-desk": why}) == [
        "rules.yaml:8:33: note: nobody knows whether this group exists in support-desk: it sleeps "
        "(set what it needs, or list what exists under names: of the sink)"
    ]
    assert told(linted, unasked={"crm-eu": WhyUnasked("it sleeps", ("owner",))}) == []
    needed = WhyUnasked("it sleeps", ("group",), needed=True)
    (said,) = told(linted, unasked={"support-desk": needed})
    assert said.startswith("rules.yaml:8:33: nobody knows")
