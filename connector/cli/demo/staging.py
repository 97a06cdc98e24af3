"""The stage: stand-ins of every vendor, and a copy of the shipped configuration that names them."""

from __future__ import annotations

import contextlib
import fcntl
import io
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from ruamel.yaml import YAML

from connector.cli import shipped
from connector.cli.rules.schema import write_beside
from connector.environment import DOTENV, dotenv
from connector.sandbox import Sandbox
from connector.sandbox.hotjar import SITE

CONFIG = "connector.yaml"
STATE = "stand-ins"
HOST = "127.0.0.1"
FORM_ID = "demo-form"
SHORT_SETTLE = "0s"

# type in connector.yaml -> the stand-in that answers for it
_SOURCES = {"delighted": "delighted", "google_forms": "google", "hotjar": "hotjar"}
_SINKS = {name: name for name in ("zendesk", "salesforce", "hubspot", "slack")}


@dataclass(frozen=True)
class Stage:
    """`directory` holds connector.yaml, .env, the database and, when it is kept, the stand-ins."""

    directory: Path
    sandbox: Sandbox

    @property
    def config(self) -> Path:
        return self.directory / CONFIG


@contextlib.contextmanager
def staged(keep: Path | None) -> Iterator[Stage]:
    """Everything up, in `keep` or in a directory that is gone afterwards.

    Raises ClickException when `keep` holds something.
    """
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise click.ClickException(
            f"{keep} is not empty; name a new directory, so that nothing of yours is overwritten"
        )
    with contextlib.ExitStack() as cleanup:
        if keep is None:
            prefix = "connector-demo-"
            directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix=prefix)))
        else:
            directory = keep
        if keep is not None:
            (directory / STATE).mkdir(parents=True)
            cleanup.enter_context(_alone(directory))
        sandbox = cleanup.enter_context(Sandbox(directory / STATE if keep else None))
        content = shipped.files()
        del content[shipped.ENVIRONMENT]
        content[CONFIG] = pointed_at_stand_ins(content[CONFIG])
        content["rules.yaml"] = without_settling(content["rules.yaml"])
        shipped.write(directory, content)
        write_environment(directory, sandbox)
        if keep is not None:
            write_beside(directory / CONFIG)
        yield Stage(directory, sandbox)


@contextlib.contextmanager
def reopened(directory: Path) -> Iterator[Stage]:
    """The stand-ins that a demo kept, on the ports of last time where those are free.

    Raises ClickException when there are none, or when they are open already.
    """
    if not (directory / STATE).is_dir():
        raise click.ClickException(
            f"{directory} holds no stand-ins; make some with: connector demo --keep DIRECTORY"
        )
    with _alone(directory), Sandbox(directory / STATE) as sandbox:
        write_environment(directory, sandbox)
        yield Stage(directory, sandbox)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two processes would overwrite what the stand-ins of the other remember."""
    with (directory / STATE / "open.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise click.ClickException(
                f"the stand-ins are open already, at the addresses in {directory / DOTENV}"
            ) from error
        yield


def pointed_at_stand_ins(config: bytes) -> bytes:
    """`base_url` for each source and sink, the SMTP stand-in's address, a free port of our own."""
    yaml = _round_trip()
    data: Any = yaml.load(config)
    data["receiver"]["port"] = port = _free_port()
    data["receiver"]["public_url"] = f"http://{HOST}:{port}"
    for part, vendors in (("sources", _SOURCES), ("sinks", _SINKS)):
        for one in data[part].values():
            if vendor := vendors.get(one["type"]):
                one.insert(1, "base_url", f"${{{_url_name(vendor)}}}")
            if one["type"] == "zendesk":
                one["cause_field"], one["action_field"] = "Root cause", "Action taken"
                one["webhook_secret"] = "${ZENDESK_WEBHOOK_SECRET}"  # noqa: S105 - its name
            if one["type"] == "email":
                one["port"] = "${SMTP_PORT}"
                one.insert(1, "security", "none")
    return _dumped(yaml, data)


def _free_port() -> int:
    """It stands in links, so it has to be known before anybody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def without_settling(rules: bytes) -> bytes:
    """Messages to customers go out at once: nobody wants to watch them wait."""
    yaml = _round_trip()
    data: Any = yaml.load(rules)
    data.setdefault("defaults", {})["settle"] = SHORT_SETTLE
    return _dumped(yaml, data)


def write_environment(directory: Path, sandbox: Sandbox) -> None:
    """The stand-ins' addresses and keys in `.env`; other names that stand there stay."""
    path = directory / DOTENV
    values = {**dotenv(path), **environment(sandbox)}
    lines = [f"{name}='{value}'\n" for name, value in values.items()]
    text = "# The stand-ins. These open nothing else.\n" + "".join(lines)
    shipped.write_private(path, text.encode())


def environment(sandbox: Sandbox) -> Mapping[str, str]:
    """What the copied connector.yaml takes from outside."""
    host, _, port = sandbox.urls["smtp"].partition(":")
    urls = {_url_name(vendor): url for vendor, url in sandbox.urls.items() if vendor != "smtp"}
    return {
        **sandbox.secrets,
        "GOOGLE_FORM_ID": FORM_ID,
        "HOTJAR_SITE_ID": SITE,
        "ZENDESK_SUBDOMAIN": "sandbox",
        "SALESFORCE_DOMAIN": "sandbox.my",
        "SMTP_HOST": host,
        "SMTP_PORT": port,
        **urls,
    }


def _url_name(vendor: str) -> str:
    return f"SANDBOX_{vendor.upper()}_URL"


def _round_trip() -> YAML:
    """Comments and quotes stay where they are."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dumped(yaml: YAML, data: Any) -> bytes:
    text = io.BytesIO()
    yaml.dump(data, text)
    return text.getvalue()
