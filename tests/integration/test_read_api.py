"""The read API: real answers fit the document, pages hold everything once, mistakes are told."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from sqlalchemy import text

from connector.access import people
from connector.erasure import erase_response
from connector.store import deliveries, paging
from connector.web import frame
from connector.web.api import routes
from connector.web.api.operations import OPERATIONS, ROOT
from tests.integration.conftest import World
from tests.integration.web_visitor import Visitor, signed_in
from tests.seeding import seed


class Program:
    """Reads with a token of its own."""

    def __init__(self, world: World) -> None:
        self.visitor = Visitor(world)
        self.token = people.add_token(world.workspace.store, "bi", "test", world.now)

    def get(self, path: str, **query: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.visitor.web.get(ROOT + path, params=query, headers=headers)

    def all(self, path: str, **query: Any) -> list[Any]:
        found: list[Any] = []
        told = self.get(path, **query).json()
        while True:
            found += told["items"]
            if told["next"] is None:
                return found
            told = self.get(path, **query, after=told["next"]).json()


@pytest.fixture
def program(world: World) -> Program:
    seed(world)
    return Program(world)


def fits(document: dict[str, Any], path: str, status: int, answer: Any) -> None:
    schema = document["paths"][path]["get"]["responses"][str(status)]
    whole = {
        **schema["content"]["application/json"]["schema"],
        "components": document["components"],
    }
    jsonschema.Draft202012Validator(
        whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).validate(answer)


def test_every_answer_fits_the_document(program: Program, world: World) -> None:
    document = program.get("/openapi.json").json()
    ids = {"/responses/{id}": world.responses()[0].id, "/actions/{id}": world.actions()[0].id}
    assert list(document["paths"]) == [one.path for one in OPERATIONS]

    for path in document["paths"]:
        answer = program.get(path.replace("{id}", str(ids.get(path))))
        assert answer.status_code == 200, (path, answer.text)
        fits(document, path, 200, answer.json())
        told = answer.json()
        if "items" in told:
            assert told["items"], f"{path} shows nothing: its fields are not tested"
        wrong = program.get(path.replace("{id}", "999999"), nonsense="1")
        if "{id}" not in path:
            assert wrong.status_code == 400, path
            assert "nonsense" in wrong.json()["details"][0]
            fits(document, path, 400, wrong.json())


def test_the_document_is_openapi_and_every_reference_in_it_leads_somewhere(program) -> None:
    text = program.get("/openapi.json").text
    document = program.get("/openapi.json").json()

    assert document["openapi"].startswith("3.1.")
    for reference in set(re.findall(r'"\$ref":\s*"#/components/schemas/([^"]+)"', text)):
        assert reference in document["components"]["schemas"]
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    names = [one["get"]["operationId"] for one in document["paths"].values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", ["/responses", "/cases", "/actions", "/alarms"])
def test_pages_hold_everything_once(program: Program, path: str) -> None:
    whole = program.get(path, limit=500).json()

    assert whole["next"] is None
    assert program.all(path, limit=2) == whole["items"]
    assert len(whole["items"]) > 4


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/responses", {"segment": "detractor"}, "segment"),
        ("/responses", {"survey": "nps"}, "survey"),
        ("/cases", {"state": "contacted"}, "state"),
        ("/cases", {"sink": "hub"}, "sink"),
        ("/actions", {"state": "parked"}, "state"),
        ("/actions", {"rule": "refund"}, "rule"),
    ],
)
def test_a_filter_leaves_what_it_says(program: Program, path, query, field) -> None:
    whole = program.all(path)
    (wanted,) = query.values()

    found = program.all(path, **query)

    assert found == [one for one in whole if one[field] == wanted]
    assert found


FILTERS = [
    ("/responses", {"segment": "passive"}),
    ("/responses", {"source": "app", "survey": "nps"}),
    ("/cases", {"untouched": "true"}),
    ("/cases", {"sink": "hub"}),
    ("/alarms", {}),
]


@pytest.mark.parametrize(("path", "query"), FILTERS)
def test_a_question_looks_at_a_bounded_number_and_says_where_to_look_on(
    program: Program, monkeypatch, path: str, query: dict[str, str]
) -> None:
    whole = program.get(path, **query, limit=500).json()
    assert whole["next"] is None
    monkeypatch.setattr(paging, "SCANNED", 3)

    first = program.get(path, **query, limit=500).json()

    assert len(first["items"]) <= 3
    assert first["next"] is not None
    assert program.all(path, **query, limit=500) == whole["items"]
    assert program.all(path, **query, limit=1) == whole["items"]
    assert whole["items"]


@pytest.mark.parametrize("path", ["/reports/nps", "/reports/coverage"])
def test_a_report_is_about_400_days_at_most(program: Program, path: str) -> None:
    until = program.visitor.world.now
    told = {"until": until.isoformat(), "since": (until - timedelta(days=400)).isoformat()}
    assert program.get(path, **told).status_code == 200
    longer = told | {"since": (until - timedelta(days=401)).isoformat()}

    answer = program.get(path, **longer)

    assert answer.status_code == 400
    assert answer.json()["details"] == ["since: 400 days before `until` at most"]


_COUNTED = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
    "SELECT count(*) FROM n"
)
_SLOW, _QUICK = text(_COUNTED.format(30_000_000)), text(_COUNTED.format(10))


def test_what_takes_the_database_too_long_is_stopped_and_told(program, world, monkeypatch) -> None:
    def ask(*_args: object, **_named: object) -> None:
        with world.workspace.store.read() as connection:
            connection.execute(_SLOW).all()

    visitor = signed_in(world, "viewer")
    for module in (frame, routes):
        monkeypatch.setattr(module, "_MOST_SECONDS", 0.2)
    monkeypatch.setattr(paging, "alarms_before", ask)
    monkeypatch.setattr(deliveries, "page", ask)

    told, page = program.get("/alarms"), visitor.get("/deliveries")

    assert (told.status_code, page.status_code) == (503, 503)
    assert told.json()["error"] == "this takes the database too long: ask for less"
    assert "Choose less time" in page.text
    monkeypatch.undo()
    assert program.get("/alarms").status_code == 200  # the same connections go on
    with world.workspace.store.read() as connection:  # nor is anybody else bounded
        assert connection.scalar(_QUICK) == 10


def test_responses_of_a_time_are_those_received_in_it(program: Program, world: World) -> None:
    first = (world.now - timedelta(days=1)).isoformat()

    assert len(program.all("/responses", since=first)) == 18
    assert program.all("/responses", until=first) == []
    untouched = program.all("/cases", untouched="true")
    assert untouched
    assert all(case["contacted_at"] is None for case in untouched)


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("/responses", {"limit": "0"}, "limit"),
        ("/responses", {"limit": "501"}, "limit"),
        ("/responses", {"segment": "sad"}, "segment"),
        ("/responses", {"since": "yesterday"}, "since"),
        ("/responses", {"since": "2026-11-01T00:00:00"}, "since"),
        ("/actions", {"state": "parkd"}, "parked"),
        ("/reports/nps", {"by": "shoesize"}, "by"),
        ("/reports/nps", {"survey": "other"}, "survey"),
        ("/responses", {"after": "x"}, "after"),
        ("/responses", {"after": "WzFd"}, "after"),
        ("/actions", {"after": "WyJhIl0"}, "after"),
        ("/actions", {"after": "WzFlOTld"}, "after"),
        ("/responses", {"limit": ["1", "2"]}, "limit"),
    ],
)
def test_a_wrong_parameter_is_named(program: Program, path, query, said) -> None:
    answer = program.get(path, **query)

    assert answer.status_code == 400
    assert said in str(answer.json())


def test_what_does_not_exist_is_404_as_json(program: Program) -> None:
    for path in ("/responses/r0", "/actions/0", "/actions/x", "/actions/99999999999999999999"):
        answer = program.get(path)
        assert (answer.status_code, "error" in answer.json()) == (404, True), path


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer npsc_ä"])
def test_no_token_and_wrong_tokens_read_nothing(world: World, header: str) -> None:
    headers = {"Authorization": header.encode()} if header else {}

    answer = Visitor(world).web.get(f"{ROOT}/responses", headers=headers)

    assert answer.status_code == 401
    assert "items" not in answer.text


def test_a_session_reads_the_description_but_no_data(world: World) -> None:
    visitor = signed_in(world, "viewer")

    assert visitor.get(f"{ROOT}/openapi.json").status_code == 200
    assert visitor.get(f"{ROOT}/responses").status_code == 401
    page = visitor.get("/api/").text
    for one in OPERATIONS:
        assert f"GET {ROOT}{one.path}" in page
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page


def test_when_a_token_was_last_used_is_known(program: Program, world: World) -> None:
    from connector.store import tokens

    program.get("/alarms")
    with world.workspace.store.read() as connection:
        (row,) = tokens.list_tokens(connection)
    assert row.used_at == world.now


def test_an_erased_answer_has_its_score_and_nothing_of_its_person(program, world) -> None:
    before = program.all("/responses", segment="detractor")[0]
    assert before["respondent"]["email"]

    erase_response(world.workspace.store, before["id"], world.now)

    after = program.get(f"/responses/{before['id']}").json()
    assert after["score"] == before["score"]
    assert after["erased_at"] is not None
    assert (after["comment"], after["customer_id"]) == ("", None)
    assert set(after["respondent"].values()) == {None}
