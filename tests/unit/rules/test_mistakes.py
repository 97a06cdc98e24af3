"""Every mistake is told at its line, with what is allowed; the messages are the product."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connector.rules.model import Loaded

Load = Callable[..., Loaded]

# One rule around the lines under test; `WHEN` stands in line 4, `THEN` in line 6 after one line.
AROUND = """\
rules:
  - id: x
    when:
{when}
    then:
{then}
"""
SOME_WHEN = "      score: 3"
SOME_THEN = "      - log: {}"


def told(load_rules: Load, when: str = SOME_WHEN, then: str = SOME_THEN) -> list[str]:
    loaded = load_rules(AROUND.format(when=when, then=then))
    errors = [str(p) for p in loaded.problems if p.severity == "error"]
    assert (loaded.ruleset is None) is bool(errors)
    return [error.removeprefix("rules.yaml:") for error in errors]


# The nine typical typos of people who write rules.
NINE_TYPOS = {
    "a field": ("      scroe: {at_most: 6}", "4:7: unknown field 'scroe' (did you mean 'score'?)"),
    "an operator": (
        "      score: {at_msot: 6}",
        "4:15: unknown operator 'at_msot' (did you mean 'at_most'?)",
    ),
    "a text operator on a number": (
        "      score: {mentions: nine}",
        "4:15: score: cannot be asked with 'mentions' (allowed: at_most, at_least, between, is, "
        "not, in, exists)",
    ),
    "a word for a number": (
        "      score: {at_most: six}",
        "4:24: score: at_most: must be a whole number, not 'six'",
    ),
    "a score on no scale": (
        "      score: {at_most: 60}",
        "4:24: score: at_most: 60 is on no survey's scale (scores go from 0 to 10)",
    ),
    "a choice": (
        "      segment: detracter",
        "4:16: segment: 'detracter' is not allowed (did you mean 'detractor'?; allowed: "
        "promoter, passive, detractor)",
    ),
    "a list that was forgotten": (
        "      customer.plan: {in: enterprise}",
        "4:27: customer.plan: in: must be a list (write [value, value], or use is)",
    ),
}


@pytest.mark.parametrize(("when", "message"), NINE_TYPOS.values(), ids=NINE_TYPOS.keys())
def test_a_typical_typo_is_pinned(load_rules: Load, when: str, message: str) -> None:
    assert told(load_rules, when=when) == [message]


def test_the_norwegian_language_needs_no_quotes(load_rules: Load) -> None:
    loaded = load_rules(AROUND.format(when="      language: no", then=SOME_THEN))
    assert loaded.ruleset
    (condition,) = loaded.ruleset.rules[0].when.members
    assert condition.wanted == "no"  # type: ignore[union-attr]  # the only member is a condition


def test_a_mistyped_action_is_pinned(load_rules: Load) -> None:
    assert told(load_rules, then="      - zendesk.tikcet: {}") == [
        "6:9: unknown action 'zendesk.tikcet' (did you mean 'zendesk.ticket'?; allowed: "
        "zendesk.ticket, salesforce.task, hubspot.task, email.thank_you, slack.message, log)"
    ]


# What people write without thinking of YAML: lines of `when` -> what is told, at which place.
YAML_TRAPS = {
    "a comparison that opens a block": (
        "      score: >= 9",
        "4:14: '>= 9' is not a comparison here (write {at_least: 9})",
    ),
    "a comparison that is text": (
        "      score: <= 6",
        "4:14: score: must be a whole number, not '<= 6' (write {at_most: 6})",
    ),
    "a word that is a reference": (
        "      comment: {mentions: *refund}",
        "4:27: a value that starts with '*' has to be in quotes (write \"*refund\")",
    ),
    "a handle": (
        "      customer.owner: @cx",
        "4:23: a value that starts with '@' has to be in quotes (write \"@cx\")",
    ),
    "a percent sign": (
        "      properties.discount: %5",
        "4:28: a value that starts with '%' has to be in quotes (write \"%5\")",
    ),
    "a colon within a text": (
        "      comment: refund: now",
        "4:16: a value that holds ': ' has to be in quotes (write \"refund: now\")",
    ),
    "a postcode": (
        "      customer.phone: 0123",
        "4:23: customer.phone: must be text, not 123 (put it in quotes)",
    ),
    "a version": (
        "      customer.plan: 1.10",
        "4:22: customer.plan: must be text, not 1.1 (put it in quotes)",
    ),
    "a flag that is a word here": (
        "      customer.vip: yes",
        "4:21: customer.vip: must be true or false, not 'yes'",
    ),
    "a key that stands twice": (
        "      score: 1\n      score: 2",
        "5:7: 'score' stands twice here, first in line 4 (keep one of them)",
    ),
    "a tab": ("\tscore: 1", "4:1: a tab is used for indentation (use spaces)"),
    "a list without its dash": (
        "      any:\n        score: 1",
        "4:7: any: must be a list (start each condition with '- ')",
    ),
}


@pytest.mark.parametrize(("when", "message"), YAML_TRAPS.values(), ids=YAML_TRAPS.keys())
def test_a_trap_of_yaml_is_told_at_its_place(load_rules: Load, when: str, message: str) -> None:
    assert told(load_rules, when=when) == [message]


# And what other readers of YAML make something else of; here it is what was written.
HARMLESS = {
    "properties.country: NO": "NO",
    "language: no": "no",
    "properties.opens: 9:30": "9:30",
    "properties.closes: 17:30:00": "17:30:00",
    "properties.since: 2026-03-01": "2026-03-01",
    "customer.plan: on": "on",
}


@pytest.mark.parametrize(("when", "meant"), HARMLESS.items())
def test_what_looks_like_a_trap_and_is_none(load_rules: Load, when: str, meant: str) -> None:
    loaded = load_rules(AROUND.format(when=f"      {when}", then=SOME_THEN))
    assert loaded.ruleset
    (condition,) = loaded.ruleset.rules[0].when.members
    assert condition.wanted == meant  # type: ignore[union-attr]  # the only member is a condition


def test_a_text_that_is_cut_off_by_a_hash_is_a_warning(load_rules: Load) -> None:
    (problem,) = load_rules(AROUND.format(when="      comment: a #tag", then=SOME_THEN)).problems
    assert str(problem) == (
        "rules.yaml:4:18: warning: '#tag' is read as a comment (put the whole value in quotes; "
        "write '# ' with a space for a comment)"
    )


CONDITIONS = [
    ("      plan: pro", "4:7: unknown field 'plan' (did you mean 'customer.plan'?)"),
    ("      customer.plna: pro", "4:7: unknown field 'customer.plna' "
     "(did you mean 'customer.plan'?)"),
    ("      customer.shoe_size: 44", "4:7: unknown field 'customer.shoe_size' (allowed: "
     "customer.arr, customer.company, customer.email, customer.external_id, customer.language, "
     "customer.name, customer.owner, customer.phone, customer.plan, customer.value, "
     "customer.vip; more are declared under customer_attributes)"),
    ("      zzz: 1", "4:7: unknown field 'zzz' (allowed: score, segment, comment, language, "
     "survey, source, brand, tags, topics, asks_for, contradiction, link, history.answers, "
     "history.detractor_answers, history.previous_score, history.previous_segment, "
     "history.open_cases, history.days_since_contact, history.drop, history.days_since_answer, "
     "customer.NAME, company.NAME, properties.NAME)"),
    ("      history.answer: 1", "4:7: unknown field 'history.answer' "
     "(did you mean 'history.answers'?)"),
    ("      score: <= 6", "4:14: score: must be a whole number, not '<= 6' (write {at_most: 6})"),
    ("      score: < 7", "4:14: score: must be a whole number, not '< 7' (write {at_most: 6})"),
    ("      score: '!= 7'", "4:14: score: must be a whole number, not '!= 7' (write {not: 7})"),
    ("      score: 6.5", "4:14: score: must be a whole number, not 6.5"),
    ("      score: true", "4:14: score: must be a whole number, not true"),
    ("      score: -1", "4:14: score: -1 is on no survey's scale (scores go from 0 to 10)"),
    ("      score: [0, 11]", "4:18: score: 11 is on no survey's scale (scores go from 0 to 10)"),
    ("      score: {between: [6, 0]}", "4:15: score: between: the first number is above the "
     "second (write [lowest, highest])"),
    ("      score: {between: 6}", "4:24: score: between: must be a list of two numbers "
     "(write [lowest, highest])"),
    ("      score: {between: [0, x]}", "4:28: score: between: must be a whole number, not 'x'"),
    ("      score: {is: [1, 2]}", "4:15: score: is: must be one value (use in for a list)"),
    ("      score: {in: []}", "4:15: score: in: must not be empty"),
    ("      score: []", "4:7: score: is empty (write what it must be, or {exists: false})"),
    ("      score:", "4:7: score: is empty (write what it must be, or {exists: false})"),
    ("      score: {exists: no}", "4:23: score: exists: must be true or false"),
    ("      survey: relationsip", "4:15: survey: 'relationsip' is not allowed (did you mean "
     "'relationship'?; allowed: relationship, partners, stars)"),
    ("      source: zzz", "4:15: source: 'zzz' is not allowed (allowed: app, shop)"),
    ("      segment: {at_most: passive}", "4:17: segment: cannot be asked with 'at_most' "
     "(allowed: is, not, in, exists)"),
    ("      comment: ''", "4:16: comment: must not be empty (use {exists: false})"),
    ("      comment: {mentions: ['', x]}", "4:28: comment: mentions: must hold a word to "
     "look for"),
    ("      comment: {mentions: [refund, 5]}", "4:36: comment: mentions: must be text, not 5 "
     "(put it in quotes)"),
    ("      comment: {mentions: []}", "4:17: comment: mentions: must not be empty"),
    ("      comment: {matches: '(a'}", "4:26: comment: matches: is not a regular expression: "
     "missing ), unterminated subpattern"),
    ("      comment: {matches: '(a+)+$'}", "4:26: comment: matches: could become slow: use at "
     "most one '*' or '+', none of them inside another, and {0,40} for the rest"),
    ("      comment: {matches: '(a)\\1'}", "4:26: comment: matches: must not refer back to a "
     "group"),
    ("      customer.phone: 0034600000000", "4:23: customer.phone: must be text, not 34600000000 "
     "(put it in quotes)"),
    ("      customer.value: '50.000'", "4:23: customer.value: must be a number, not '50.000'"),
    ("      customer.value: ana@example.com", "4:23: customer.value: must be a number"),
    ("      customer.vip: maybe", "4:21: customer.vip: must be true or false, not 'maybe'"),
    ("      customer.vip: [true]", "4:7: customer.vip: cannot be asked with 'in' "
     "(write one value)"),
    ("      history.answers: -1", "4:24: history.answers: must be at least 0, not -1"),
    ("      language: English", "4:17: language: must be a language such as es or pt-BR, "
     "not 'English'"),
    ("      tags: {is: {a: b}}", "4:14: tags: is: must be one value, or a list of values"),
    ("      any: {score: 1}", "4:7: any: must be a list (start each condition with '- ')"),
    ("      any: []", "4:7: any: must be a list (start each condition with '- ')"),
    ("      any: [score]", "4:13: any: item 1: must be a condition "
     "(write 'field: {operator: value}')"),
    ("      ayn: [{score: 1}]", "4:7: unknown field 'ayn' (did you mean 'any'?)"),
    ("      any: [{all: [{none: [{score: 1}]}]}]", "4:21: 'none' is nested too deeply "
     "(groups may be two deep: split the rule)"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "message"), CONDITIONS)
def test_a_wrong_condition_is_told_at_its_place(load_rules: Load, when: str, message: str) -> None:
    assert told(load_rules, when=when) == [message]


ACTIONS = [
    ("      - zendesk.ticket: {priority: urgnt}", "6:36: priority: 'urgnt' is not allowed "
     "(did you mean 'urgent'?; allowed: low, normal, high, urgent)"),
    ("      - zendesk.ticket: {grup: Support}", "6:26: unknown key 'grup' "
     "(did you mean 'group'?)"),
    ("      - zendesk.ticket: {respond_within: 4 hrs}", "6:42: respond_within: write a duration "
     "such as 90s, 30m, 4h or 7d"),
    ("      - zendesk.ticket: {settle: soon}", "6:34: settle: write a duration such as 90s, "
     "30m, 4h or 7d"),
    ("      - zendesk.ticket: {sink: crm-eu}", "6:32: no sink 'crm-eu' for zendesk.ticket "
     "(allowed: support-desk)"),
    ("      - zendesk.ticket: urgent", "6:25: zendesk.ticket: must be a group of "
     "'key: value' lines"),
    ("      - zendesk.ticket: {}\n        slack.message: {}", "6:9: one action at a time: "
     "zendesk.ticket, slack.message (start each action with '- '; its settings go inside {…} or "
     "further right)"),
    ("      - zendesk.ticket:\n        group: Support", "6:9: one action at a time: "
     "zendesk.ticket, group (start each action with '- '; its settings go inside {…} or further "
     "right)"),
    ("      - log", "6:9: 'log' is no action (write '- kind: {…}')"),
    ("      - log: {text: hello}", "6:9: log takes nothing (write 'log: {}')"),
    ("      - salesforce.task: {}", "6:9: salesforce.task: several sinks could take this "
     "(say sink: one of crm-eu, crm-us)"),
    ("      - salesforce.task: {sink: crm-e}", "6:33: no sink 'crm-e' for salesforce.task "
     "(did you mean 'crm-eu'?)"),
    ("      - hubspot.task: {}", "6:9: hubspot.task: no sink is configured for this "
     "(add a sink of type hubspot to connector.yaml)"),
    ("      - slack.message: {channel: '#cx'}", "6:9: 'text' is missing"),
    ("      - email.thank_you: {template: thnak_you}", "6:37: no mail template 'thnak_you' "
     "(did you mean 'thank_you'?)"),
    ("      - zendesk.ticket: {subject: 'NPS {{ scroe }}'}", "6:35: template: unknown variable "
     "'scroe' (did you mean 'score'?)"),
    ("      - zendesk.ticket:\n          next_step: |\n            Call.\n"
     "            Say {{ customer.nmae }}.\n", "9:22: template: unknown variable "
     "'customer.nmae' (did you mean 'customer.name'?)"),
    ("      - zendesk.ticket: {fields: {Plan: '{{ customer.plan | uper }}'}}", "6:41: template: "
     "unknown filter 'uper' (did you mean 'upper'?)"),
]  # fmt: skip


@pytest.mark.parametrize(("then", "message"), ACTIONS)
def test_a_wrong_action_is_told_at_its_place(load_rules: Load, then: str, message: str) -> None:
    assert told(load_rules, then=then) == [message]


FILES = [
    ("", ["rules.yaml:1:1: the file is empty (write 'rules:')"]),
    ("rules: []\nhours: x", ["rules.yaml:2:1: unknown key 'hours' (allowed: calendars, default, "
     "defaults, escalation, pools, routing, rules)"]),
    ("ruls: []", ["rules.yaml:1:1: 'rules' is missing",
                  "rules.yaml:1:1: unknown key 'ruls' (did you mean 'rules'?)"]),
    ("rules: {}", ["rules.yaml:1:1: rules: must be a list (start each line of it with '- ')"]),
    ("rules: [x]", ["rules.yaml:1:9: must be a group of 'key: value' lines, "
     "not 'x'"]),
    ("- id: x", ["rules.yaml:1:1: must be a group of 'key: value' lines"]),
    ("rules: []\ndefaults: {zzz: 1}", ["rules.yaml:2:12: unknown key 'zzz' (allowed: "
     "cap, hours, respond_within, send_hours, settle)"]),
    ("rules: []\ndefault: {}", ["rules.yaml:2:1: 'then' is missing"]),
    ("rules: []\ndefault: {then: [{lgo: {}}]}", ["rules.yaml:2:19: unknown action 'lgo' "
     "(did you mean 'log'?; allowed: zendesk.ticket, salesforce.task, hubspot.task, "
     "email.thank_you, slack.message, log)"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "messages"), FILES)
def test_a_wrong_file_is_told(load_rules: Load, text: str, messages: list[str]) -> None:
    assert [str(problem) for problem in load_rules(text).problems] == messages


RULES = [
    ("id: x\nwhen: {score: 1}\nthen: [{log: {}}]\nhodlout: 10%", "unknown key 'hodlout' (did you "
     "mean 'holdout'?)"),
    ("id: x\nwhen: {score: 1}\nthen: [{log: {}}]\nzzz: 10%", "unknown key 'zzz' (allowed: cap, "
     "examples, holdout, hours, id, name, note, owner, send_hours, status, stop, then, until, "
     "when)"),
    ("id: x\nwhen: {score: 1}\nthen: [{log: {}}]\nstatus: of", "status: 'of' is not allowed "
     "(allowed: draft, shadow, live)"),
    ("id: x\nwhen: {score: 1}\nthen: {log: {}}", "then: must be a list (start each line of it "
     "with '- ')"),
    ("id: x\nwhen: {score: 1}\nthen: []", "then: must be filled in"),
    ("id: x\nwhen:\nthen: [{log: {}}]", "when: must be a group of 'key: value' lines"),
    ("id: x\nthen: [{log: {}}]", "'when' is missing"),
    ("when: {score: 1}\nthen: [{log: {}}]", "'id' is missing"),
    ("id: A rule\nwhen: {score: 1}\nthen: [{log: {}}]", "id: may only hold a-z, 0-9 and '-', at "
     "most 60 of them"),
    ("id: default\nwhen: {score: 1}\nthen: [{log: {}}]", "the id 'default' is taken by the last "
     "section of the file"),
    ("id: x\nwhen: {score: 1}\nthen: [{log: {}}]\nexamples: [{given: {scor: 1}, fires: true}]",
     "unknown key 'scor' (did you mean 'score'?)"),
    ("id: x\nwhen: {score: 1}\nthen: [{log: {}}]\nexamples: [{given: {score: 11}, fires: true}]",
     "score: 11 is not on the scale of relationship (scores go from 0 to 10)"),
    ("id: x\nwhen: {score: 1}\nthen: [{log: {}}]\n"
     "examples: [{given: {score: 0, survey: partners}, fires: true}]",
     "score: 0 is not on the scale of partners (scores go from 1 to 10)"),
    ("id: x\nwhen: {score: 1}\nthen: [{log: {}}]\n"
     "examples: [{given: {customer: {paln: pro}}, fires: true}]",
     "unknown attribute 'paln' (did you mean 'plan'?)"),
    ("id: x\nwhen: {score: 1}\nthen: [{log: {}}]\n"
     "examples: [{given: {survey: zzz}, fires: true}]",
     "survey: 'zzz' is not allowed (allowed: relationship, partners, stars)"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "message"), RULES)
def test_a_wrong_rule_is_told(load_rules: Load, rule: str, message: str) -> None:
    lines = rule.replace("\n", "\n    ")
    (problem,) = load_rules(f"rules:\n  - {lines}\n").problems
    said = problem.message + (f" ({problem.hint})" if problem.hint else "")
    assert said == message
    assert problem.line > 1


@pytest.mark.parametrize("key", ["weight"])
def test_keys_that_do_not_exist_are_refused(load_rules: Load, key: str) -> None:
    rule = f"rules:\n  - id: x\n    when: {{score: 1}}\n    then: [{{log: {{}}}}]\n    {key}: 1\n"
    (problem,) = load_rules(rule).problems
    assert (problem.line, problem.message) == (5, f"unknown key '{key}'")


def test_an_id_is_unique(load_rules: Load) -> None:
    loaded = load_rules(
        """
        rules:
          - {id: x, when: {score: 1}, then: [{log: {}}]}
          - {id: x, when: {score: 2}, then: [{log: {}}]}
        """
    )
    assert [str(problem) for problem in loaded.problems] == [
        "rules.yaml:3:10: the id 'x' is taken in line 2 (an id is unique and never changes)"
    ]


def test_a_field_that_stands_twice_is_refused(load_rules: Load) -> None:
    loaded = load_rules(
        """
        rules:
          - id: x
            when:
              score: {at_most: 6}
              score: {at_least: 3}
            then: [{log: {}}]
        """
    )
    assert [str(problem) for problem in loaded.problems] == [
        "rules.yaml:5:7: 'score' stands twice here, first in line 4 (keep one of them)"
    ]


def test_all_problems_of_all_files_are_told_at_once(load_rules: Load) -> None:
    loaded = load_rules(
        """
        defaults: {respond_within: soon}
        rules:
          - id: Bad Id
            when: {scroe: 1, segment: promotor}
            then:
              - zendesk.ticket: {priority: top, subject: "{{ nmae }}"}
              - slack.mesage: {}
          - id: good
            when: {score: 1}
            then: [{log: {}}]
          - nothing
        default: {them: []}
        """,
        {"templates/thank_you/es.txt": "Asunto: x\n\nHola"},
    )
    assert loaded.ruleset is None
    places = [(p.file, p.line) for p in loaded.problems if p.severity == "error"]
    assert places == [
        ("rules.yaml", 1),
        ("rules.yaml", 3),
        ("rules.yaml", 4),
        ("rules.yaml", 4),
        ("rules.yaml", 6),
        ("rules.yaml", 7),
        ("rules.yaml", 11),
        ("rules.yaml", 12),
        ("rules.yaml", 12),
        ("templates/thank_you/es.txt", 1),
    ]


def test_two_cases_of_one_rule_in_one_sink_are_a_warning(load_rules: Load) -> None:
    loaded = load_rules(
        """
        rules:
          - id: x
            when: {score: 1}
            then:
              - zendesk.ticket: {group: Support}
              - zendesk.ticket: {group: Retention}
        """
    )
    assert [str(problem) for problem in loaded.problems] == [
        "rules.yaml:6:9: warning: zendesk.ticket: this rule already opens a case in support-desk"
    ]
    assert loaded.ruleset


def test_a_mistake_that_is_referred_to_twice_is_told_once(load_rules: Load) -> None:
    loaded = load_rules(
        """
        rules:
          - id: x
            when: &low {scroe: 3}
            then: [{log: {}}]
          - id: y
            when: *low
            then: [{log: {}}]
        """
    )
    assert [str(problem) for problem in loaded.problems] == [
        "rules.yaml:3:17: unknown field 'scroe' (did you mean 'score'?)"
    ]
