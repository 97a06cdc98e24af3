"""What becomes of a case: news from its far side, in whatever order, and what they change here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from connector import followup
from connector.domain import Followed, Standing, Watched
from connector.erasure import erase_response
from connector.errors import Paused, TryLater
from connector.store import cases, following, forgetting, outbox
from connector.store.cases import events_of
from connector.store.tables import decisions
from tests.integration.far_side import FarSide, Post
from tests.integration.test_working_time import with_rules

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass
class Desk(FarSide):
    """A far side that tells what the test says; `pages` of news since the cursor, `now` by id."""

    pages: list[Any] = field(default_factory=list)
    stands: dict[str, Standing] = field(default_factory=dict)
    cursors: list[str | None] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    account = "zendesk:acme"

    def follow(
        self, cursor: str | None, watched: Sequence[Watched], now: datetime
    ) -> Iterator[Followed]:
        self.cursors.append(cursor)
        while self.pages:
            page = self.pages.pop(0)
            if isinstance(page, Exception):
                raise page
            yield page

    def look(self, watched: Sequence[Watched], now: datetime) -> Sequence[Standing]:
        self.asked.append([one.remote_id for one in watched])
        return [self.stands[one.remote_id] for one in watched if one.remote_id in self.stands]


@pytest.fixture
def post(world) -> Post:
    post = Post(world)
    post.sides["desk"] = Desk()
    return post


def standing(remote_id: str = "T-1", state: str = "open", *, at: datetime, **more: Any) -> Standing:
    return Standing(remote_id=remote_id, state=state, status=state, changed_at=at, **more)


def opened(post: Post, **answer: Any) -> Any:
    post.world.answer(**{"id": "1", "score": 3, "email": "ana@example.com"} | answer)
    post.deliver()
    return case(post)


def case(post: Post, number: int = 0) -> Any:
    with post.store.read() as connection:
        found = cases.listed(connection, ("open", "contacted", "closed", "gone"), 100)
    return sorted(found, key=lambda one: one.action_id)[number]


def events(post: Post, number: int = 0) -> list[str]:
    with post.store.read() as connection:
        return [event.kind for event in events_of(connection, case(post, number).action_id)]


def follow(post: Post, after: timedelta = timedelta(minutes=5)) -> followup.Heard:
    post.world.now += after
    return followup.follow(post.world.workspace, "desk", post.desk, post.world.now)


def tell(post: Post, *standings: Standing, cursor: str = "c") -> followup.Heard:
    post.desk.pages.append(Followed(standings=standings, cursor=cursor))
    return follow(post)


def open_cases_that_rules_see(post: Post) -> int:
    post.world.answer(id=f"next {post.world.posted}", score=8, email="ana@example.com")
    with post.store.read() as connection:
        newest = select(decisions.c.facts).order_by(decisions.c.number.desc()).limit(1)
        facts = connection.scalar(newest)
    return int(facts["history"]["open_cases"])


def test_a_case_begins_with_its_receipt_and_knows_both_clocks(post):
    began = opened(post)
    assert (began.state, began.remote_id, began.segment) == ("open", "T-1", "detractor")
    assert began.priority == "high"
    assert began.opened_at == post.world.now
    assert began.answered_at < began.opened_at, "the customer's clock began with the answer"
    assert began.respond_by == post.world.now + DAY


def test_a_person_begins_and_closes_and_rules_see_no_open_case_any_more(post):
    began = opened(post)
    touched = began.opened_at + HOUR
    tell(post, standing(state="contacted", at=touched, contacted_at=touched, owner="Ana", team="A"))
    now = case(post)
    assert (now.state, now.owner, now.team) == ("contacted", "Ana", "A")
    assert (now.contacted_at, now.working_seconds) == (touched, 3600.0)
    assert open_cases_that_rules_see(post) == 1
    closed = touched + HOUR
    tell(post, standing(state="closed", at=closed, closed_at=closed, owner="Ana", team="A"))
    assert (case(post).state, case(post).closed_at) == ("closed", closed)
    assert open_cases_that_rules_see(post) == 0
    assert events(post) == ["contacted", "assigned", "status", "closed"]


def test_doubled_and_late_news_change_nothing(post):
    began = opened(post)
    first = standing(state="contacted", at=began.opened_at + HOUR, contacted_at=began.opened_at)
    last = standing(state="closed", at=began.opened_at + 2 * HOUR, owner="Ana")
    assert tell(post, last).cases == 1
    after, told = case(post), events(post)
    assert tell(post, last).cases == 0
    assert tell(post, first).cases == 0
    assert (case(post), events(post)) == (after, told)


def test_of_two_news_in_one_page_the_newer_counts_in_either_order(post):
    began = opened(post)
    older = standing(state="contacted", at=began.opened_at + HOUR)
    newer = standing(state="closed", at=began.opened_at + 2 * HOUR)
    tell(post, newer, older)
    assert case(post).state == "closed"


def test_what_is_reopened_there_is_open_again_and_counted(post):
    began = opened(post)
    tell(post, standing(state="closed", at=began.opened_at + HOUR, contacted_at=began.opened_at))
    tell(post, standing(state="open", at=began.opened_at + 2 * HOUR))
    now = case(post)
    assert (now.state, now.reopened, now.closed_at) == ("contacted", 1, None)
    assert open_cases_that_rules_see(post) == 1
    tell(post, standing(state="closed", at=began.opened_at + 3 * HOUR))
    assert (case(post).state, case(post).reopened) == ("closed", 1)


def test_what_was_deleted_there_is_gone_and_nobody_waits_for_it(post):
    began = opened(post)
    tell(post, standing(state="gone", at=began.opened_at + HOUR))
    assert case(post).state == "gone"
    assert events(post)[-1] == "gone"
    assert open_cases_that_rules_see(post) == 0


def test_news_of_records_that_are_not_ours_are_dropped(post):
    opened(post)
    assert tell(post, standing("T-77", "closed", at=post.world.now)).cases == 0


def test_a_case_whose_receipt_came_after_its_news_is_looked_at(post):
    began = opened(post)
    post.desk.stands["T-1"] = standing(state="closed", at=began.opened_at + HOUR)
    assert follow(post).cases == 1  # the page that told of it was read before
    assert case(post).state == "closed"
    follow(post)
    assert post.desk.asked == [["T-1"]], "once is enough"


def test_news_that_were_asked_for_before_their_case_was_known_do_not_hide_its_first_touch(post):
    began = opened(post)
    post.world.answer(id="2", score=3, email="bo@example.com")
    touched, closed = began.opened_at + HOUR, began.opened_at + 2 * HOUR

    def receipts_come_meanwhile(*_: Any) -> Iterator[Followed]:
        post.deliver()
        yield Followed(standings=(standing("T-2", "closed", at=closed),), cursor="c")

    post.desk.follow = receipts_come_meanwhile
    told = {"at": closed, "contacted_at": touched, "closed_at": closed}
    post.desk.stands["T-2"] = standing("T-2", "closed", **told)
    follow(post)
    assert (case(post, 1).state, case(post, 1).contacted_at) == ("closed", touched)


def test_who_has_begun_is_asked_again_where_it_could_not_be_read(post):
    began = opened(post)
    touched = began.opened_at + timedelta(minutes=1)
    post.desk.stands["T-1"] = standing(at=began.opened_at)
    tell(post, standing(at=touched, owner="Ana", unsure=True))
    assert (case(post).state, case(post).owner) == ("open", "Ana"), "the rest is news all the same"
    post.desk.stands["T-1"] = standing(state="contacted", at=touched, contacted_at=touched)
    assert follow(post, timedelta(seconds=30)).cases == 0, "not at once"
    assert follow(post, timedelta(seconds=40)).cases == 1
    assert case(post).contacted_at == touched


def test_what_cannot_be_read_is_asked_again_for_an_hour(post):
    opened(post)
    unsure = standing(at=post.world.now, unsure=True)
    post.desk.stands["T-1"] = unsure
    tell(post, unsure)
    asked = len(post.desk.asked)
    for _ in range(100):
        follow(post, timedelta(seconds=70))
    assert 40 <= len(post.desk.asked) - asked <= 50


def test_the_cursor_moves_with_what_it_says_and_a_stop_between_pages_loses_nothing(post):
    began = opened(post)
    closed = standing(state="closed", at=began.opened_at + HOUR)
    post.desk.pages += [Followed(standings=(), cursor="one"), TryLater("busy")]
    assert follow(post).error == "busy"
    post.desk.pages += [Followed(standings=(closed,), cursor="two")]
    assert follow(post, HOUR).cases == 1
    follow(post)
    assert post.desk.cursors == [None, "one", "two"]


def test_it_is_asked_once_in_its_interval_and_by_one_process_only(post):
    opened(post)
    follow(post)
    asked = len(post.desk.cursors)
    follow(post, timedelta(minutes=1))
    assert len(post.desk.cursors) == asked
    lease = timedelta(minutes=5)
    now = post.world.now + HOUR
    assert post.store.write(lambda c: following.lease(c, "desk", now, lease))
    follow(post, HOUR)
    assert len(post.desk.cursors) == asked, "another process is at it"


def test_what_a_webhook_names_is_looked_at_at_once_and_believed_only_then(post):
    began = opened(post)
    follow(post)
    post.desk.asked.clear()
    post.desk.stands["T-1"] = standing(state="closed", at=began.opened_at + HOUR)
    named = lambda c: following.hint(c, "desk", ["T-1", "T-1", "T-99"], post.world.now)  # noqa: E731
    post.store.write(named)
    assert follow(post, timedelta(seconds=1)).cases == 1
    assert post.desk.asked == [["T-1"]], "T-99 is no case of ours"
    follow(post, timedelta(seconds=1))
    assert post.desk.asked == [["T-1"]], "the hint is gone"


def test_a_hint_stays_until_the_record_could_be_read(post):
    opened(post)
    follow(post)
    post.store.write(lambda c: following.hint(c, "desk", ["T-1"], post.world.now))

    def down(*_: Any) -> Any:
        raise TryLater("down")

    real, post.desk.look = post.desk.look, down
    assert follow(post, timedelta(seconds=1)).cases == 0
    post.desk.look = real
    began = case(post)
    post.desk.stands["T-1"] = standing(state="closed", at=began.opened_at + HOUR)
    assert follow(post, timedelta(seconds=2)).cases == 1


def test_a_record_that_cannot_be_read_keeps_nobody_elses_news_back(post):
    opened(post)
    post.world.answer(id="2", score=2)
    post.deliver()
    follow(post)
    named = lambda c: following.hint(c, "desk", ["T-1", "T-2"], post.world.now)  # noqa: E731
    post.store.write(named)
    real = post.desk.look

    def look(watched: Sequence[Watched], now: datetime) -> Sequence[Standing]:
        if any(one.remote_id == "T-1" for one in watched):
            raise TryLater("this one is broken")
        return real(watched, now)

    post.desk.look = look
    at = post.world.now + HOUR
    post.desk.stands["T-2"] = standing("T-2", "closed", at=at)
    assert follow(post, timedelta(seconds=1)).cases == 1
    tell(post, standing("T-1", "closed", at=at))
    assert [case(post, number).state for number in (0, 1)] == ["closed", "closed"]
    follow(post, 2 * HOUR)
    with post.store.read() as connection:
        assert following.hinted(connection, "desk", post.world.now + DAY) == [], "it is given up"


def test_one_records_limit_does_not_stop_the_account(post):
    opened(post)
    post.desk.pages.append(TryLater("the export's own limit", 60))
    assert follow(post).error
    with post.store.read() as connection:
        assert outbox.paused_until(connection, "zendesk:acme") is None


def test_refused_credentials_pause_the_account_and_alarm_until_it_can_be_read_again(post):
    opened(post)
    post.desk.pages.append(Paused("who are you"))
    assert follow(post).error == "who are you"
    assert "sink-paused" in post.alarms()
    assert follow(post, timedelta(minutes=1)).error == "", "the account waits"
    post.desk.pages.append(Followed(cursor="c"))
    follow(post, HOUR)
    with post.store.read() as connection:
        assert following.place_of(connection, "desk").error is None
    assert "sink-paused" not in post.alarms()


def test_nobody_being_heard_for_an_hour_is_an_alarm_that_ends_by_itself(post):
    opened(post)
    follow(post)
    for minutes in (5, 70):
        post.desk.pages.append(TryLater("slow"))
        follow(post, timedelta(minutes=minutes))
    assert "slow" in post.alarms()["unfollowed"]
    follow(post, timedelta(minutes=10))
    assert "unfollowed" not in post.alarms()


def test_a_team_that_wants_to_know_the_cause_has_no_closed_case_without_it(make_world):
    sinks = "\n".join(
        (
            "  strict: {{type: zendesk, subdomain: acme, email: a@example.com,",
            '    api_token: "${{TOKEN}}", close_needs: [cause, action_taken]}}',
            "",
        )
    )
    rules = "rules: [{id: d, when: {segment: detractor}, then: [{zendesk.ticket: {sink: strict}}]}]"
    post = Post(make_world(rules, more_sinks=sinks))
    post.sides["strict"] = side = Desk()
    post.world.answer(id="1", score=3)
    post.deliver("strict")
    began = case(post)

    def hear(news: Standing) -> Any:
        side.pages.append(Followed(standings=(news,), cursor="c"))
        post.world.now += HOUR
        followup.follow(post.world.workspace, "strict", side, post.world.now)
        return case(post)

    solved = began.opened_at + HOUR
    half = {"closed_at": solved, "cause": "Late invoice"}
    told = hear(standing(state="closed", at=solved, **half))
    assert (told.state, told.missing, told.closed_at) == ("contacted", "what was done", None)
    assert events(post)[-1] == "incomplete"
    filled = {**half, "action_taken": "Credited"}
    told = hear(standing(state="closed", at=solved + HOUR, **filled))
    assert (told.state, told.missing, told.closed_at) == ("closed", None, solved)
    assert (told.cause, told.action_taken) == ("Late invoice", "Credited")


OFFICE = """
calendars: {office: {hours: {mon-fri: "09:00-18:00"}}}
defaults: {hours: office}
rules:
  - id: d
    when: {segment: detractor}
    then: [{zendesk.ticket: {priority: urgent, respond_within: 2h}}]
"""


def test_the_working_clock_stands_still_at_night_and_the_customers_does_not(post):
    post.world.now = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # Friday, an hour before closing
    with_rules(post.world, OFFICE)
    began = opened(post)
    monday = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    tell(post, standing(state="contacted", at=monday, contacted_at=monday))
    now = case(post)
    assert now.working_seconds == 5400
    assert now.contacted_at - now.answered_at > timedelta(hours=64)
    assert now.respond_by == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert began.working_seconds is None


def test_a_note_raises_the_case_and_never_lowers_it(post):
    opened(post, score=3)
    assert case(post).priority == "high"
    post.world.answer(
        id="1",
        score=3,
        comment="refund",
        email="ana@example.com",
        revised=post.world.now.isoformat(),
    )
    post.deliver()
    assert case(post).priority == "urgent"
    assert case(post).respond_by == post.world.now + 4 * HOUR


def test_an_erased_person_leaves_clocks_and_no_words_and_none_come_back(post):
    began = opened(post)
    at = began.opened_at + HOUR
    tell(post, standing(state="contacted", at=at, cause="Ana was angry"))
    erase_response(post.store, began.response_id, post.world.now)
    tell(post, standing(state="closed", at=at + HOUR, cause="Ana was angry", closed_at=at + HOUR))
    now = case(post)
    assert (now.state, now.cause, now.customer_id) == ("closed", None, None)
    with post.store.read() as connection:
        told = events_of(connection, now.action_id)
    assert not any("Ana was" in (event.detail or "") for event in told)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_words_that_are_erased_while_news_are_written_down_do_not_come_back(post):
    began = opened(post)
    at = began.opened_at + HOUR
    news = standing(state="closed", at=at, closed_at=at, cause="Ana was angry")
    case_id = [began.action_id]

    def take(connection: Any) -> int:
        return followup.take_news(
            connection, post.world.workspace, "desk", [news], at, asked=case_id
        )

    with ThreadPoolExecutor(1) as other:
        with post.store.engine.begin() as connection:
            forgetting.empty_response(connection, began.response_id, at)
            told = other.submit(post.store.write, take)
            wait_until_somebody_waits(post)
        assert told.result(30) == 1
    assert (case(post).state, case(post).cause) == ("closed", None)


def wait_until_somebody_waits(post: Post) -> None:
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    for _ in range(1000):
        with post.store.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for the lock")
