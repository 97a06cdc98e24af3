"""`connector.yaml` + environment -> typed settings; every mistake with its file and line.

A secret never stands in the file: `api_key: ${DELIGHTED_API_KEY}` takes it from the environment,
from a `.env` beside the file, or from the file that `DELIGHTED_API_KEY_FILE` names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, IPvAnyNetwork, SecretStr, field_validator

from connector import catalog
from connector.documents import Document, read, validate
from connector.domain import Problem, Role, Survey, Value
from connector.environment import PLACEHOLDER, Environment, read_environment
from connector.errors import Invalid
from connector.languages import base
from connector.ports import Duration, SinkSettings, SourceSettings
from connector.rules.model import AttributeType, Vocabulary
from connector.sources.zones import is_zone
from connector.text import clean_email, did_you_mean, one_line

_STORES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")
_TYPED_PASSWORD = re.compile(r"://[^@]*:[^@]+@")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")  # stands in addresses and in every row
_UNSET = "unset"  # stands for a value that is not needed now
_WEB_ADDRESS = re.compile(r"https?://[^/\s].*")
_SET_IT = "set it in the environment or in .env, or name a file that holds it: NAME_FILE"


class Receiver(Value):
    """The web server that takes in webhooks."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    max_body_kb: int = Field(1024, ge=1, description="larger webhooks get 413")
    public_url: str = Field("", description="how the vendors reach us; for unsubscribe links")


class Dashboard(Value):
    """The pages for people, and the read API; they are served beside the receiver."""

    enabled: bool = True
    session_hours: int = Field(12, ge=1, le=24 * 30, description="then one signs in again")
    idle_minutes: int = Field(60, ge=1, description="unused for so long, a session ends")
    sign_in: Literal["password", "proxy"] = "password"
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (), description="whose X-Forwarded-For and, with sign_in: proxy, whose names are believed"
    )
    user_header: str = Field("X-Forwarded-User", description="who it is, by such a proxy")
    role_header: str = Field("", description="their role, by such a proxy; without it nobody")
    default_role: Role = Field("viewer", description="where role_header is not set")


class AlarmChannel(Value):
    """Where alarms are announced, once each, besides the log."""

    sink: str
    channel: str


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class DigestMail(Value):
    """A mail each week that says how it stands: NPS, the loop, gaps, what people wrote."""

    sink: str = Field(description="a sink of type email")
    to: tuple[str, ...] = Field(min_length=1, max_length=100)
    language: Literal["en", "es", "it", "pt"] = "en"
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = (
        "monday"
    )
    at: str = "08:00"
    zone: str = "UTC"
    surveys: tuple[str, ...] | None = Field(None, min_length=1, description="without it all")

    @field_validator("at")
    @classmethod
    def _time_of_day(cls, at: str) -> str:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", at):
            raise ValueError('write a time of day in quotes, such as "08:00"')
        return at

    @property
    def clock(self) -> time:
        return time.fromisoformat(self.at)


class Settings(Value):
    """Everything `connector.yaml` says, checked. `directory` is where the file lies."""

    directory: Path
    store: str
    rules: Path
    templates: Path
    follow_files: bool
    detect_language: bool
    receiver: Receiver
    dashboard: Dashboard
    surveys: dict[str, Survey]
    customer_attributes: dict[str, AttributeType]
    sources: dict[str, Any]  # id -> the source type's own Settings
    sinks: dict[str, Any]  # id -> the sink type's own Settings
    alarms: AlarmChannel | None
    digest_mail: DigestMail | None
    heartbeat_url: str
    act_on_customers_within: timedelta
    retention_days: int | None
    unset: frozenset[str] = frozenset()  # ids of sinks for which a ${…} is not set

    @property
    def spoken(self) -> frozenset[str]:
        """The languages of the surveys."""
        return frozenset(base(one.language) for one in self.surveys.values() if one.language)

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
    follow_files: bool = True
    detect_language: bool = True
    receiver: Receiver = Receiver()
    dashboard: Dashboard = Dashboard()
    surveys: dict[str, dict[str, Any]] = Field(min_length=1)
    customer_attributes: dict[str, AttributeType] = {}
    sources: dict[str, dict[str, Any]] = {}
    sinks: dict[str, dict[str, Any]] = {}
    alarms: AlarmChannel | None = None
    digest_mail: DigestMail | None = None
    heartbeat_url: str = ""
    act_on_customers_within: Duration = timedelta(days=2)
    retention_days: int | None = Field(None, ge=1)


class Outline(Value):
    """What a command needs that only looks into the store: its address, and the ids."""

    directory: Path
    store: str
    sources: tuple[str, ...]
    sinks: tuple[str, ...]


def outline(path: Path, environment: Mapping[str, str] | None = None) -> Outline:
    """Read no more of `connector.yaml` than an `Outline`: no adapter is loaded or checked.

    Raises:
        Invalid: with every problem of what was read.
    """
    document = _read(path)
    outside = read_environment(path.parent, environment)
    problems: list[Problem] = []
    filled = _fill(document, document.data, (), outside, ("store",), problems)
    file, found = validate(document, _File, filled)
    problems += found
    if file is not None:
        problems += _store(document, file.store)
    if file is None or problems:
        raise Invalid(problems)
    here = path.parent.resolve()
    return Outline(
        directory=here,
        store=_store_url(file.store, here),
        sources=tuple(file.sources),
        sinks=tuple(file.sinks),
    )


def load(
    path: Path,
    environment: Mapping[str, str] | None = None,
    secrets: bool = True,
    store: bool = True,
) -> Settings:
    """Read and check `connector.yaml`.

    `secrets=False` is for commands that reach no vendor: unset `${…}` are then no mistake.
    `store=False` goes with it where the database is not opened either.

    Raises:
        Invalid: with every problem of the file at once.
    """
    document = _read(path)
    outside = read_environment(path.parent, environment)
    problems = list(outside.problems)
    needed = None if secrets else ("store",) if store else ()
    filled = _fill(document, document.data, (), outside, needed, problems)
    file, found = validate(document, _File, filled)
    problems += found
    if file is None:
        raise Invalid(problems)
    problems += _store(document, file.store)
    problems += _addresses(document, file)
    problems += _proxies(document, file.dashboard)
    surveys = _surveys(document, filled, problems)
    sources = _instances(document, filled, "sources", problems)
    sinks = _instances(document, filled, "sinks", problems)
    problems += _references(document, file, surveys, sources, sinks)
    if file.digest_mail is not None:
        problems += _digest_mail(document, file.digest_mail, file)
    if problems:
        raise Invalid(problems)
    here = path.parent.resolve()
    return Settings(
        directory=here,
        store=_store_url(file.store, here),
        rules=here / file.rules,
        templates=here / file.templates,
        follow_files=file.follow_files,
        detect_language=file.detect_language,
        receiver=file.receiver,
        dashboard=file.dashboard,
        surveys=surveys,
        customer_attributes=file.customer_attributes,
        sources=sources,
        sinks=sinks,
        alarms=file.alarms,
        digest_mail=file.digest_mail,
        heartbeat_url=file.heartbeat_url,
        act_on_customers_within=file.act_on_customers_within,
        retention_days=file.retention_days,
        unset=frozenset(id for id in sinks if _is_unset(document.data["sinks"][id], outside)),
    )


def _read(path: Path) -> Document:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        hint = "give its place with --config, or make one with: connector init"
        problem = Problem(file=str(path), message=f"cannot be read: {error.strerror}", hint=hint)
        raise Invalid([problem]) from error
    except UnicodeDecodeError as error:
        raise Invalid([Problem(file=str(path), message="is not UTF-8 text")]) from error
    return read(text, str(path))


def _fill(
    document: Document,
    node: Any,
    at: tuple[str | int, ...],
    outside: Environment,
    needed: tuple[str, ...] | None,
    problems: list[Problem],
) -> Any:
    """The same data with every `${…}` filled in. `needed`: the only keys at the top whose values
    have to be there; None for all."""
    if isinstance(node, dict):
        return {k: _fill(document, v, (*at, k), outside, needed, problems) for k, v in node.items()}
    if isinstance(node, list):
        return [_fill(document, v, (*at, i), outside, needed, problems) for i, v in enumerate(node)]
    if not isinstance(node, str) or "${" not in node:
        return node
    if "${" in PLACEHOLDER.sub("", node):
        message = "a '${' holds no plain name, or is not closed"
        problems.append(_problem(document, at, message, "write ${NAME}"))
        return node

    def replaced(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        value = outside.find(name)
        if value is None and default is None and (needed is None or at[0] in needed):
            problems.append(_problem(document, at, outside.why_missing(name), _SET_IT))
        return value if value is not None else (default or _UNSET)

    return PLACEHOLDER.sub(replaced, node)


def is_unset(secret: SecretStr) -> bool:
    """Is it a `${…}` that had no value when `load` was told not to need any?"""
    return secret.get_secret_value() == _UNSET


def _is_unset(node: Any, outside: Environment) -> bool:
    """Is a `${…}` below here without a value?"""
    if isinstance(node, dict | list):
        inner = node.values() if isinstance(node, dict) else node
        return any(_is_unset(each, outside) for each in inner)
    found = PLACEHOLDER.finditer(node) if isinstance(node, str) else ()
    return any(match[2] is None and outside.find(match[1]) is None for match in found)


def _store(document: Document, url: str) -> Iterator[Problem]:
    raw = str(document.data.get("store", ""))
    if not raw.startswith("sqlite:") and _TYPED_PASSWORD.search(PLACEHOLDER.sub("", raw)):
        message = "the password of the database is a secret and must not stand in this file"
        hint = "write store: ${DATABASE_URL}, and put the whole address into DATABASE_URL"
        yield _problem(document, ("store",), message, hint)
    elif _UNSET not in (url, *re.split(r"[/:@]", url)) and not url.startswith(_STORES):
        message = "this is no address of a database that can be used"
        hint = "write sqlite:///connector.db, or postgresql://user@host/name"
        yield _problem(document, ("store",), message, hint)


def _addresses(document: Document, file: _File) -> Iterator[Problem]:
    told: dict[tuple[str, ...], str] = {
        ("receiver", "public_url"): file.receiver.public_url,
        ("heartbeat_url",): file.heartbeat_url,
    }
    for at, url in told.items():
        if url and url != _UNSET and not _WEB_ADDRESS.fullmatch(url):
            message = f"{at[-1]} is no web address"
            yield _problem(document, at, message, "write all of it, with https://")


def _proxies(document: Document, dashboard: Dashboard) -> Iterator[Problem]:
    if dashboard.sign_in == "proxy" and not dashboard.trusted_proxies:
        message = "sign_in: proxy believes a header, so say from whom"
        hint = "trusted_proxies: [127.0.0.1/32], say"
        yield _problem(document, ("dashboard", "sign_in"), message, hint)


def _surveys(document: Document, data: Any, problems: list[Problem]) -> dict[str, Survey]:
    found = {}
    for id, raw in data["surveys"].items():
        survey, wrong = validate(document, Survey, {**raw, "id": id}, at=("surveys", id))
        problems += wrong
        if survey is not None:
            found[id] = survey
            if not is_zone(survey.zone):
                message = f"time zone '{survey.zone}' does not exist"
                at = ("surveys", id, "zone")
                problems.append(_problem(document, at, message, "write Europe/Madrid or UTC, say"))
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
    elif file.alarms is not None and file.sinks[file.alarms.sink].get("type") != "slack":
        message = f"sink '{file.alarms.sink}' has no channels; alarms go to a sink of type slack"
        yield _problem(document, ("alarms", "sink"), message, "")
    for id, sink in sinks.items():
        fields: tuple[str, ...] = getattr(catalog.sink_type(sink.type), "named", ())
        for field in sink.names:
            if field not in fields:
                message = f"rules name no '{one_line(field, 40)}' that {sink.type} can look up"
                hint = f"allowed: {', '.join(fields)}" if fields else "remove it"
                yield _problem(document, ("sinks", id, "names", field), message, hint)
    for part, ids in (("sources", sources), ("sinks", sinks)):
        for id in ids:
            if not _ID.fullmatch(str(id)):
                message = f"'{one_line(str(id), 40)}' cannot be an id"
                hint = "write at most 100 of a-z, A-Z, 0-9, '.', '_' and '-'"
                yield _problem(document, (part, id), message, hint)


def _digest_mail(document: Document, digest: DigestMail, file: _File) -> Iterator[Problem]:
    mailing = [id for id, sink in file.sinks.items() if sink.get("type") == "email"]
    if digest.sink not in mailing:
        message = f"sink '{digest.sink}' sends no mail; there are: {', '.join(mailing) or 'none'}"
        hint = did_you_mean(digest.sink, mailing) or "name a sink of type email"
        yield _problem(document, ("digest_mail", "sink"), message, hint)
    if not is_zone(digest.zone):
        message = f"time zone '{digest.zone}' does not exist"
        at = ("digest_mail", "zone")
        yield _problem(document, at, message, "write Europe/Madrid or UTC, say")
    known = file.surveys
    for number, survey in enumerate(digest.surveys or ()):
        if survey not in known:
            message = f"survey '{survey}' does not exist; there are: {', '.join(known)}"
            at_survey = ("digest_mail", "surveys", number)
            yield _problem(document, at_survey, message, did_you_mean(survey, known))
    for number, address in enumerate(digest.to):
        if clean_email(address) is None and address != _UNSET:
            message = f"'{one_line(address, 60)}' is no e-mail address"
            yield _problem(document, ("digest_mail", "to", number), message, "ana@example.com, say")


def _problem(document: Document, at: tuple[str | int, ...], message: str, hint: str) -> Problem:
    line, column = document.place(*at)
    return Problem(file=document.file, line=line, column=column, message=message, hint=hint)


def _store_url(url: str, here: Path) -> str:
    """A relative SQLite file lies beside `connector.yaml`, wherever the command was started."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return f"{prefix}{here / url.removeprefix(prefix)}"
    return url
