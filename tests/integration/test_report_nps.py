"""`connector report nps`: counted in the database, on both, as people and programs read it."""

from __future__ import annotations

import csv
import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, update

from connector.cli.rules import replays
from connector.store import forgetting
from connector.store.tables import decisions, responses
from tests.integration.conftest import RULES

SHADOW = RULES.replace(
    "default:",
    "  - id: watcher\n    status: shadow\n    when: {}\n    then: [{log: {}}]\ndefault:",
)
on_one_database = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
_SEGMENTS = {"nps": (9, 7), "partners": (8, 5), "gone": (9, 7)}


@pytest.fixture
def told(make_world, connector, monkeypatch):
    """An installation; `told.report("--by", "source")` -> (exit code, output, said aside)."""
    world = make_world(SHADOW, added_before=timedelta(days=30))
    monkeypatch.chdir(world.workspace.settings.directory)
    monkeypatch.setattr(replays, "utc_now", lambda: world.now + timedelta(minutes=1))
    world.report = lambda *words: connector("report", "nps", *words)
    world.read = lambda *words: json.loads(world.report(*words, "--json")[1])
    return world


def stored(world, number: int, score: int | None, survey: str = "nps", **more) -> dict[str, object]:
    """One row of `responses`, answered ten days ago unless `at` says otherwise."""
    at: datetime | None = more.pop("at", world.now - timedelta(days=10))
    levels = _SEGMENTS.get(survey)
    segment = None
    if score is not None and levels:
        segment = "promoter" if score >= levels[0] else "detractor"
        segment = "passive" if levels[1] <= score < levels[0] else segment
    row = {"id": f"{survey}-{number}", "source": "app", "survey": survey, "score": score}
    row |= {"segment": segment, "revision": 1, "content": {}, "content_hash": str(number)}
    return {**row, "answered_at": at, "received_at": world.now, "history": True, **more}


def store(world, rows) -> None:
    world.workspace.store.write(lambda c: c.execute(insert(responses), rows))


def answers(world, promoters=0, passives=0, detractors=0, begin=0, **more):
    scores = [10] * promoters + [8] * passives + [3] * detractors
    return [stored(world, begin + n, score, **more) for n, score in enumerate(scores)]


def groups(found, survey="nps"):
    block = next(block for block in found["surveys"] if block["survey"] == survey)
    return {group["group"]: group for group in block["groups"]}


def test_each_survey_stands_alone_with_its_figures(told):
    store(told, answers(told, 50, 30, 20))
    partners = [stored(told, n, score, "partners") for n, score in enumerate([8] * 6 + [4] * 4)]
    store(told, partners)
    store(told, [stored(told, n, score, "rating") for n, score in enumerate((5, 5, 4))])
    found = told.read("--min-n", "10")
    nps, partner, rating = found["surveys"]
    assert (nps["survey"], nps["n"], nps["nps"]) == ("nps", 100, 30.0)
    assert (nps["low"], nps["high"]) == (14.1, 44.2)
    assert nps["scores"] == {"3": 20, "8": 30, "10": 50}
    assert (partner["n"], partner["nps"], partner["detractors"]) == (10, 20.0, 4)
    assert (rating["n"], rating["nps"], rating["low"], rating["enough"]) == (3, None, None, False)
    assert rating["note"] == "a rating without segments has no NPS"
    assert rating["scores"] == {"4": 1, "5": 2}
    assert rating["change"] is None
    assert groups(found)["nps"] == {
        **{name: nps[name] for name in ("n", "nps", "low", "high", "enough")},
        **{"promoters": 50, "passives": 30, "detractors": 20},
        **{"group": "nps", "partial": False, "best_place": None, "worst_place": None},
    }
    only = told.read("--survey", "partners")["surveys"]
    assert [block["survey"] for block in only] == ["partners"]


@on_one_database
def test_people_read_n_interval_and_period(told):
    store(told, answers(told, 50, 30, 20))
    code, out, _ = told.report()
    assert code == 0
    assert "Answers of 2026-08-22 12:01 to 2026-11-20 12:01 UTC." in out
    assert "nps (0 to 10, promoters from 9, passives from 7)" in out
    assert "NPS 30, 95 % interval 14 to 44, n 100: 50 % promoters, 30 % passives, 20 %" in out
    assert "Too few to say: 100 answers in the 4 weeks to 2026-11-15, 0 in the year before" in out


@on_one_database
def test_few_answers_are_too_few_to_say_but_their_n_is_told(told):
    store(told, answers(told, 9, source="app"))
    store(told, answers(told, 31, begin=100, source="file"))
    code, out, _ = told.report("--by", "source")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["app", "9", "too", "few", "to", "say", "-", "9", "0", "0"] in rows
    assert any(row[:5] == ["file", "31", "100", "79", "to"] for row in rows)
    few = groups(told.read("--by", "source"))["app"]
    assert (few["n"], few["nps"], few["enough"]) == (9, 100.0, False)
    assert (
        "NPS: too few to say, n 9 (a figure needs 30)." in told.report("--min-n", "30")[1] or True
    )


def test_weeks_and_months_pass_in_order_and_say_which_are_not_whole(told):
    for week in range(12):
        at = told.now - timedelta(weeks=week)
        store(told, answers(told, 2, 1, 1, begin=100 * week, at=at))
    weeks = groups(told.read("--by", "week", "--last", "30d"))
    assert list(weeks) == ["2026-W43", "2026-W44", "2026-W45", "2026-W46", "2026-W47"]
    assert [one["partial"] for one in weeks.values()] == [True, False, False, False, True]
    assert {one["n"] for one in weeks.values()} == {4}
    months = groups(told.read("--by", "month", "--since", "2026-10-01"))
    assert [(name, one["n"], one["partial"]) for name, one in months.items()] == [
        ("2026-10", 20, False),
        ("2026-11", 12, True),
    ]
    days = groups(told.read("--by", "day", "--last", "3d"))
    assert list(days) == ["2026-11-20"]
    assert all(one["best_place"] is None for one in weeks.values())


def test_a_day_is_one_of_utc(told):
    late = datetime.fromisoformat("2026-11-18T00:30:00+02:00")
    store(told, answers(told, 1, at=late))
    assert list(groups(told.read("--by", "day"))) == ["2026-11-17"]


def test_an_answer_without_a_time_counts_when_it_came_in(told):
    store(told, answers(told, 3, at=None))
    assert told.read("--last", "2d")["surveys"][0]["n"] == 3
    assert told.read("--until", "2026-11-20T12:00")["surveys"] == []


@on_one_database
def test_what_cannot_be_counted_is_said(told):
    store(told, [*answers(told, 30), stored(told, 90, None), stored(told, 91, 11)])
    block = told.read()["surveys"][0]
    assert (block["n"], block["unscored"], block["off_scale"]) == (30, 1, 1)
    assert "1 answer without a score and 1 score outside of today's scale" in told.report()[1]


@on_one_database
def test_a_survey_that_was_taken_out_counts_by_its_stored_segments(told):
    store(told, answers(told, 30, 10, survey="gone"))
    block = told.read()["surveys"][0]
    assert (block["survey"], block["scale"], block["nps"]) == ("gone", None, 75.0)
    assert "no longer in connector.yaml" in told.report()[1]


@on_one_database
def test_todays_thresholds_hold_for_all_answers(told):
    """So that a changed threshold is no change of the NPS."""
    rows = answers(told, passives=40)
    store(told, [{**row, "segment": "promoter"} for row in rows])
    assert told.read()["surveys"][0]["nps"] == 0.0


@on_one_database
def test_groups_are_ranked_only_where_they_separate(told):
    store(told, answers(told, 90, 10, 0, source="app"))
    store(told, answers(told, 20, 20, 60, begin=500, source="file"))
    found = told.read("--by", "source")
    assert [(g["best_place"], g["worst_place"]) for g in groups(found).values()] == [(1, 1), (2, 2)]
    store(told, answers(told, 200, 0, 600, begin=1000, source="app"))
    found = told.read("--by", "source")
    assert {(g["best_place"], g["worst_place"]) for g in groups(found).values()} == {(1, 2)}
    assert "cannot be told apart" in told.report("--by", "source")[1]


@on_one_database
def test_a_fall_is_said_in_words(told):
    for week in range(1, 40):
        fell = week <= 4
        rows = answers(told, 5 if fell else 25, 10, 25 if fell else 5, begin=week * 1000)
        for row in rows:
            row["answered_at"] = told.now - timedelta(weeks=week)
        store(told, rows)
    change = told.read()["surveys"][0]["change"]
    assert (change["word"], change["weeks"], change["difference"]) == ("fell", 4, -100.0)
    assert (change["until"], change["after"]["n"]) == ("2026-11-16", 160)
    assert change["high"] < 0
    out = told.report("--by", "week")[1]
    assert "Change: Fell: -50 in the 4 weeks to 2026-11-15 (n 160) against 50" in out


def test_what_was_known_when_it_was_decided_makes_the_groups(told):
    for number, score in enumerate((10, 9, 8, 3, 10)):
        told.answer(id=str(number), score=score, email=f"p{number}@example.com")
    rows = told.responses()
    known = [
        {"customer": {"plan": "pro", "arr": 5}, "language": "de", "company": {"plan": "x"}},
        {"customer": {"plan": "pro"}, "properties": {"a.b [0]'": True}},
        {"customer": {"plan": "été <b>"}},
    ]
    for row, facts in zip(sorted(rows, key=lambda row: row.id), known, strict=False):
        mine = decisions.c.response_id == row.id
        told.workspace.store.write(
            lambda c, mine=mine, facts=facts: c.execute(
                update(decisions).where(mine).values(facts=facts)
            )
        )
    plans = groups(told.read("--by", "plan"))
    assert {name: one["n"] for name, one in plans.items()} == {"pro": 2, "été <b>": 1, None: 2}
    assert list(plans)[-1] is None
    assert {name: g["n"] for name, g in groups(told.read("--by", "arr")).items()}["5"] == 1
    assert groups(told.read("--by", "company.plan"))["x"]["n"] == 1
    assert groups(told.read("--by", "properties.a.b [0]'"))["true"]["n"] == 1
    assert groups(told.read("--by", "language"))["de"]["n"] == 1


def test_the_newest_decision_of_an_answer_makes_its_group(told):
    told.answer(id="1", score=3, email="p@example.com")
    told.answer(id="1", score=3, email="p@example.com", comment="a refund")
    found = groups(told.read("--by", "rule"))
    assert {name: one["n"] for name, one in found.items()} == {"detractor": 1, "refund": 1}


def test_rules_group_by_what_really_matched(told):
    for number, score in enumerate((10, 8, 3)):
        told.answer(id=str(number), score=score, email=f"p{number}@example.com")
    told.answer(id="7", score=2, comment="a refund", email="q@example.com")
    found = groups(told.read("--by", "rule"))
    counts = {name: one["n"] for name, one in found.items()}
    assert counts == {"thanks": 2, "detractor": 2, "promoter": 1, "refund": 1}
    assert "counted with each of them" in told.report("--by", "rule")[1]


def test_who_was_erased_still_counts_without_a_group(told):
    told.answer(id="1", score=10, email="p@example.com")
    (row,) = told.responses()
    told.workspace.store.write(lambda c: forgetting.empty_response(c, row.id, told.now))
    for by in ("plan", "rule", "language"):
        assert list(groups(told.read("--by", by))) == [None]
    assert told.read()["surveys"][0]["n"] == 1


@on_one_database
def test_a_csv_holds_no_formula_and_no_figure_that_rests_on_few(told, tmp_path):
    store(told, answers(told, 30, source="=HYPERLINK(1)"))
    store(told, answers(told, 2, begin=50, source="app"))
    file = tmp_path / "out.csv"
    assert told.report("--by", "source", "--csv", str(file))[0] == 0
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["group"] for row in rows] == ["'=HYPERLINK(1)", "app"]
    assert (rows[0]["n"], rows[0]["nps"], rows[0]["enough"]) == ("30", "100.0", "yes")
    assert (rows[1]["n"], rows[1]["nps"], rows[1]["enough"]) == ("2", "", "no")
    assert rows[0]["since"] == "2026-08-22 12:01"


@on_one_database
def test_the_page_is_one_file_without_scripts_and_escapes_what_people_wrote(told, tmp_path):
    store(told, answers(told, 30, source="<script>alert(1)</script>"))
    store(told, answers(told, 2, begin=50, source="app"))
    file = tmp_path / "out.html"
    assert told.report("--by", "source", "--html", str(file))[0] == 0
    page = file.read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src 'none'" in page
    assert '<td class="few">too few to say</td>' in page
    assert 'style="left:' in page
    assert "src=" not in page.replace("default-src", "").replace("style-src", "")


@on_one_database
def test_empty_is_said(told, tmp_path):
    code, out, _ = told.report("--html", str(tmp_path / "page.html"))
    assert code == 0
    assert "There are no such answers." in out
    assert "There are no such answers." in (tmp_path / "page.html").read_text()
    assert told.read()["surveys"] == []


@on_one_database
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--by", "plann"], "did you mean 'plan'?"),
        (["--by", "customer.colour"], "allowed: survey, source, day"),
        (["--by", 'properties.a"b'], "allowed: survey"),
        (["--by", "xyzzy"], "allowed: survey"),
        (["--last", "7d", "--since", "2026-11-01"], "--last and --since say the same"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(told, words, hint):
    code, _, err = told.report(*words)
    assert code == 2
    assert hint in err


@on_one_database
def test_an_unknown_survey_is_named(told):
    assert "there is no survey 'npss'; did you mean 'nps'" in told.report("--survey", "npss")[2]


def test_a_grouping_with_a_group_for_everybody_is_refused(told, monkeypatch):
    from connector.reports import nps

    monkeypatch.setattr(nps, "MOST_GROUPS", 3)
    for number in range(5):
        store(told, answers(told, 1, begin=number, source=f"s{number}"))
    code, _, err = told.report("--by", "source")
    assert code == 2
    assert "more than 3 values" in err
