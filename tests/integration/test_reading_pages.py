"""The pages Programme, Verbatims, Customers and Rules, as a browser without scripts gets them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from connector import erasure
from connector.domain import Order
from connector.reports import programme as reports
from connector.reports.nps import Question, report
from connector.reports.programme import Asked, grouping_of
from connector.reports.stories import customer_story, response_story, search
from connector.reports.telling import told
from connector.reports.verbatims import Wanted, page
from connector.sinks import summary
from connector.store import browsing, stories, suppressions
from connector.store.counting import By, Period
from connector.store.tables import cases
from connector.text import hashed
from connector.web.app import application
from connector.web.drawing import distribution, weekly
from tests.integration.far_side import Post
from tests.integration.test_projecting import plan, project

DAY = timedelta(days=1)
HOSTILE = "<script>alert(1)</script> {{ 7*7 }} \" onmouseover=x '><img src=x>"
NETWORKS = ["127.0.0.0/8"]
SHADOW = """
rules:
  - id: angry
    name: Anybody angry
    when: {segment: detractor}
    then:
      - zendesk.ticket: {priority: high, next_step: Call.}
  - id: watcher
    status: shadow
    when: {segment: passive}
    then: [{log: {}}]
  - id: never
    when: {score: 1, comment: {mentions: [unheard]}}
    then: [{log: {}}]
default:
  then: [{log: {}}]
"""


@pytest.fixture
def browse(world, monkeypatch):
    """`browse()` -> a client of the whole server, signed in by a proxy as an operator."""

    def opens(of=world, role="operator") -> TestClient:
        settings = of.workspace.settings
        fields = {
            "sign_in": "proxy",
            "trusted_proxies": NETWORKS,
            "user_header": "x-user",
            "role_header": "x-role",
        }
        dashboard = type(settings.dashboard)(**fields)
        of.workspace.settings = settings.model_copy(update={"dashboard": dashboard})
        app = application(of.workspace, lambda: None, lambda _: None, clock=lambda: of.now)
        headers = {"x-user": "ada", "x-role": role}
        return TestClient(app, client=("127.0.0.1", 5000), headers=headers)

    return opens


def shown(client: TestClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


def test_the_programme_page_has_the_figures_of_the_report(world):
    for number in range(70):
        world.answer(
            id=str(number),
            score=(10, 10, 8, 3)[number % 4],
            comment="refund" if number % 4 == 3 else "",
            at=(world.now - DAY * (number % 40 + 1)).isoformat(),
            survey="nps" if number % 2 else "partners",
        )
    project(world)
    settings = world.workspace.settings
    since, until = (world.now - 90 * DAY).date(), world.now.date() + DAY
    with world.workspace.store.read() as connection:
        for by, kind in (
            ("survey", By()),
            ("source", By("source")),
            ("rule", By("rules")),
            ("week", By("day")),
            ("language", By("fact", ("language",))),
        ):
            grouping = grouping_of(by, settings.customer_attributes)
            found = reports.programme(
                connection, settings.surveys, grouping, Asked(since, until, by, None, 5)
            )
            period = Period(reports._midnight(since), reports._midnight(until))
            question = Question(period, grouping._replace(by=kind), None, 5)
            direct = told(report(connection, settings.surveys, question), question)
            assert found.told == direct, by
    nps, partners = found.told["surveys"]
    assert (nps["n"], partners["n"]) == (35, 35)
    assert sum(week.n for week in found.weeks["nps"]) == 35


def test_weeks_with_too_few_answers_have_no_figure_and_break_the_line():
    from datetime import date

    monday = date(2026, 1, 5)
    empty = (None, None, None)
    weeks = [
        reports.Week(monday + n * timedelta(weeks=1), n, *(empty if n == 2 else (10, 0, 20)))
        for n in range(5)
    ]
    chart = weekly(weeks)
    assert [len(line.dots) for line in chart.lines] == [2, 2]
    assert "4 of 5 weeks" in chart.words
    assert weekly([reports.Week(monday, 3, *empty)]) is None


def test_scores_are_drawn_on_the_scale_of_their_survey():
    scale = {"low": 1, "high": 5, "promoter_from": None, "passive_from": None}
    bars = distribution({"5": 3, "2": 1}, scale)
    assert [(bar.score, bar.answers) for bar in bars] == [(1, 0), (2, 1), (3, 0), (4, 0), (5, 3)]
    assert {bar.segment for bar in bars} == {""}


def test_the_programme_page_says_what_is_missing_and_refuses_what_it_does_not_count(world, browse):
    world.answer(id="1", score=3)
    client = browse()
    assert "About 1 decisions are not counted here yet" in shown(client, "/programme")
    project(world)
    html = shown(client, "/programme?by=customer.plan&min_n=1&last=30d")
    assert "not counted here yet" not in html
    assert "<svg" in html
    assert "<desc" in html
    assert "did you mean" in shown(client, "/programme?by=sourse", 404)


def test_verbatims_come_newest_first_page_by_page_with_what_came_of_them(world):
    for number in range(7):
        world.answer(
            id=str(number), score=3 if number % 2 else 10, comment=f"word{number} common",
            email=f"p{number}@example.com",
        )  # fmt: skip
    world.answer(id="silent", score=3)
    project(world)
    with world.workspace.store.read() as connection:
        first = page(connection, Wanted(), limit=4)
        second = page(connection, Wanted(), first.before, limit=4)
        words = [one.comment.split()[0] for one in (*first.verbatims, *second.verbatims)]
        assert sorted(words) == [f"word{n}" for n in range(7)], "all, each once, none without words"
        assert first.verbatims[0].given >= second.verbatims[-1].given
        assert second.before is None
        angry = page(connection, Wanted(words="common", segment="detractor", score="3"))
        assert len(angry.verbatims) == 3
        assert {case.kind for one in angry.verbatims for case in one.cases} == {"zendesk.ticket"}
        happy = page(connection, Wanted(words="WORD0"))
        assert [case.kind for case in happy.verbatims[0].cases] == ["hubspot.task"]
        theirs = page(connection, Wanted(customer=happy.verbatims[0].customer))
        assert [one.comment for one in theirs.verbatims] == ["word0 common"]
        nothing = page(connection, Wanted(words="common", customer=theirs.verbatims[0].customer))
        assert len(nothing.verbatims) == 1
        assert page(connection, Wanted(words="***")).verbatims == []
        assert page(connection, Wanted(survey="partners")).verbatims == []


def test_an_answer_without_a_case_says_why(world):
    world.answer(id="1", score=8, comment="so so")
    world.answer(id="2", score=2, comment="old", at=(world.now - 30 * DAY).isoformat())
    project(world)
    with world.workspace.store.read() as connection:
        newest, old = page(connection, Wanted()).verbatims
    assert newest.why == "thanks matched and opened no case"
    assert old.why.startswith("decided as history")


def polled(html: str) -> str:
    return re.search(r'id="poll" hx-get="([^"]+)"', html)[1].replace("&amp;", "&")


def test_new_answers_are_announced_once_and_the_list_stays_as_it_is(world, browse):
    world.answer(id="1", score=3, comment="first")
    project(world)
    client = browse()
    poll = polled(shown(client, "/verbatims?segment=detractor"))
    assert client.get(poll).status_code == 204
    world.answer(id="2", score=3, comment="second")
    project(world)
    news = shown(client, poll)
    assert "1 new" in news
    assert "second" not in news
    world.answer(id="3", score=10, comment="of another segment")
    project(world)
    again = shown(client, polled(news))
    assert 'id="news"' not in again, "it is not said twice"
    assert client.get(polled(again)).status_code == 204
    world.answer(id="4", score=3, comment="third")
    project(world)
    assert "2 new" in shown(client, polled(again))


def test_who_is_erased_goes_from_pages_that_are_open(world, browse):
    for number in range(60):
        world.answer(
            id=str(number), score=3, comment=f"word{number}.", email=f"p{number}@example.com"
        )
    project(world)
    client = browse()
    first = shown(client, "/verbatims")
    second = shown(client, re.search(r'href="(/verbatims[?]before=\d+)"', first)[1])
    for html in (first, second):
        mine = int(re.search(r"word(\d+)[.]", html)[1])
        erasure.erase_email(world.workspace.store, f"p{mine}@example.com", world.now)
        answer = client.get(polled(html))
        assert answer.headers["hx-retarget"] == "#verbatims"
        assert f"word{mine}." not in answer.text
        assert answer.text.count("<li ") >= 9
        assert client.get(polled(answer.text)).status_code == 204


def test_open_cases_of_a_customer_are_all_there_however_old_their_answer(
    world, browse, monkeypatch
):
    post = Post(world)
    for number in range(4):
        at = (world.now - timedelta(hours=number)).isoformat()
        world.answer(id=str(number), score=2, email="ana@example.com", name="Ana", at=at)
    post.settle()
    monkeypatch.setattr(stories.answers_of, "__defaults__", (1,))
    with world.workspace.store.read() as connection:
        [ana] = search(connection, "ana@example.com")
        story = customer_story(connection, ana.id)
        alone = response_story(connection, world.responses()[0].id)
        opened = [row.action_id for row in connection.execute(select(cases))]
    assert len(opened) > 1
    assert story.shown == 1
    assert sorted(case.action_id for case in story.cases) == sorted(opened)
    assert story.person.open_cases == alone.person.open_cases == len(opened)
    world.workspace.store.write(lambda c: c.execute(update(cases).values(state="closed")))
    with world.workspace.store.read() as connection:
        assert customer_story(connection, ana.id).person.open_cases == 0


@pytest.mark.parametrize("path", ["/programme", "/rules"])
def test_a_form_keeps_the_days_that_were_chosen_until_a_usual_time_is(world, browse, path):
    client, chosen = browse(), "since=2026-10-01&until=2026-10-31"
    html = shown(client, f"{path}?{chosen}")
    assert "2026-10-01 to 2026-10-31" in html
    fields = dict(re.findall(r'<input type="hidden" name="(since|until)" value="([^"]+)"', html))
    assert fields == {"since": "2026-10-01", "until": "2026-10-31"}
    again = shown(client, f"{path}?last=&since={fields['since']}&until={fields['until']}")
    assert "2026-10-01 to 2026-10-31" in again
    usual = shown(client, f"{path}?last=30d&{chosen}")
    assert 'value="30d" selected' in usual
    assert 'name="since"' not in usual


def test_hostile_words_are_shown_and_do_nothing(world, browse):
    world.answer(
        id="1", score=3, comment=HOSTILE, email="eve@example.com", name="<b>Eve</b>{{ 1 }}"
    )
    project(world)
    client = browse()
    [response] = world.responses()
    with world.workspace.store.read() as connection:
        [eve] = search(connection, "eve@example.com")
    for path in (
        "/verbatims",
        "/verbatims?words=%3Cscript%3Ealert",
        f"/customers/{eve.id}",
        f"/responses/{response.id}",
        "/decisions/1",
        "/customers?q=%3Cimg+src%3Dx%3E",
    ):
        html = shown(client, path)
        assert "<script>alert" not in html, path
        assert "<img" not in html, path
        assert "<b>Eve" not in html, path
    assert "{{ 7*7 }}" in shown(client, "/verbatims")


def test_a_customer_is_found_by_address_name_phone_and_id_in_any_spelling(world):
    world.answer(id="1", score=3, email="ana@example.com", name="Ána Quijote-García")
    world.answer(id="2", score=9, email="bea@example.com", name="Bea")
    project(world)
    with world.workspace.store.read() as connection:
        for typed in ("ANA@example.com", "quijote", "ana garc", "Quij", "example ana"):
            assert [one.name for one in search(connection, typed)] == ["Ána Quijote-García"], typed
        assert search(connection, "nobody") == []
        assert len(search(connection, "example")) == 2


def test_a_story_holds_answers_revisions_decisions_effects_and_what_became_of_them(world):
    post = Post(world)
    world.answer(id="1", score=2, email="ana@example.com", name="Ana")
    world.answer(id="1", score=2, comment="refund me", email="ana@example.com", name="Ana")
    plan(world, "ana@example.com", "pro")
    post.settle()
    project(world)
    world.workspace.store.write(
        lambda c: suppressions.suppress(
            c, hashed("address", "ana@example.com"), "bounced", world.now
        )
    )
    with world.workspace.store.read() as connection:
        [ana] = search(connection, "ana@example.com")
        story = customer_story(connection, ana.id)
        alone = response_story(connection, world.responses()[0].id)
    assert (story.person.name, story.person.suppressed, story.person.answers) == ("Ana", True, 1)
    assert ("plan", "pro") in story.person.attributes
    titles = [event.title for event in story.events]
    assert "Answer revised (2)" in titles
    assert {"Decision 1", "Decision 2"} <= set(titles)
    assert any(title.startswith("zendesk.ticket in desk") for title in titles)
    assert "refund me" in [event.words for event in story.events]
    assert [event.at for event in story.events] == sorted(
        (event.at for event in story.events), reverse=True
    )
    assert [event.title for event in alone.events] == titles


def test_of_an_erased_person_only_the_answer_is_left_to_see(world, browse):
    world.answer(id="1", score=2, comment="refund me", email="ana@example.com", name="Ana")
    project(world)
    with world.workspace.store.read() as connection:
        [ana] = search(connection, "ana@example.com")
    erasure.erase_email(world.workspace.store, "ana@example.com", world.now)
    client = browse()
    assert "were erased" in shown(client, f"/customers/{ana.id}", 404)
    html = shown(client, f"/responses/{world.responses()[0].id}")
    assert "erased" in html
    for gone in ("refund me", "Ana", "ana@"):
        assert gone not in html
    assert "facts of this answer were erased" in shown(client, "/decisions/1")
    assert shown(client, "/customers?q=ana").count("/customers/") == 0


def test_a_decision_is_explained_with_every_condition(world, browse):
    world.answer(id="1", score=2, comment="refund me")
    html = shown(browse(), "/decisions/1")
    assert "comment mentions" in html
    assert "say the same" in html
    shown(browse(), "/decisions/999", 404)
    shown(browse(), f"/decisions/{2**70}", 404)


def test_rules_say_how_often_they_matched_and_which_never_did(make_world, browse):
    world = make_world(SHADOW)
    for number, score in enumerate((2, 3, 7, 10)):
        world.answer(id=str(number), score=score)
    project(world)
    html = shown(browse(world), "/rules?last=30d")
    cells = re.findall(r"<tr>(.*?)</tr>", html, re.S)
    rows = {
        row[1].split()[0]: row
        for one in cells
        if len(row := [re.sub(r"<[^>]+>", " ", c).strip() for c in one.split("</td>")]) == 7
    }
    assert rows["angry"][3] == "2"
    assert (rows["watcher"][3], rows["watcher"][5]) == ("0", "1")
    assert "never matched" in rows["never"][2]
    assert rows["default"][3] == "2"


def test_a_viewer_may_look_but_not_try_rules(world, browse):
    client = browse(role="viewer")
    assert "/rules/backtest" not in shown(client, "/rules")
    shown(client, "/rules/backtest", 403)


@pytest.mark.parametrize("path", ["programme", "verbatims", "customers", "rules"])
def test_pages_are_there_before_anything_happened(world, browse, path):
    assert "<h1>" in shown(browse(), f"/{path}")


@pytest.mark.parametrize(
    "query",
    ["last=x&min_n=x&by=day", "since=9999-99-99", "since=2026-01-01&until=2025-01-01", "min_n=0"],
)
def test_what_makes_no_sense_in_an_address_is_left_out(world, browse, query):
    shown(browse(), f"/programme?{query}")
    shown(browse(), f"/verbatims?before=x&score=x&{query}")
    shown(browse(), "/verbatims?before=" + "9" * 40)


def test_tickets_lead_to_the_page_of_their_customer_where_it_can_be_reached(world):
    settings = world.workspace.settings
    world.answer(id="1", score=2, email="ana@example.com")
    public = settings.receiver.model_copy(update={"public_url": "https://nps.example.com/"})
    world.workspace.settings = settings.model_copy(update={"receiver": public})
    world.answer(id="2", score=2, email="bea@example.com")
    world.answer(id="3", score=2)
    without = settings.dashboard.model_copy(update={"enabled": False})
    world.workspace.settings = world.workspace.settings.model_copy(update={"dashboard": without})
    world.answer(id="4", score=2, email="eva@example.com")
    with world.workspace.store.read() as connection:
        orders = [
            Order.model_validate(browsing.show_action(connection, action.id).order)
            for action in world.actions()
            if action.opens_case
        ]
    nobody, bea, anonymous, hidden = orders
    assert (nobody.page, hidden.page) == ("", "")
    assert bea.page == f"https://nps.example.com/customers/{bea.facts.customer_id}"
    assert anonymous.page == f"https://nps.example.com/responses/{anonymous.facts.response_id}"
    assert f"History: {bea.page}" in summary.as_text(bea)
    assert f'<a href="{bea.page}">' in summary.as_html(bea)
    assert "History" not in summary.as_text(nobody)
    assert bea.page not in summary.as_text(bea, for_customer=True)
