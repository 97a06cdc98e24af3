"""The schema that editors use: it accepts what the loader accepts, and points at the mistake."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from connector import config
from connector.cli.rules.schema import schema_text
from connector.cli.rules.surroundings import place_at
from connector.documents import read
from connector.rules.fields import OPERATORS, every_field
from connector.rules.schema import Surroundings, rules_schema
from connector.rules.spans import SPANNED
from connector.rules.topics import TopicBook
from tests.unit.rules.conftest import VOCABULARY
from tests.unit.rules.test_manual import blocks
from tests.unit.rules.test_mistakes import ACTIONS, AROUND, CONDITIONS, NINE_TYPOS, SOME_THEN

ROOT = Path(__file__).parents[3]
AROUND_IT = Surroundings(
    names={
        "support-desk": {"group": ["Support", "Retention"], "fields": ["NPS score"]},
        "elsewhere": {"group": ["Nobody"]},
    },
    mails=["thank_you"],
    properties=["Order status"],
)
SCHEMA = rules_schema(VOCABULARY, AROUND_IT)
JUDGE = Draft7Validator(SCHEMA)
# What only the loader can say: it needs to read the value, not only its shape.
BEYOND_A_SHAPE = {
    "score: {between: [6, 0]}",
    "comment: {matches: '(a'}",
    "comment: {matches: '(a+)+$'}",
    r"comment: {matches: '(a)\1'}",
}


def wrong(text: str) -> list[ValidationError]:
    return list(JUDGE.iter_errors(read(text, "rules.yaml").data))


def place(text: str, error: ValidationError) -> str:
    """Where an editor marks it: the key that is too much, else the value."""
    document, at = read(text, "rules.yaml"), list(error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = error.schema["properties"]
        unknown = next(key for key in error.instance if key not in allowed)
        line, column = document.key_place(*at, unknown)
    else:
        line, column = document.place(*at)
    return f"{line}:{column}"


def test_it_is_a_schema_and_nothing_that_people_type_stands_behind_a_choice_of_branches() -> None:
    Draft7Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    assert not any(f'"{word}"' in text for word in ("oneOf", "anyOf", "allOf", "not_", "$defs"))


@pytest.mark.parametrize(("when", "message"), NINE_TYPOS.values(), ids=NINE_TYPOS.keys())
def test_a_typical_typo_is_pinned_at_the_same_place_as_the_loader_pins_it(
    when: str, message: str
) -> None:
    text = AROUND.format(when=when, then=SOME_THEN)
    (error,) = wrong(text)
    assert place(text, error) == message[: message.index(": ")]


@pytest.mark.parametrize(("when", "message"), CONDITIONS)
def test_a_wrong_condition_is_wrong_for_an_editor_too(when: str, message: str) -> None:
    found = wrong(AROUND.format(when=when, then=SOME_THEN))
    assert bool(found) is (when.strip() not in BEYOND_A_SHAPE)
    assert all("is not valid under any" not in error.message for error in found)


@pytest.mark.parametrize(("then", "message"), [pair for pair in ACTIONS if "{{" not in pair[0]])
def test_a_wrong_action_is_wrong_for_an_editor_too(then: str, message: str) -> None:
    assert wrong(AROUND.format(when="      score: 3", then=then))


@pytest.mark.parametrize("sample", [s for s in blocks("yaml") if "rules:" in s])
def test_the_samples_of_the_manual_are_right(sample: str) -> None:
    words = config.load(ROOT / "config" / "connector.yaml", {}, secrets=False).vocabulary()
    around = Surroundings(mails=["thank_you", "thank_you_passive"])
    judge = Draft7Validator(rules_schema(words, around))
    assert [e.message for e in judge.iter_errors(read(sample, "r").data)] == []


@pytest.mark.parametrize("sample", [s for s in blocks("yaml") if s.startswith("when:")])
def test_the_conditions_of_the_manual_are_right(sample: str) -> None:
    rule = {"id": "x", "then": [{"log": {}}], **read(sample, "r").data}
    assert [e.message for e in JUDGE.iter_errors({"rules": [rule]})] == []


def test_every_field_offers_its_operators_and_says_what_they_are() -> None:
    for rule in every_field(VOCABULARY):
        field = SCHEMA["definitions"][f"field.{rule.name}"]
        more = ("within",) if rule.name in SPANNED else ()
        assert tuple(field["properties"]) == (*OPERATORS[rule.type], *more)
        assert field["title"]
        assert all(part["description"] for part in (field, *field["properties"].values()))


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("history.drop: {at_least: 4, within: 90d}", True),
        ("history.previous_segment: {is: promoter, within: 1h 30m}", True),
        ("history.drop: {within: 90d}", False),
        ("history.drop: {at_least: 4, within: soon}", False),
        ("history.open_cases: {at_least: 1, within: 90d}", False),
    ],
)
def test_a_time_stands_beside_an_operator_of_the_past(line: str, right: bool) -> None:
    assert (not wrong(AROUND.format(when=f"      {line}", then=SOME_THEN))) is right


def test_what_exists_here_is_filled_in() -> None:
    fields = SCHEMA["definitions"]
    assert fields["field.survey"]["then"] == {"enum": ["relationship", "partners", "stars"]}
    assert fields["field.source"]["items"]["enum"] == ["app", "shop"]
    assert "field.customer.vip" in fields
    assert "properties.Order status" in fields["when.2"]["properties"]
    kinds = fields["actions"]["items"]["properties"]
    assert set(kinds) == {
        "zendesk.ticket", "salesforce.task", "email.thank_you", "slack.message", "log",
    }  # fmt: skip
    ticket = kinds["zendesk.ticket"]["properties"]
    assert ticket["group"]["enum"] == ["Retention", "Support"]
    assert ticket["sink"]["enum"] == ["support-desk"]
    assert list(ticket["fields"]["properties"]) == ["NPS score"]
    assert kinds["salesforce.task"]["required"] == ["sink"]
    assert kinds["email.thank_you"]["properties"]["template"]["enum"] == ["thank_you"]


def test_a_text_with_a_template_is_only_helped_with_names() -> None:
    names = {"support-desk": {"assignee": ["Ana"]}}
    judge = Draft7Validator(rules_schema(VOCABULARY, Surroundings(names=names)))
    for assignee in ("Ana", "{{ customer.owner }}"):
        rule = {"id": "x", "when": {}, "then": [{"zendesk.ticket": {"assignee": assignee}}]}
        assert list(judge.iter_errors({"rules": [rule]})) == []


def test_groups_are_two_deep() -> None:
    inner: dict[str, Any] = {"score": 1}
    for depth in range(4):
        rule = {"id": "x", "when": inner, "then": [{"log": {}}]}
        assert bool(list(JUDGE.iter_errors({"rules": [rule]}))) is (depth > 2)
        inner = {"any": [inner]}


def test_the_shipped_schema_is_that_of_the_shipped_configuration() -> None:
    file = ROOT / "config" / "rules.schema.json"
    made = schema_text(place_at(ROOT / "config" / "connector.yaml"), {}, ())
    hint = "write it again: connector rules schema --offline -o config/rules.schema.json"
    assert file.read_text("utf-8") == made, hint


def test_the_shipped_rules_name_the_schema_and_hold_to_it() -> None:
    text = (ROOT / "config" / "rules.yaml").read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=./rules.schema.json\n")
    schema = json.loads((ROOT / "config" / "rules.schema.json").read_text("utf-8"))
    data = read(text, "rules.yaml").data
    assert [error.message for error in Draft7Validator(schema).iter_errors(data)] == []


@pytest.mark.parametrize(
    ("when", "right"),
    [
        ("comment: {mentions: {es: reembolso, en: [refund], any: ':-('}}", True),
        ("comment: {mentions: {english: [refund]}}", False),
        ("comment: {mentions: {}}", False),
        ("topics: delivery", True),
        ("topics: [delivery, price]", False),
        ("asks_for: {not: quote}", True),
        ("asks_for: quot", False),
        ("contradiction: true", True),
    ],
)
def test_words_by_language_and_topics_are_known_to_an_editor(when: str, right: bool) -> None:
    book = TopicBook(topics={"delivery": ()}, asks_for={"quote": ()})
    judge = Draft7Validator(rules_schema(replace(VOCABULARY, book=book), Surroundings()))
    text = f"rules: [{{id: a, when: {{{when}}}, then: [{{log: {{}}}}]}}]"
    assert judge.is_valid(read(text, "r").data) is right
