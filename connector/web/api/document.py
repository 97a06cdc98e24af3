"""The OpenAPI 3.1 document, made of the models that check queries and build answers.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from connector import __version__
from connector.web.api.models import Error
from connector.web.api.operations import OPERATIONS, ROOT, Operation

_REFERENCE = "#/components/schemas/{model}"
_FAULTS = {
    "400": "A parameter is wrong; `details` names each",
    "401": "No token, or one that is not valid",
    "503": "The database does not answer, or too much is asked at once; try again",
}


@cache
def document() -> dict[str, Any]:
    """The same each time: not to be changed."""
    answers = [(one.answer, "serialization") for one in OPERATIONS]
    kinds: Any = [*answers, (Error, "serialization")]
    refs, schemas = models_json_schema(kinds, ref_template=_REFERENCE)
    named = {model: ref for (model, _mode), ref in refs.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "NPS connector",
            "version": __version__,
            "description": "Read only. Times are RFC 3339, in UTC.",
        },
        "servers": [{"url": ROOT}],
        "security": [{"token": []}],
        "paths": {one.path: {"get": _operation(one, named)} for one in OPERATIONS},
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`connector tokens add NAME` makes one.",
                }
            },
            "schemas": schemas["$defs"],
        },
    }


def _operation(one: Operation, named: dict[Any, Any]) -> dict[str, Any]:
    faults = dict(_FAULTS)
    if one.has_id:
        faults["404"] = "There is none of this id"
    return {
        "operationId": one.name,
        "summary": one.summary,
        **({"description": doc} if (doc := one.query.__doc__) else {}),
        "parameters": _parameters(one),
        "responses": {
            "200": _said("The answer", named[one.answer]),
            **{code: _said(why, named[Error]) for code, why in sorted(faults.items())},
        },
    }


def _said(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _parameters(one: Operation) -> list[dict[str, Any]]:
    found = []
    if one.has_id:
        found.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
    properties: dict[str, Any] = one.query.model_json_schema().get("properties", {})
    for name, schema in properties.items():
        described = schema.pop("description", "")
        schema.pop("title", None)
        parameter = {"name": name, "in": "query", "required": False, "schema": _plain(schema)}
        found.append(parameter | ({"description": described} if described else {}))
    return found


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is not null: it is absent."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {k: v for k, v in schema.items() if k != "anyOf" and (k, v) != ("default", None)}
    return {**kinds[0], **rest}
