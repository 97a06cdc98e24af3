"""What `make bench` says, and the parts of it that could lie: its load, its stock, its bounds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks import __main__ as command
from benchmarks import flowing, report, scale, servers, sinks, stocking, traffic, wire
from benchmarks.answers import SECRET, Answers
from benchmarks.installation import World, installation, sink
from benchmarks.report import Figure, Row
from benchmarks.rules import past, replaying
from connector import delivery
from connector import sinks as sink_registry
from connector.domain import Note
from connector.ports import Sink
from connector.sources.signatures import StandardWebhooks
from connector.store import Store

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("value", "reach", "bound", "is_reached"),
    [
        (0.6, 0.6, "least", True),
        (0.599, 0.6, "least", False),
        (50.0, 50.0, "most", True),
        (50.1, 50.0, "most", False),
        (math.nan, 50.0, "most", False),
        (0.0, None, "least", None),
    ],
)
def test_a_figure_knows_whether_it_is_where_it_should_be(value, reach, bound, is_reached):
    assert Figure("x", value, "x", reach, bound).is_reached is is_reached


@pytest.fixture
def run(monkeypatch) -> Callable[..., Result]:
    """The command with these benchmarks, on a machine and a world that cost nothing."""

    class Nowhere:
        def end(self) -> None:
            pass

    monkeypatch.setattr(command, "World", Nowhere)
    monkeypatch.setattr(command.sinks, "register", lambda: None)
    monkeypatch.setattr(command.machine, "describe", lambda: {"processor": "a fast one"})
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)

    def run(figures: dict[str, list[Figure] | Exception], *words: str) -> Result:
        def measured(found: list[Figure] | Exception) -> Iterator[Figure]:
            if isinstance(found, Exception):
                raise found
            yield from found

        fakes = {name: lambda _w, _s, f=found: measured(f) for name, found in figures.items()}
        monkeypatch.setattr(command, "BENCHMARKS", fakes)
        return CliRunner().invoke(command.main, words)

    return run


GOOD = Figure("webhooks", 0.72, "x", 0.6, beside="720/s beside 1,000/s")
SHORT = Figure("memory", 301.0, "MB", 300.0, "most")


def test_the_exit_code_is_1_where_one_figure_falls_short(run):
    assert run({"receive": [GOOD]}).exit_code == 0
    result = run({"receive": [GOOD], "memory": [SHORT]})
    assert result.exit_code == 1
    assert "ok    720/s beside 1,000/s" in result.stdout
    assert re.search(r"memory +301 MB +≤ 300 SHORT", result.stdout)


def test_json_is_all_that_stdout_gets_when_asked_for(run):
    result = run({"receive": [GOOD], "memory": [SHORT]}, "--json")
    found = json.loads(result.stdout)
    assert found["machine"] == {"processor": "a fast one"}
    assert [benchmark["name"] for benchmark in found["benchmarks"]] == ["receive", "memory"]
    assert found["benchmarks"][0]["figures"] == [
        {
            "what": "webhooks",
            "value": 0.72,
            "unit": "x",
            "reach": 0.6,
            "bound": "least",
            "beside": "720/s beside 1,000/s",
            "is_reached": True,
        }
    ]
    assert "webhooks" in result.stderr


def test_markdown_has_a_row_for_each_figure(run):
    table = report.markdown({}, [Row("receive", (GOOD,), 1.0), Row("memory", (SHORT,), 1.0)])
    assert table.splitlines()[-2:] == [
        "| receive | webhooks (720/s beside 1,000/s) | 0.72 x | ≥ 0.60 | ok |",
        "| memory | memory | 301 MB | ≤ 300 | **short** |",
    ]
    assert "| memory | memory |" in run({"memory": [SHORT]}, "--markdown").stdout


def test_what_this_machine_lacks_is_left_out_and_said(run):
    result = run({"drain": servers.Missing("no PostgreSQL: get one"), "receive": [GOOD]})
    assert "drain: left out: no PostgreSQL: get one" in result.stderr
    assert "webhooks" in result.stdout


def test_the_page_explains_every_benchmark():
    page = (ROOT / "docs/performance.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == set(command.BENCHMARKS)


def test_the_full_scale_is_the_one_that_was_asked_for():
    full = scale.FULL
    assert (full.seconds, full.backlog, full.calls, full.stored) == (30, 10_000, 5_000, 1_000_000)
    assert scale.DEFAULT.stored == 1_000_000


def test_the_load_is_signed_and_no_two_answers_are_alike():
    answers, heard = Answers("127.0.0.1", 8080), []

    class Hearing(wire.Messages):
        def came(self, first_line: bytes, body: bytes) -> None:
            heard.append((first_line, body))

    requests = [answers.request() for _ in range(3)]
    line, stream = Hearing(), b"".join(requests)
    for at in range(0, len(stream), 7):  # bytes arrive as the network likes
        line.data_received(stream[at : at + 7])

    assert len(heard) == len({json.loads(body)["id"] for _, body in heard}) == 3
    for request, (first_line, body) in zip(requests, heard, strict=True):
        assert first_line == b"POST /hooks/app HTTP/1.1"
        lines = request.split(b"\r\n\r\n")[0].decode().splitlines()[1:]
        headers = {
            name.lower(): value for name, _, value in (each.partition(": ") for each in lines)
        }
        note = Note(door="webhook", body=body, headers=headers)
        assert StandardWebhooks((SECRET,)).accepts(note, datetime.now(UTC))


def test_a_far_side_counts_calls_and_effects():
    far_side = traffic.FarSide()
    far_side.called(b"one\n", 10.0)
    far_side.called(b"one\ntwo\n", 10.5)
    assert far_side.count() == {"calls": 2, "effects": 3, "seconds": 0.5}


class Elsewhere:
    url = "http://127.0.0.1:9"


def test_what_was_stocked_is_what_was_answered_by_as_many_people(monkeypatch):
    monkeypatch.setattr(sink_registry, "REGISTRY", dict(sink_registry.REGISTRY))
    sinks.register()
    with installation(*sink("nothing", Elsewhere())) as where:
        workspace = where.workspace()
        stocking.stock(workspace, 40)
        with workspace.store.read() as connection:

            def count(what: str) -> int:
                return connection.exec_driver_sql(f"SELECT {what}").scalar_one()

            assert count("count(DISTINCT customer_id) FROM responses") == 40
            assert count("count(DISTINCT key) FROM actions WHERE state = 'waiting'") == 40
            assert count("count(*) FROM decisions d JOIN responses r ON r.id = d.response_id") == 40
        far, done = workspace.new_sink("far"), 0
        while (found := _deliver(workspace.store, far)).actions:
            done += found.outcomes["done"]
        assert done == 40
        workspace.store.close()


def _deliver(store: Store, far: Sink) -> delivery.Delivered:
    return delivery.Courier(store, "far", far, lambda: datetime.now(UTC)).round()


def test_a_real_one_runs_the_product_and_measures(monkeypatch):
    monkeypatch.setattr(sink_registry, "REGISTRY", dict(sink_registry.REGISTRY))
    sinks.register()
    world = World()
    try:
        figures = list(flowing.reaction(world, replace(scale.QUICK, reactions=5)))
    finally:
        world.end()
    # How fast it is here is not for a test to say.
    assert [figure.unit for figure in figures] == ["ms", "ms"]
    assert all(-100 < figure.value < 60_000 for figure in figures)


def test_the_replayed_past_is_all_there_and_its_rules_ask_for_history(tmp_path):
    config = past.installation(tmp_path, 300)
    seconds, _, told = replaying._measured(config)
    assert told == 300
    assert seconds > 0
    rules = json.loads(past.rules_text(changed=False))["rules"]
    assert len(rules) == past.RULES
    assert sum("history." in json.dumps(rule) for rule in rules) >= past.RULES // 5
