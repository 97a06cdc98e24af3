"""`connector.yaml` + environment -> typed settings; every mistake with its file and line.

A secret never stands in the file: `api_key: ${DELIGHTED_API_KEY}` takes it from the environment,
from a `.env` beside the file, or from the file that `DELIGHTED_API_KEY_FILE` names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr

from connector import catalog
from connector.documents import Document, read, validate
from connector.domain import Problem, Survey, Value
from connector.errors import Invalid
from connector.ports import Duration, SinkSettings, SourceSettings
from connector.rules.model import AttributeType, Vocabulary
from connector.text import did_you_mean

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Receiver(Value):
    """The web server that takes in webhooks."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    max_body_kb: int = Field(1024, ge=1, description="larger webhooks get 413")
    public_url: str = Field("", description="how the vendors reach us; for unsubscribe links")


class AlarmChannel(Value):
    """Where alarms are announced, once each, besides the log."""

    sink: str
    channel: str


class Settings(Value):
    """Everything `connector.yaml` says, checked. `directory` is where the file lies."""

    directory: Path
    store: str
    rules: Path
    templates: Path
    receiver: Receiver
    surveys: dict[str, Survey]
    customer_attributes: dict[str, AttributeType]
    sources: dict[str, Any]  # id -> the source type's own Settings
    sinks: dict[str, Any]  # id -> the sink type's own Settings
    alarms: AlarmChannel | None
    heartbeat_url: str
    act_on_customers_within: timedelta
    retention_days: int | None

    def vocabulary(self) -> Vocabulary:
        return catalog.vocabulary(
            self.surveys,
            {id: one.type for id, one in self.sources.items()},
            {id: one.type for id, one in self.sinks.items()},
            self.customer_attributes,
        )


class _File(Value):
    store: str = "sqlite:///connector.db"
    rules: str = "rules.yaml"
    templates: str = "templates"
    receiver: Receiver = Receiver()
    surveys: dict[str, dict[str, Any]] = Field(min_length=1)
    customer_attributes: dict[str, AttributeType] = {}
    sources: dict[str, dict[str, Any]] = {}
    sinks: dict[str, dict[str, Any]] = {}
    alarms: AlarmChannel | None = None
    heartbeat_url: str = ""
    act_on_customers_within: Duration = timedelta(days=2)
    retention_days: int | None = Field(None, ge=1)


def load(
    path: Path, environment: Mapping[str, str] | None = None, secrets: bool = True
) -> Settings:
    """Read and check `connector.yaml`.

    `secrets=False` is for commands that reach no vendor: unset `${…}` are then no mistake.

    Raises:
        Invalid: with every problem of the file at once.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        hint = "give its place with --config, or make one with: connector init"
        problem = Problem(file=str(path), message=f"cannot be read: {error.strerror}", hint=hint)
        raise Invalid([problem]) from error
    except UnicodeDecodeError as error:
        raise Invalid([Problem(file=str(path), message="is not UTF-8 text")]) from error
    document = read(text, str(path))
    problems: list[Problem] = []
    values = {
        **dotenv(path.parent / ".env"),
        **(os.environ if environment is None else environment),
    }
    filled = _fill(document, document.data, (), values, secrets, problems)
    file, found = validate(document, _File, filled)
    problems += found
    if file is None:
        raise Invalid(problems)
    surveys = _surveys(document, filled, problems)
    sources = _instances(document, filled, "sources", problems)
    sinks = _instances(document, filled, "sinks", problems)
    problems += _references(document, file, surveys, sources, sinks)
    if problems:
        raise Invalid(problems)
    here = path.parent.resolve()
    return Settings(
        directory=here,
        store=_store_url(file.store, here),
        rules=here / file.rules,
        templates=here / file.templates,
        receiver=file.receiver,
        surveys=surveys,
        customer_attributes=file.customer_attributes,
        sources=sources,
        sinks=sinks,
        alarms=file.alarms,
        heartbeat_url=file.heartbeat_url,
        act_on_customers_within=file.act_on_customers_within,
        retention_days=file.retention_days,
    )


def dotenv(path: Path) -> dict[str, str]:
    """`NAME=value` lines; comments, blank lines and quotes around the value are understood."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text("utf-8").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            text = value.strip()
            quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
            found[name.strip()] = text[1:-1] if quoted else text
    return found


def placeholders(text: str) -> list[str]:
    """The environment variables that a configuration text names."""
    return [match[1] for match in _PLACEHOLDER.finditer(text)]


def _fill(
    document: Document,
    node: Any,
    at: tuple[str | int, ...],
    values: Mapping[str, str],
    needed: bool,
    problems: list[Problem],
) -> Any:
    if isinstance(node, dict):
        return {k: _fill(document, v, (*at, k), values, needed, problems) for k, v in node.items()}
    if isinstance(node, list):
        return [_fill(document, v, (*at, i), values, needed, problems) for i, v in enumerate(node)]
    if not isinstance(node, str) or "${" not in node:
        return node

    def replaced(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        value = _lookup(name, values)
        if value is None and default is None and needed:
            message = f"the environment variable {name} is not set"
            hint = f"set it, write it into .env, or name a file with {name}_FILE"
            problems.append(_problem(document, at, message, hint))
        return value if value is not None else (default or "unset")

    return _PLACEHOLDER.sub(replaced, node)


def _lookup(name: str, values: Mapping[str, str]) -> str | None:
    if values.get(name):
        return values[name]
    file = values.get(f"{name}_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text("utf-8").strip() or None
    except OSError:
        return None


def _surveys(document: Document, data: Any, problems: list[Problem]) -> dict[str, Survey]:
    found = {}
    for id, raw in data["surveys"].items():
        survey, wrong = validate(document, Survey, {**raw, "id": id}, at=("surveys", id))
        problems += wrong
        if survey is not None:
            found[id] = survey
    return found


def _instances(
    document: Document, data: Any, part: Literal["sources", "sinks"], problems: list[Problem]
) -> dict[str, Any]:
    types = catalog.source_types() if part == "sources" else catalog.sink_types()
    find = catalog.source_type if part == "sources" else catalog.sink_type
    found = {}
    for id, raw in (data.get(part) or {}).items():
        name = str(raw.get("type", ""))
        if name not in types:
            message = f"type '{name}' does not exist; there are: {', '.join(types)}"
            at = (part, id, "type") if "type" in raw else (part, id)
            problems.append(_problem(document, at, message, did_you_mean(name, types)))
            continue
        model: type[SourceSettings | SinkSettings] = find(name).Settings
        instance, wrong = validate(document, model, raw, at=(part, id))
        problems += wrong
        if instance is not None:
            found[id] = instance
            problems += _bare_secrets(document, instance, (part, id))
    return found


def _bare_secrets(
    document: Document, instance: BaseModel, at: tuple[str | int, ...]
) -> Iterator[Problem]:
    """A secret that was typed into the file itself."""
    for path, _ in _secrets(instance, at):
        raw: Any = document.data
        for step in path:
            raw = raw[step]
        if not (isinstance(raw, str) and "${" in raw):
            name = next(step for step in reversed(path) if isinstance(step, str))
            message = f"'{name}' is a secret and must not stand in this file"
            yield _problem(document, path, message, "write ${A_NAME} and set A_NAME outside")


def _secrets(
    value: Any, at: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], SecretStr]]:
    if isinstance(value, SecretStr):
        yield at, value
    elif isinstance(value, BaseModel):
        for name in value.model_fields_set:
            yield from _secrets(getattr(value, name), (*at, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets(inner, (*at, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _secrets(inner, (*at, index))


def _references(
    document: Document,
    file: _File,
    surveys: Mapping[str, Survey],
    sources: Mapping[str, SourceSettings],
    sinks: Mapping[str, SinkSettings],
) -> Iterator[Problem]:
    """Names in one part of the file that another part must know."""
    for id, source in sources.items():
        named = {("survey",): source.survey} | {
            ("surveys", ref): ours for ref, ours in source.surveys.items()
        }
        for where, survey in named.items():
            if survey is not None and survey not in file.surveys:
                message = f"survey '{survey}' does not exist; there are: {', '.join(surveys)}"
                hint = did_you_mean(survey, surveys)
                yield _problem(document, ("sources", id, *where), message, hint)
        if source.survey is None and not source.surveys:
            message = "say which survey its answers belong to"
            yield _problem(document, ("sources", id), message, "survey: <id>")
    if file.alarms is not None and file.alarms.sink not in file.sinks:
        message = f"sink '{file.alarms.sink}' does not exist; there are: {', '.join(sinks)}"
        yield _problem(document, ("alarms", "sink"), message, "")


def _problem(document: Document, at: tuple[str | int, ...], message: str, hint: str) -> Problem:
    line, column = document.place(*at)
    return Problem(file=document.file, line=line, column=column, message=message, hint=hint)


def _store_url(url: str, here: Path) -> str:
    """A relative SQLite file lies beside `connector.yaml`, wherever the command was started."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return f"{prefix}{here / url.removeprefix(prefix)}"
    return url
