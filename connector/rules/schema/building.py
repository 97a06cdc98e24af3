"""The JSON Schema of `rules.yaml` for editors, filled with what exists in this installation.

Draft-07 as editors know it (https://json-schema.org/draft-07). There is no `oneOf` and no `anyOf`:
with them an editor completes the first branch only and says "not valid under any of the schemas"
instead of what is wrong. A field that takes a value, a list or operators has three types; which of
its keywords speak depends on the type. `examples` beside `enum` is what editors complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.rules.fields import OPERATORS, FieldRule, every_field
from connector.rules.model import LOG, ActionKind, Vocabulary
from connector.rules.routes import RouteText
from connector.rules.schema import times, words
from connector.rules.schema.models import object_of, templated
from connector.rules.spans import SPANNED, WITHIN
from connector.rules.written import DefaultsText, DefaultText, EscalationText, ExampleText, RuleText

Schema = dict[str, Any]
Names = Mapping[str, Mapping[str, Sequence[str]]]  # sink id -> field of an action -> what exists

_DEEPEST = 2
_NO_MORE: Schema = {"properties": {}, "additionalProperties": False}
_MEMBERS: Schema = {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}
_POOLS: Schema = {
    "type": "object",
    "patternProperties": {"^[a-z0-9][a-z0-9-]{0,59}$": _MEMBERS},
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Surroundings:
    """What an installation has beside its vocabulary: names at the far side, mail templates, and
    the properties that sources have sent."""

    names: Names = field(default_factory=dict)
    mails: Sequence[str] = ()
    properties: Sequence[str] = ()


def rules_schema(vocabulary: Vocabulary, around: Surroundings) -> Schema:
    """The schema of the whole file; the same arguments give the same text."""
    fields = every_field(vocabulary)
    definitions: Schema = {f"field.{one.name}": _field(one, vocabulary) for one in fields}
    definitions["property"] = _field(FieldRule("properties.NAME", "free"), vocabulary)
    targets = {one.name: f"field.{one.name}" for one in fields}
    targets |= {f"properties.{name}": "property" for name in sorted(around.properties)}
    for depth in range(_DEEPEST + 1):
        definitions[f"when.{depth}"] = _when(targets, depth)
    definitions |= _words()
    definitions["actions"] = _actions(vocabulary, around)
    definitions["rule"] = _rule()
    definitions["example"] = _example(vocabulary)
    definitions["calendar"] = times.calendar()
    defaults = object_of(DefaultsText, {})
    default = object_of(DefaultText, {"then": {"$ref": "#/definitions/actions"}})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "NPS rules",
        "description": words.FILE,
        "type": "object",
        "required": ["rules"],
        "properties": {
            "calendars": times.calendars(),
            "defaults": {**defaults, "title": "Defaults", "description": words.DEFAULTS},
            "pools": {"title": "Pools", "description": words.POOLS, **_POOLS},
            "routing": {"title": "Routing", "description": words.ROUTING, **_routing()},
            "escalation": {
                "title": "Escalation",
                "description": words.ESCALATION,
                "type": "array",
                "minItems": 1,
                "items": _escalation(),
            },
            "rules": {
                "title": "Rules",
                "description": words.RULES,
                "type": "array",
                "items": {"$ref": "#/definitions/rule"},
            },
            "default": {**default, "title": "Default", "description": words.DEFAULT},
        },
        "additionalProperties": False,
        "definitions": definitions,
    }


def _routing() -> Schema:
    when = {"when": {"$ref": f"#/definitions/when.{_DEEPEST}"}}
    return {"type": "array", "minItems": 1, "items": object_of(RouteText, when)}


def _escalation() -> Schema:
    parts = {
        "when": {"$ref": f"#/definitions/when.{_DEEPEST}"},
        "then": {"$ref": "#/definitions/actions"},
    }
    return object_of(EscalationText, parts)


def _rule() -> Schema:
    return {
        **object_of(
            RuleText,
            {
                "when": {"$ref": f"#/definitions/when.{_DEEPEST}"},
                "then": {"$ref": "#/definitions/actions"},
                "examples": {
                    "title": "Examples",
                    "description": "answers, with what should happen",
                    "type": "array",
                    "items": {"$ref": "#/definitions/example"},
                },
            },
        ),
        "title": "Rule",
        "description": words.RULE,
    }


def _when(targets: Mapping[str, str], depth: int) -> Schema:
    """Conditions; within it groups may be `depth` deep. `targets`: field -> its definition."""
    properties: Schema = {name: {"$ref": f"#/definitions/{to}"} for name, to in targets.items()}
    if depth:
        for word, meaning in words.GROUPS.items():
            properties[word] = {
                "title": word,
                "description": meaning,
                "type": "array",
                "minItems": 1,
                "items": {"$ref": f"#/definitions/when.{depth - 1}"},
            }
    return {
        "title": "Conditions",
        "description": words.WHEN,
        "type": "object",
        "properties": properties,
        "patternProperties": {r"^properties\..+": {"$ref": "#/definitions/property"}},
        "additionalProperties": False,
    }


def _field(rule: FieldRule, vocabulary: Vocabulary) -> Schema:
    one = _value(rule, vocabulary)
    operators = OPERATORS[rule.type]
    types = [*_types(one), *(["array"] if "in" in operators else []), "object"]
    schema = {
        "title": rule.name,
        "description": words.field(rule),
        **_plain_or_list(one, types),
        "minProperties": 1,
        "properties": {word: _operator(word, rule, one) for word in operators},
        "additionalProperties": False,
    }
    if rule.name in SPANNED:
        schema["properties"][WITHIN] = {"description": words.WITHIN, **words.SPAN}
        schema["dependencies"] = {WITHIN: {"minProperties": 2}}  # it says nothing alone
    return schema


def _operator(word: str, rule: FieldRule, one: Schema) -> Schema:
    about = {"description": words.OPERATORS[word]}
    number = {**one, "type": "number"} if rule.type == "free" else one
    if word == "exists":
        return {**about, "type": "boolean"}
    if word in ("at_most", "at_least"):
        return {**about, **number}
    if word == "between":
        return {**about, "type": "array", "items": number, "minItems": 2, "maxItems": 2}
    if word == "in":
        return {**about, "type": "array", "items": one, "minItems": 1}
    if word == "not":
        return {**about, **_plain_or_list(one, [*_types(one), "array"])}
    text: Schema = {"type": "string", "minLength": 1}
    if word == "mentions":
        return {**about, "$ref": "#/definitions/mentions"}
    if word == "matches":
        return {**about, **text, "maxLength": 200, "examples": [r"order\s*#?\d{4,8}"]}
    return {**about, **one}


def _words() -> Schema:
    """What stands behind `mentions`: a word, a list, or lists by language."""
    text: Schema = {"type": "string", "minLength": 1}
    languages = {code: {"$ref": "#/definitions/words"} for code in words.LANGUAGES}
    return {
        "words": {"description": words.WORDS, **_plain_or_list(text, ["string", "array"])},
        "mentions": {
            "description": words.OPERATORS["mentions"],
            **_plain_or_list(text, ["string", "array", "object"]),
            "examples": ["refund*"],
            "minProperties": 1,
            "properties": languages,
            "additionalProperties": False,
        },
    }


def _plain_or_list(one: Schema, types: list[str]) -> Schema:
    """A value, or something else of these types. `enum` would forbid that, so it stands behind an
    `if`; the other keywords of a value speak about its own type only."""
    plain = {key: value for key, value in one.items() if key not in ("enum", "type")}
    schema: Schema = {"type": types, **plain}
    if "enum" in one:
        schema |= {"if": {"type": "string"}, "then": {"enum": one["enum"]}, "examples": one["enum"]}
    if "array" in types:
        schema |= {"items": one, "minItems": 1}
    return schema


def _types(one: Schema) -> list[str]:
    return list(one["type"]) if isinstance(one["type"], list) else [one["type"]]


def _value(rule: FieldRule, vocabulary: Vocabulary) -> Schema:
    """One value of a field."""
    if rule.type in ("choice", "topics"):
        return {"type": "string"} | ({"enum": list(rule.choices)} if rule.choices else {})
    if rule.type == "score":
        return {"type": "integer", **_scale(vocabulary)}
    if rule.type == "language":
        return {"type": "string", "pattern": words.LANGUAGE, "examples": ["en", "es", "pt-BR"]}
    return dict(words.VALUES[rule.type])


def _scale(vocabulary: Vocabulary) -> Schema:
    surveys = list(vocabulary.surveys.values())
    if not surveys:
        return {}
    return {"minimum": min(s.low for s in surveys), "maximum": max(s.high for s in surveys)}


def _actions(vocabulary: Vocabulary, around: Surroundings) -> Schema:
    """One key for each action: an editor completes the kinds, then what the kind takes."""
    usable = {kind: of for kind, of in vocabulary.actions.items() if of.sinks}
    kinds: Schema = {kind: _action(kind, of, around) for kind, of in usable.items()}
    kinds[LOG] = {"title": LOG, "description": words.LOG, "type": "object", **_NO_MORE}
    return {
        "title": "Actions",
        "description": words.THEN,
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": kinds,
            "additionalProperties": False,
        },
    }


def _action(kind: str, of: ActionKind, around: Surroundings) -> Schema:
    schema = object_of(of.params, {}, around.mails)
    properties = schema["properties"]
    properties["sink"] = {**properties["sink"], "enum": list(of.sinks)}
    properties["settle"] = {"title": "Settle", "description": words.SETTLE, **words.DURATION}
    properties |= times.of_action(of)
    if len(of.sinks) > 1:
        schema["required"] = [*schema.get("required", []), "sink"]
    open_texts = templated(of.params)
    for name, known in _known(of.sinks, around.names).items():
        if name in properties:
            properties[name] = _with_names(properties[name], known, name in open_texts)
    return {**schema, "title": kind, "description": words.action(kind, of)}


def _known(sinks: Iterable[str], names: Names) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for sink in sinks:
        for name, known in names.get(sink, {}).items():
            found.setdefault(name, set()).update(known)
    return {name: sorted(known) for name, known in found.items()}


def _with_names(schema: Schema, known: list[str], open_text: bool) -> Schema:
    """A text that may hold `{{ … }}` is only helped with names, a plain one is held to them."""
    if schema["type"] == "object":
        inner = schema["additionalProperties"]
        return {**schema, "properties": dict.fromkeys(known, inner), "additionalProperties": False}
    return {**schema, "examples": known} if open_text else {**schema, "enum": known}


def _example(vocabulary: Vocabulary) -> Schema:
    schema = object_of(ExampleText, {})
    given = schema["properties"]["given"]["properties"]
    for word, allowed in (("survey", list(vocabulary.surveys)), ("source", [*vocabulary.sources])):
        if allowed:
            given[word] = {**given[word], "type": "string", "enum": allowed}
    given["score"] |= _scale(vocabulary)
    attributes = {
        one.name.partition(".")[2]: one
        for one in every_field(vocabulary)
        if one.name.startswith("customer.")
    }
    for group in ("customer", "company"):
        given[group] = {
            **given[group],
            "properties": {name: _given(of) for name, of in attributes.items()},
            "additionalProperties": False,
        }
    return schema


def _given(rule: FieldRule) -> Schema:
    return {"title": rule.name.partition(".")[2], "type": ["string", "number", "boolean", "null"]}
