"""Files of answers: real ones, twice, as history, and with everything that can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import config, importing
from connector.workspace import open_workspace

FIXTURES = Path(__file__).parents[1] / "fixtures" / "csv"

REAL = """
store: {store}
surveys: {{event: {{}}}}
sources:
  carpentries:
    {{type: csv, survey: event, columns: {{score: Likely-To-Recommend, comment: Column58}}}}
  sudzilla_us:
    type: csv
    preset: google_sheet
    survey: event
    zone: America/New_York
    day_first: false
    columns: {{score: "On a scale of 0-10, how would you rate Sudzilla?", comment: "...why?"}}
  sudzilla_iso:
    type: csv
    preset: google_sheet
    survey: event
    zone: America/New_York
    columns: {{score: "On a scale of 0-10, how would you rate Sudzilla?", comment: "...why?"}}
sinks:
  desk: {{type: zendesk, subdomain: acme, email: a@example.com, api_token: "${{TOKEN}}"}}
"""
RULES = """
rules:
  - id: detractor
    when: {segment: detractor}
    then: [{zendesk.ticket: {next_step: Call.}}]
"""


@pytest.fixture
def workspace(store_url, tmp_path, now):
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "templates").mkdir()
    file = tmp_path / "connector.yaml"
    file.write_text(REAL.format(store=store_url))
    opened = open_workspace(config.load(file, {"TOKEN": "t"}), now)
    yield opened
    opened.store.close()


def take(workspace, source, data, now, act=False):
    rows = importing.read_rows(workspace, source, data)
    return importing.import_rows(workspace, source, rows, now, act, lambda _: None)


def segments(workspace) -> dict[str | None, int]:
    from connector.store import browsing

    counts: dict[str | None, int] = {}
    with workspace.store.read() as connection:
        for row in browsing.list_responses(connection, limit=10_000):
            counts[row.segment] = counts.get(row.segment, 0) + 1
    return counts


def actions(workspace) -> int:
    from connector.store import browsing

    with workspace.store.read() as connection:
        return len(browsing.list_actions(connection, limit=None))


@pytest.mark.parametrize(
    ("source", "file", "counts"),
    [
        (
            "carpentries",
            "carpentries_longterm_survey_2017.csv",
            {"promoter": 215, "passive": 118, "detractor": 69, None: 74},
        ),
        (
            "sudzilla_us",
            "sudzilla_event_survey_us_timestamps.csv",
            {"promoter": 8, "passive": 9, "detractor": 22},
        ),
        (
            "sudzilla_iso",
            "sudzilla_event_survey_iso_timestamps.csv",
            {"promoter": 8, "passive": 9, "detractor": 22},
        ),
    ],
)
def test_a_real_file_twice_gives_the_same_counts_and_no_action(
    workspace, now, source, file, counts
):
    data = (FIXTURES / file).read_bytes()
    first = take(workspace, source, data, now)
    assert first.refused == []
    assert (first.new, first.repeated) == (sum(counts.values()), 0)
    assert segments(workspace) == counts

    second = take(workspace, source, data, now)
    assert (second.new, second.repeated) == (0, sum(counts.values()))
    assert second.changes == {}
    assert segments(workspace) == counts
    assert actions(workspace) == 0


BAD = (
    'Date,Email,Score,Comment\n2026-11-20,a@example.com,0,"two\nlines"\n'
    "2026-11-20,b@example.com,7.5,half\n2026-31-31,c@example.com,3,date\n"
    "2026-11-20,d@example.com,11,off the scale\n2026-11-20,e@example.com,,\n"
    '2026-11-20,f@example.com,"9",=cmd()\n'
)


def test_bad_rows_are_refused_with_their_line_and_the_others_go_through(world):
    done = take(world.workspace, "file", BAD.encode(), world.now)

    assert [row.line for row in done.refused] == [4, 5, 6]
    assert done.changes == {"new": 3}
    assert sorted((r.score is None, r.score) for r in world.responses()) == [
        (False, 0),
        (False, 9),
        (True, None),
    ]


def test_act_makes_news_of_a_file_and_says_beforehand_how_much(world):
    data = b"Date,Email,Score,Comment\n2020-01-01,a@example.com,1,old\n2020-01-01,,9,\n"
    rows = importing.read_rows(world.workspace, "file", data)

    counts = importing.preview_actions(world.workspace, "file", rows, world.now)
    assert counts == {("desk", "zendesk.ticket"): 1, ("hub", "hubspot.task"): 1}
    assert world.responses() == [], "the preview is undone"

    take(world.workspace, "file", data, world.now, act=True)
    assert [k for k, s in world.made() if s == "waiting"] == ["zendesk.ticket", "hubspot.task"]


def test_a_source_without_files_says_where_to_import(world):
    with pytest.raises(Exception, match="type csv"):
        importing.read_rows(world.workspace, "app", b"")
