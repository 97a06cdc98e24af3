"""An author's editor, by the real YAML language server: what it completes and what it marks.

YAML_LANGUAGE_SERVER names one; else npm fetches one, once, into .venv.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import cli
from tests.e2e.language_server import LanguageServer

NAMES = "    names: {group: [Customer Care, Retention, Support], fields: [NPS score]}\n"
MODELINE = "# yaml-language-server: $schema=./rules.schema.json\n"
WHEN = MODELINE + "rules:\n  - id: x\n    when:\n      {}\n    then:\n      - log: {{}}\n"
THEN = MODELINE + "rules:\n  - id: x\n    when: {{segment: detractor}}\n    then:\n      - {}\n"
NUMBER = itertools.count()
PACKAGE = "yaml-language-server@1.25.0"


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    node = shutil.which("node")
    script = os.environ.get("YAML_LANGUAGE_SERVER") or fetched()
    if node is None or script is None:
        pytest.skip("needs node, and YAML_LANGUAGE_SERVER or an npm that reaches its registry")
    with LanguageServer(node, script) as started:
        yield started


def fetched() -> str | None:
    npm, folder = shutil.which("npm"), Path(sys.prefix) / "yaml-language-server"
    script = folder / "node_modules/.bin/yaml-language-server"
    if not script.exists() and npm is not None:
        quietly = ("--no-audit", "--no-fund", "--ignore-scripts", "--silent")
        command = [npm, "install", *quietly, "--prefix", str(folder), PACKAGE]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, check=False, timeout=120)
    return str(script) if script.exists() else None


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `connector init` writes, with names of one sink, and its schema written again."""
    directory = tmp_path_factory.mktemp("editor")
    run("init", str(directory))
    config = directory / "connector.yaml"
    text = config.read_text().replace("  salesforce-main:\n", f"{NAMES}  salesforce-main:\n")
    config.write_text(text)
    schema = directory / "rules.schema.json"
    run("--config", str(config), "rules", "schema", "--offline", "-o", str(schema))
    return directory


def run(*words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    assert ended.value.code == 0


def test_the_shipped_rules_are_in_order(server: LanguageServer, place: Path) -> None:
    assert server.marks(place / "rules.yaml", (place / "rules.yaml").read_text()) == []


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("|", {"score", "segment", "comment", "customer.plan", "company.arr", "any", "none"}),
        ("segment: |", {"promoter", "passive", "detractor"}),
        ("segment:\n        |", {"is", "not", "in", "exists"}),
        ("segment:\n        in:\n          - |", {"promoter", "passive", "detractor"}),
        ("score:\n        |", {"at_most", "at_least", "between", "is", "not", "in", "exists"}),
        ("comment:\n        |", {"is", "not", "in", "mentions", "matches", "exists"}),
        ("survey: |", {"relationship", "product", "programme-1-10", "checkout-rating", "event"}),
        ("any:\n        - |", {"score", "all", "any", "none"}),
        ("any:\n        - none:\n          - |", {"score", "segment"}),
    ],
)
def test_conditions_are_completed(
    server: LanguageServer, place: Path, line: str, offered: set[str]
) -> None:
    found = server.completes(place / f"{next(NUMBER)}.yaml", WHEN.format(line))
    assert offered <= set(found)
    if len(offered) < 7 and "score" not in offered:
        assert set(found) == offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("|", {"zendesk.ticket", "salesforce.task", "hubspot.task", "email.thank_you",
               "slack.message", "log"}),
        ("zendesk.ticket:\n          group: |", {"Customer Care", "Retention", "Support"}),
        ("zendesk.ticket:\n          priority: |", {"low", "normal", "high", "urgent"}),
        ("zendesk.ticket:\n          fields:\n            |", {"NPS score"}),
        ("zendesk.ticket:\n          respond_within: |", {"4h", "30m", "7d", "1h 30m"}),
        ("email.thank_you:\n          template: |", {"thank_you", "thank_you_passive"}),
    ],
)  # fmt: skip
def test_actions_are_completed(
    server: LanguageServer, place: Path, line: str, offered: set[str]
) -> None:
    found = server.completes(place / f"{next(NUMBER)}.yaml", THEN.format(line))
    assert set(found) == offered


@pytest.mark.parametrize(
    ("line", "word", "said"),
    [
        ("scroe: {at_most: 6}", "scroe", "Property scroe is not allowed."),
        ("score: {at_msot: 6}", "at_msot", "Property at_msot is not allowed."),
        ("score: {mentions: nine}", "mentions", "Property mentions is not allowed."),
        ("score: {at_most: six}", "six", 'Incorrect type. Expected "integer".'),
        ("score: {at_most: 60}", "60", "Value is above the maximum of 10."),
        ("segment: detracter", "detracter",
         'Value is not accepted. Valid values: "promoter", "passive", "detractor".'),
        ("segment: [detracter]", "detracter",
         'Value is not accepted. Valid values: "promoter", "passive", "detractor".'),
        ("customer.plan: {in: enterprise}", "enterprise", 'Incorrect type. Expected "array".'),
        ("any: [{scroe: 1}]", "scroe", "Property scroe is not allowed."),
    ],
)  # fmt: skip
def test_a_typo_in_a_condition_is_marked_at_its_word(
    server: LanguageServer, place: Path, line: str, word: str, said: str
) -> None:
    found = server.marks(place / f"{next(NUMBER)}.yaml", WHEN.format(line))
    assert found == [(word, said)]


@pytest.mark.parametrize(
    ("line", "word", "said"),
    [
        ("zendesk.tikcet: {}", "zendesk.tikcet", "Property zendesk.tikcet is not allowed."),
        ("zendesk.ticket: {grup: Support}", "grup", "Property grup is not allowed."),
        ("zendesk.ticket: {group: Suport}", "Suport",
         'Value is not accepted. Valid values: "Customer Care", "Retention", "Support".'),
        ("zendesk.ticket: {priority: urgnt}", "urgnt",
         'Value is not accepted. Valid values: "low", "normal", "high", "urgent".'),
        ("zendesk.ticket: {respond_within: 4 hrs}", "4 hrs",
         "write a duration such as 90s, 30m, 4h or 7d"),
        ("email.thank_you: {template: thnaks}", "thnaks",
         'Value is not accepted. Valid values: "thank_you", "thank_you_passive".'),
        ("log: {text: a}", "text", "Property text is not allowed."),
    ],
)  # fmt: skip
def test_a_typo_in_an_action_is_marked_at_its_word(
    server: LanguageServer, place: Path, line: str, word: str, said: str
) -> None:
    found = server.marks(place / f"{next(NUMBER)}.yaml", THEN.format(line))
    assert found == [(word, said)]


def test_norway_needs_no_quotes(server: LanguageServer, place: Path) -> None:
    assert server.marks(place / f"{next(NUMBER)}.yaml", WHEN.format("language: no")) == []
