"""`routing` and `pools`: who it is for, what the file may say, and where people see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.domain import Facts, Survey
from connector.ports import Params, Template
from connector.rules.compare import compare
from connector.rules.decide import decide
from connector.rules.decision_table import decision_table
from connector.rules.examples import facts_of
from connector.rules.explain import assigned
from connector.rules.lint import Seen, lint
from connector.rules.load import load
from connector.rules.model import ActionKind, Loaded, Ruleset, RulesetText, Vocabulary
from connector.rules.past import light_facts
from connector.rules.schema import Surroundings, rules_schema
from connector.rules.teams import Teams, team_of
from connector.rules.templates import TextTemplate
from connector.rules.written import GivenText
from tests.unit.rules.conftest import NOW


class TaskParams(Params):
    subject: Template = "Call"
    owner: Template = ""


class TicketParams(Params):
    group: str = ""
    assignee: Template = ""


class AlertParams(Params):
    text: Template


WORDS = Vocabulary(
    actions={
        "crm.task": ActionKind(TaskParams, opens_case=True, sinks=("crm",)),
        "desk.ticket": ActionKind(TicketParams, opens_case=True, sinks=("desk",)),
        "chat.alert": ActionKind(AlertParams, sinks=("chat",)),
    },
    surveys={"nps": Survey(id="nps")},
)
POOLS = "pools: {iberia: [ana, bo], rest: [cy]}\n"
ROUTING = """routing:
  - {when: {customer.owner: {exists: true}}, owner: "{{ customer.owner }}"}
  - {when: {any: [{company.owner: vip}, {customer.plan: gold}]}, owner: eva}
  - {when: {language: [es, pt]}, pool: iberia}
  - {when: {}, pool: rest}
"""
RULES = """rules:
  - id: a
    name: A
    owner: o
    when: {}
    then:
      - crm.task: {}
"""
FILE = POOLS + ROUTING + RULES


def text(rules: str) -> RulesetText:
    return RulesetText({"rules.yaml": rules})


def loaded(rules: str) -> Loaded:
    return load(text(rules), WORDS)


def ruleset(rules: str) -> Ruleset:
    found = loaded(rules)
    assert found.ruleset, found.problems
    return found.ruleset


def told(rules: str) -> list[str]:
    return [str(problem) for problem in loaded(rules).problems]


def answer(positions: dict[str, int] | None = None, **given: Any) -> Facts:
    facts = facts_of(GivenText.model_validate(given), WORDS)
    return facts.model_copy(update={"positions": positions or {}})


def owner(rules: Ruleset, facts: Facts) -> object:
    (intent,) = decide(rules, facts).intents
    return intent.params["owner"]


@pytest.mark.parametrize(
    ("given", "who"),
    [
        ({"customer": {"owner": "kim"}, "language": "es"}, "kim"),
        ({"company": {"owner": "vip"}}, "eva"),
        ({"customer": {"plan": "GOLD"}, "language": "es"}, "eva"),
        ({"language": "pt-BR"}, "ana"),
        ({"language": "en"}, "cy"),
    ],
)
def test_the_first_line_that_matches_says_who(given: dict[str, Any], who: str) -> None:
    assert owner(ruleset(FILE), answer(**given)) == who


@pytest.mark.parametrize(("position", "who"), [(0, "ana"), (1, "bo"), (2, "ana"), (1001, "bo")])
def test_the_position_is_a_fact_and_counts_round(position: int, who: str) -> None:
    facts = answer({"iberia": position, "rest": 7}, language="es")
    verdict = decide(ruleset(FILE), facts)
    assert verdict == decide(ruleset(FILE), facts)
    (intent,) = verdict.intents
    assert (intent.params["owner"], intent.pool) == (who, "iberia")


def test_a_line_that_stays_empty_is_passed_over_and_told() -> None:
    rules = POOLS + ROUTING.replace("{customer.owner: {exists: true}}", "{}") + RULES
    assert owner(ruleset(rules), answer(customer={"owner": "kim"})) == "kim"
    assert owner(ruleset(rules), answer()) == "cy"
    assert told(rules) == [
        "rules.yaml:3:23: warning: template: customer.owner can be empty: then the next line of "
        "routing says who (ask for it in when: customer.owner: {exists: true})"
    ]


def test_a_task_with_an_owner_of_its_own_keeps_it_and_an_empty_one_is_the_crms() -> None:
    for own, who in (("kim", "kim"), ('""', ""), ('"{{ owner }}!"', "cy!")):
        rules = ruleset(FILE.replace("crm.task: {}", f"crm.task: {{owner: {own}}}"))
        assert owner(rules, answer()) == who


def test_without_routing_a_task_is_the_crms_and_where_no_line_matches_too() -> None:
    assert owner(ruleset(RULES), answer()) == ""
    rules = ruleset("routing: [{when: {language: it}, owner: kim}]\n" + RULES)
    assert owner(rules, answer()) == ""
    assert owner(rules, answer(language="it")) == "kim"
    (intent,) = decide(rules, answer()).intents
    assert intent.problem == ""


def test_tickets_and_texts_name_the_owner_where_they_say_so() -> None:
    rules = ruleset(
        FILE
        + '      - desk.ticket: {assignee: "{{ owner }}"}\n'
        + '      - chat.alert: {text: "{{ owner | upper }} calls"}\n'
    )
    task, ticket, alert = decide(rules, answer({"iberia": 1}, language="es")).intents
    assert (task.params["owner"], ticket.params["assignee"]) == ("bo", "bo")
    assert (alert.params["text"], alert.pool) == ("BO calls", "iberia")


def test_an_action_that_names_nobody_is_of_no_pool() -> None:
    rules = ruleset(FILE + "      - desk.ticket: {}\n")
    assert [intent.pool for intent in decide(rules, answer(language="es")).intents] == [
        "iberia",
        "",
    ]


MISTAKES = [
    ("pool: iberia", "pool: ibera", "5:40: no pool 'ibera' (did you mean 'iberia'?)"),
    (POOLS + ROUTING, "routing:\n  - {when: {language: es}, pool: iberia}\n",
     "2:34: no pool 'iberia' (there is none: write pools:)"),
    ("rest: [cy]", "rest: []", "1:28: rest: must be filled in"),
    ("rest: [cy]", "rest: cy", "1:34: rest: must be a list, not 'cy' "
     "(start each line of it with '- ')"),
    ("rest: [cy]", "rest: [cy], A b: [cy]", "1:40: A b: may only hold a-z, 0-9 and '-', at "
     "most 60 of them"),
    ("{when: {}, pool: rest}", "{when: {}}", "6:5: a line of routing says either owner or pool "
     "(write owner: ana@example.com, or pool: one of pools)"),
    ("{when: {}, pool: rest}", "{when: {}, pool: rest, owner: x}", "6:5: a line of routing says "
     "either owner or pool (write owner: ana@example.com, or pool: one of pools)"),
    ("{when: {}, pool: rest}", "{pool: rest}", "6:5: 'when' is missing"),
    ("{when: {}, pool: rest}", "{when: {}, pol: rest}", "6:16: unknown key 'pol' (did you mean "
     "'pool'?)"),
    ("{{ customer.owner }}", "{{ customer.onwer }}", "3:53: template: unknown variable "
     "'customer.onwer' (did you mean 'customer.owner'?)"),
    ("{{ customer.owner }}", "{{ owner }}", "3:53: template: routing itself says who 'owner' is "
     "(did you mean 'customer.owner'?)"),
    ("language: [es, pt]", "lnguage: [es, pt]", "5:13: unknown field 'lnguage' (did you mean "
     "'language'?)"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_told_at_its_place(old: str, new: str, message: str) -> None:
    found = loaded(FILE.replace(old, new))
    assert found.ruleset is None
    errors = [str(p) for p in found.problems if p.severity == "error"]
    assert errors == [f"rules.yaml:{message}"]


WARNINGS = [
    ("[ana, bo]", "[ana, bo, ana]", "1:27: warning: pool 'iberia' names ana twice (who stands "
     "twice gets twice as much; remove one if that is not meant)"),
    ("rest: [cy]", "rest: [cy], spare: [di]", "1:40: warning: no line of routing uses the pool "
     "'spare' (write - {when: {…}, pool: spare} under routing, or remove it)"),
    ("language: [es, pt]}", "}", "6:5: warning: this line of routing is never reached: line 3 "
     "matches all (move that one to the end, or remove this one)"),
    ("crm.task: {}", "crm.task: {owner: x}", "2:1: warning: no action uses routing (write owner: "
     '"{{ owner }}" in a task, or assignee: "{{ owner }}" in a ticket)'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WARNINGS)
def test_what_is_odd_is_a_warning(old: str, new: str, message: str) -> None:
    assert told(FILE.replace(old, new)) == [f"rules.yaml:{message}"]


def test_the_owner_can_be_empty_where_no_line_is_for_everybody() -> None:
    alert = '      - chat.alert: {text: "{{ owner }}"}\n'
    assert told(FILE + alert) == []
    rules = FILE.replace("  - {when: {}, pool: rest}\n", "").replace(", rest: [cy]", "") + alert
    assert told(rules) == [
        "rules.yaml:13:28: warning: template: owner can be empty (write {{ owner | default('…') }})"
    ]


def test_the_owner_is_nobody_without_routing() -> None:
    (problem,) = told(RULES + '      - chat.alert: {text: "{{ owner }}"}\n')
    assert problem == (
        "rules.yaml:8:28: template: owner is nobody: the file has no routing (say under routing: "
        "who gets what, or did you mean 'customer.owner'?)"
    )


def test_people_who_do_not_exist_at_the_vendor_are_told_at_their_place() -> None:
    seen = Seen(names={"crm": {"owner": ["Ana", "bo", "cy"]}, "desk": {"assignee": []}})
    found = [str(p) for p in lint(text(FILE), WORDS, NOW, seen) if "exist" in p.message]
    assert found == ["rules.yaml:4:73: owner: 'eva' does not exist in crm (there are: Ana, bo, cy)"]
    more = FILE.replace("[cy]", "[cy, dee]") + '      - desk.ticket: {assignee: "{{ owner }}"}\n'
    found = [str(p) for p in lint(text(more), WORDS, NOW, seen) if "exist" in p.message]
    assert [one.partition(": ")[0] for one in found if "in crm" in one] == [
        "rules.yaml:1:39",
        "rules.yaml:4:73",
    ]
    assert sum("in desk" in one for one in found) == 5


def test_explain_says_who_and_why() -> None:
    rules = ruleset(FILE)
    assert str(assigned(rules, answer({"iberia": 17}, language="es"))) == (
        "bo: pool iberia, position 17, line 3 of routing"
    )
    assert str(assigned(rules, answer(language="es"))) == (
        "ana: pool iberia, no turn taken, line 3 of routing"
    )
    assert str(assigned(rules, answer(customer={"owner": "kim"}))) == "kim: line 1 of routing"
    assert assigned(ruleset(RULES), answer()) is None


def test_the_table_has_the_lines_below_the_rules() -> None:
    rules = FILE.replace("    when: {}\n", "    when: {}\n    cap: 1 per customer per 30d\n")
    table = decision_table(ruleset(rules))
    who = table.columns.index("actions")
    assert [(row[1], row[who]) for row in table.rows[2:]] == [
        (("routing, line 1",), ("owner {{ customer.owner }}",)),
        (("routing, line 2",), ("owner eva",)),
        (("routing, line 3",), ("pool iberia: ana, bo",)),
        (("routing, line 4",), ("pool rest: cy",)),
    ]
    assert table.rows[4][table.columns.index("language")] == ("es | pt",)
    assert table.rows[0][table.columns.index("status")] == ("live", "cap: 1 per customer per 30d")


def test_a_diff_says_what_changed_about_who_gets_it() -> None:
    new = FILE.replace("[ana, bo]", "[ana, eva]").replace("language: [es, pt]", "language: es")
    changes = {one.of: one.lines for one in compare(text(FILE), text(new))}
    assert changes["pools"] == ('iberia: + "eva", - "bo"',)
    assert changes["routing"] == (
        'lines: + {when: {language: "es"}, pool: "iberia"}, - {when: {language: ["es", "pt"]}, '
        'pool: "iberia"}',
    )
    added = {one.of for one in compare(text(RULES), text(FILE))}
    assert added == {"pools", "routing"}


def test_the_schema_knows_both_and_no_one_of(vocabulary: Vocabulary) -> None:
    schema = rules_schema(vocabulary, Surroundings())
    items = schema["properties"]["routing"]["items"]
    assert set(items["properties"]) == {"when", "owner", "pool"}
    assert items["additionalProperties"] is False
    assert "pools" in schema["properties"]
    rule = schema["definitions"]["rule"]["properties"]
    assert {"cap", "holdout"} <= set(rule)
    assert "cap" in schema["properties"]["defaults"]["properties"]


def test_many_lines_are_matched_as_the_reference_does(facts: Callable[..., Facts]) -> None:
    lines = "".join(f"  - {{when: {{customer.plan: p{n}}}, owner: o{n}}}\n" for n in range(300))
    rules = ruleset(f"routing:\n{lines}{RULES}")
    assert owner(rules, answer(customer={"plan": "P217"})) == "o217"
    assert owner(rules, answer(customer={"plan": "p"})) == ""


def test_a_line_may_ask_what_the_comment_is_about() -> None:
    topics = "topics:\n  billing: {en: [invoice]}\n"
    rules = (
        "pools: {rest: [cy]}\nrouting:\n"
        "  - {when: {topics: billing}, owner: bea}\n  - {when: {}, pool: rest}\n"
        "rules:\n  - {id: a, when: {}, then: [{crm.task: {}}]}\n"
    )
    loaded = load(RulesetText({"rules.yaml": rules, "topics.yaml": topics}), WORDS)
    assert loaded.ruleset, [str(problem) for problem in loaded.problems]
    for comment, owner in (("Two invoices", "bea"), ("Slow", "cy")):
        facts = Facts(
            response_id="r", source="app", survey="nps", score=1, segment=None, comment=comment
        )
        (intent,) = decide(loaded.ruleset, facts).intents
        assert intent.params["owner"] == owner


def test_a_replay_fills_in_what_the_comment_is_about() -> None:
    about = "{{ topics | join('-') }}"
    rules = (
        f'routing: [{{when: {{}}, owner: "{about}"}}]\n'
        f'rules:\n  - {{id: a, when: {{}}, then: [{{desk.ticket: {{assignee: "to {about}"}}}}]}}\n'
    )
    topics = "topics:\n  billing: {en: [invoice]}\n"
    loaded = load(RulesetText({"rules.yaml": rules, "topics.yaml": topics}), WORDS)
    assert loaded.ruleset, [str(problem) for problem in loaded.problems]
    told = {"response_id": "r", "source": "app", "survey": "nps", "score": 1, "segment": None}
    facts = light_facts(
        Facts.model_validate({**told, "comment": "An invoice"}).model_dump(mode="json")
    )
    teams = Teams(loaded.ruleset.routing, loaded.ruleset.book)
    who = teams.assigned("r", facts, more=False)
    assert who is not None
    assert who.owner == "billing"
    (action,) = loaded.ruleset.rules[0].then
    template = team_of(action)
    assert isinstance(template, TextTemplate)
    assert teams.told(template, action, facts, None) == "to billing"
