"""The first use of a vendor's client, by several threads of a new process at once."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
THREADS = 6
NOBODY = "http://127.0.0.1:9"  # no connection: nothing is sent, and no other mistake is ours
SETTINGS = {
    "zendesk": {"subdomain": "acme", "email": "a@example.com", "api_token": "t"},
    "hubspot": {"token": "pat-na1-x", "unique_property": "nps_action_id"},
    "salesforce": {
        "domain": "acme.my",
        "consumer_key": "k",
        "consumer_secret": "s",
    },
}
PROGRAM = """
import sys, threading
from datetime import UTC, datetime
from connector import catalog, http
from connector.domain import Facts, Order, Prepared
from connector.errors import ConnectorError

kind, settings, threads = sys.argv[1], eval(sys.argv[2]), int(sys.argv[3])
adapter = catalog.sink_type(kind)
facts = Facts(response_id="r1", source="app", survey="nps", score=2, segment="detractor",
              customer={"email": "ana@example.com"})
params = {"subject": "NPS 2", "next_step": "Call."}
order = Order(key="nps-1", kind=adapter.kind, rule_name="r", params=params, facts=facts)
now, together = datetime.now(UTC), threading.Barrier(threads)
sys.setswitchinterval(1e-5)

def use(number):
    sink = adapter(adapter.Settings(type=kind, **settings), http.Session(settings["base_url"]))
    calls = (lambda: sink.prepare([order], now),
             lambda: sink.send([Prepared(order=order, body=b'{"request": {}}')], now),
             lambda: sink.find([Prepared(order=order, body=b'{"request": {}}')], now))
    together.wait()
    try:
        calls[number % 3]()
    except ConnectorError:
        pass
    except BaseException as error:
        print(type(error).__name__, error, flush=True)

workers = [threading.Thread(target=use, args=(number,)) for number in range(threads)]
for one in workers: one.start()
for one in workers: one.join()
"""


@pytest.mark.parametrize("kind", SETTINGS)
def test_threads_that_use_a_client_for_the_first_time_at_once_do_not_meet_half_of_it(kind):
    settings = {**SETTINGS[kind], "base_url": NOBODY}
    command = [sys.executable, "-c", PROGRAM, kind, repr(settings), str(THREADS)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ran.stdout, ran.stderr) == ("", "")


@pytest.mark.parametrize("client", ["zenpy", "simple_salesforce", "hubspot", "google"])
def test_a_client_has_one_door(client):
    doors = set()
    for file in (ROOT / "connector").rglob("*.py"):
        tree = ast.parse(file.read_text())
        for_types = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if id(node) not in for_types and any(n.split(".")[0] == client for n in names):
                doors.add(file.relative_to(ROOT).as_posix())
    assert len(doors) == 1, doors
