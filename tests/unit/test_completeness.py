"""A registered adapter is whole: fixtures, docs, a stand-in, its place in the contract suite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from connector import catalog, sinks, sources
from connector.ports import Params, SinkSettings, SourceSettings
from connector.sandbox import Sandbox
from tests.contract import (
    sink_following,
    sink_listing,
    sink_news,
    sink_recovery,
    sink_troubles,
    source_checks,
    source_polling,
)
from tests.contract.sink_harness import SINKS
from tests.contract.source_harness import SOURCES

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
HEADINGS = {
    "sources": ("## Set up", "## What it reads", "## Limits", "## When it fails"),
    "sinks": ("## Set up", "## What it does", "## Limits", "## When it fails"),
}
SINK_TYPES = catalog.sink_types()
PAGES = [("sources", type) for type in sources.REGISTRY] + [("sinks", type) for type in SINK_TYPES]
SOURCE_CHECKS = [*source_checks.CHECKS, *source_polling.CHECKS]
SINK_CHECKS = [
    *sink_recovery.CHECKS,
    *sink_troubles.CHECKS,
    *sink_listing.CHECKS,
    *sink_following.CHECKS,
    *sink_news.CHECKS,
]


def page(part: str, type: str) -> str:
    return (ROOT / "docs" / part / f"{type}.md").read_text("utf-8")


@pytest.mark.parametrize("type", sources.REGISTRY)
def test_every_source_has_recordings_and_what_they_mean(type: str) -> None:
    recorded = sorted((FIXTURES / type).glob("*.in.*"))
    assert recorded
    for path in recorded:
        name = path.name.partition(".in.")[0]
        assert (path.parent / f"{name}.out.json").exists(), f"nobody says what {path.name} means"


@pytest.mark.parametrize("type", sources.REGISTRY)
def test_every_source_is_in_the_contract_suite(type: str) -> None:
    assert type in SOURCES, f"write an entry for {type} in tests/contract/source_harness.py"


@pytest.mark.parametrize("kind", sinks.REGISTRY)
def test_every_sink_is_in_the_contract_suite(kind: str) -> None:
    assert kind in SINKS, f"write an entry for {kind} in tests/contract/sink_harness.py"


def test_the_contract_suite_holds_nothing_that_is_not_registered() -> None:
    assert set(SOURCES) == set(sources.REGISTRY)
    assert set(SINKS) == set(sinks.REGISTRY)


@pytest.mark.parametrize(
    "harness", [*SOURCES.values(), *SINKS.values()], ids=lambda one: one.vendor
)
def test_every_adapter_has_a_stand_in_or_a_reason(harness: Any) -> None:
    vendors = Sandbox().vendors
    assert harness.vendor in vendors or (not harness.vendor and harness.why_no_vendor)


@pytest.mark.parametrize(("entries", "checks"), [(SOURCES, SOURCE_CHECKS), (SINKS, SINK_CHECKS)])
def test_every_exemption_names_a_check_and_a_reason(
    entries: Mapping[str, Any], checks: list[Any]
) -> None:
    known = {check.__name__.removeprefix("check_") for check in checks}
    for harness in entries.values():
        assert set(harness.exempt) <= known
        assert all(harness.exempt.values())


@pytest.mark.parametrize("checks", [SOURCE_CHECKS, SINK_CHECKS], ids=["sources", "sinks"])
def test_every_check_of_the_contract_is_run(checks: list[Any]) -> None:
    assert len(checks) > 10
    assert len({check.__name__ for check in checks}) == len(checks)


@pytest.mark.parametrize(("part", "type"), PAGES)
def test_every_adapter_has_a_page_with_its_headings(part: str, type: str) -> None:
    lines = page(part, type).splitlines()
    assert lines[0].startswith("# ")
    assert list(HEADINGS[part]) == [line for line in lines if line in HEADINGS[part]]


@pytest.mark.parametrize(("part", "type"), PAGES)
def test_every_adapter_is_shown_in_the_shipped_configuration(part: str, type: str) -> None:
    shipped = (ROOT / "config" / "connector.yaml").read_text("utf-8")
    _, found, listed = shipped.partition(f"\n{part}:\n")
    assert found
    assert f"type: {type}\n" in listed


def own_fields(model: type[BaseModel], base: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if name not in base.model_fields]


def stands_in(text: str, name: str) -> bool:
    """In prose or in an example."""
    return f"`{name}`" in text or f"{name}:" in text


def unexplained(model: type[BaseModel], base: type[BaseModel], text: str) -> list[str]:
    """Fields of its own that neither describe themselves nor stand in the docs."""
    described = {name for name, field in model.model_fields.items() if field.description}
    own = own_fields(model, base)
    return [name for name in own if name not in described and not stands_in(text, name)]


@pytest.mark.parametrize("type", sources.REGISTRY)
def test_every_setting_of_a_source_is_explained(type: str) -> None:
    settings = sources.load(type).Settings
    assert unexplained(settings, SourceSettings, page("sources", type)) == []


@pytest.mark.parametrize("kind", sinks.REGISTRY)
def test_every_setting_and_parameter_of_a_sink_is_explained(kind: str) -> None:
    adapter, text = sinks.load(kind), page("sinks", kind.partition(".")[0])
    assert unexplained(adapter.Settings, SinkSettings, text) == []
    assert unexplained(adapter.Params, Params, text) == []
    assert f"`{kind}`" in text


@pytest.mark.parametrize("kind", sinks.REGISTRY)
def test_every_parameter_of_a_sink_stands_in_its_page(kind: str) -> None:
    """CX ops read the page, not the model."""
    text = page("sinks", kind.partition(".")[0])
    own = own_fields(sinks.load(kind).Params, Params)
    assert [name for name in own if not stands_in(text, name)] == []


@pytest.mark.parametrize("type", sources.REGISTRY)
def test_an_adapter_calls_itself_what_the_registry_calls_it(type: str) -> None:
    assert sources.load(type).type == type


@pytest.mark.parametrize("kind", sinks.REGISTRY)
def test_a_sink_calls_itself_what_the_registry_calls_it(kind: str) -> None:
    adapter = sinks.load(kind)
    assert (adapter.kind, adapter.type) == (kind, kind.partition(".")[0])
