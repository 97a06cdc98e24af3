"""Pydantic's JSON Schema of a model, in the plainer form that editors can use while one types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from connector.ports import Templated, TemplateNamed
from connector.rules.actions import marked
from connector.rules.schema import words

Schema = dict[str, Any]
_KEPT = ("default", "title", "description", "examples")


def object_of(
    model: type[BaseModel], replaced: Mapping[str, Schema], mails: Sequence[str] = ()
) -> Schema:
    """The schema of a model without `$defs` and `anyOf`; `replaced` are properties that stand for
    what the model leaves open. The names of mail templates are filled in where one is named."""
    raw = model.model_json_schema()
    schema = _plain(raw, raw.get("$defs", {}))
    properties = schema["properties"]
    for name, field in model.model_fields.items():
        if marked(field, TemplateNamed) and mails:
            properties[name]["enum"] = list(mails)
    schema["properties"] = {**properties, **replaced}
    return schema


def templated(model: type[BaseModel]) -> list[str]:
    """The fields in which a rule author may write `{{ … }}`."""
    return [name for name, field in model.model_fields.items() if marked(field, Templated)]


def _plain(raw: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if "$ref" in raw:
        target = definitions[raw["$ref"].rpartition("/")[2]]
        raw = {**target, **{key: value for key, value in raw.items() if key != "$ref"}}
    if raw.get("format") == "duration":
        return {**_about(raw), **words.DURATION}
    if "anyOf" in raw:
        return {**_merged([_plain(one, definitions) for one in raw["anyOf"]]), **_about(raw)}
    schema = {key: value for key, value in raw.items() if key not in ("$defs", *_KEPT)}
    schema |= _about(raw)
    if "properties" in schema:
        parts = schema["properties"].items()
        schema["properties"] = {name: _plain(part, definitions) for name, part in parts}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = _plain(schema[key], definitions)
    return schema


def _merged(branches: Sequence[Schema]) -> Schema:
    """One form: "nothing" is left out where anything else may stand, for nobody means it."""
    said = [one for one in branches if one.get("type") != "null"]
    if len(said) == 1:
        return said[0]
    types = [each for one in branches for each in _listed(one.get("type", []))]
    alike = list(dict.fromkeys(types))
    return {"type": alike[0] if len(alike) == 1 else alike}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _about(raw: Schema) -> Schema:
    """Title, description, examples; a default where completing it saves typing."""
    found: Schema = {key: raw[key] for key in ("title", "description", "examples") if key in raw}
    default = raw.get("default")
    if isinstance(default, str | bool) and default != "":
        found["default"] = default
    return found
