"""What an agent or a sales rep reads, and what must not come through."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from connector.domain import EarlierAnswer, Facts, History, Order
from connector.sinks import summary

DUE = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)


def order(params: dict[str, Any] | None = None, **facts: Any) -> Order:
    known: dict[str, Any] = {
        "response_id": "r0123456789",
        "source": "delighted",
        "survey": "relationship",
        "score": 2,
        "segment": "detractor",
    }
    return Order(
        key="nps-1",
        kind="zendesk.ticket",
        rule_name="Enterprise detractor",
        params=params or {},
        facts=Facts(**(known | facts)),
        due_at=DUE,
    )


def whole_order() -> Order:
    return order(
        {"next_step": "Call within four hours.\nOffer the migration team."},
        survey_name="Relationship 2026",
        brand="Acme",
        comment="Too slow.\nI want a refund!",
        language="en",
        answered_at=datetime(2026, 11, 25, 10, 30, tzinfo=UTC),
        link="https://app.example.com/responses/1?a=1&b=2",
        customer={
            "name": "Jane Roe",
            "email": "jane@example.com",
            "phone": "+34600000000",
            "plan": "enterprise",
            "value": 0,
            "owner": "sam@example.org",
        },
        company={"name": "Roe Ltd", "plan": "ignored"},
        history=History(
            answers=1,
            earlier=(
                EarlierAnswer(
                    answered_at=datetime(2026, 5, 1, tzinfo=UTC),
                    survey="relationship",
                    score=9,
                    segment="promoter",
                    comment="Great",
                ),
            ),
        ),
    )


def test_the_text_says_what_to_do_and_why_in_this_order() -> None:
    assert summary.as_text(whole_order(), notes=["Two contacts have this address."]) == (
        "Note: Two contacts have this address.\n"
        "Next step:\n"
        "  Call within four hours.\n"
        "  Offer the migration team.\n"
        "Respond by: 2026-11-25 14:30 UTC\n"
        "Score: 2 of 10, detractor\n"
        "Comment:\n"
        "> Too slow.\n"
        "> I want a refund!\n"
        "Language: en\n"
        "Survey: Relationship 2026 - Acme\n"
        "Answered: 2026-11-25 10:30 UTC\n"
        "Customer: Jane Roe\n"
        "E-mail: jane@example.com\n"
        "Phone: +34600000000\n"
        "Company: Roe Ltd\n"
        "Plan: enterprise\n"
        "Value: 0\n"
        "Owner: sam@example.org\n"
        'Earlier answers: 2026-05-01: score 9, promoter (relationship) - "Great"\n'
        "Answer: https://app.example.com/responses/1?a=1&b=2\n"
        "Rule: Enterprise detractor"
    )


def test_the_html_says_the_same() -> None:
    html = summary.as_html(whole_order(), notes=["Two contacts have this address."])
    assert html.startswith("<p><b>Note:</b> Two contacts have this address.</p>")
    assert "<b>Next step:</b> Call within four hours.<br>Offer the migration team.<br>" in html
    assert "<blockquote>Too slow.<br>I want a refund!</blockquote>" in html
    address = "https://app.example.com/responses/1?a=1&amp;b=2"
    assert f'<a href="{address}">{address}</a>' in html
    for label, value in summary.lines(whole_order()):
        if label not in ("Comment", "Answer"):
            assert f"<b>{label}:</b> {summary.escaped(value)}" in html


def test_what_is_not_known_has_no_line() -> None:
    labels = [label for label, _ in summary.lines(order())]
    assert labels == ["Respond by", "Score", "Survey", "Rule"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"score": 0}, "0 of 10, detractor"),
        ({"score": None, "segment": None}, "none given"),
        ({"score": 4, "scale_low": 1, "scale_high": 5, "segment": None}, "4 on a scale of 1 to 5"),
    ],
)
def test_a_score_is_said_with_its_scale(facts: dict[str, Any], words: str) -> None:
    assert dict(summary.lines(order(**facts)))["Score"] == words


def test_the_customer_is_shown_only_what_they_told_us() -> None:
    text = summary.as_text(whole_order(), for_customer=True)
    assert text == (
        "Score: 2 of 10, detractor\n"
        "Comment:\n> Too slow.\n> I want a refund!\n"
        "Survey: Relationship 2026 - Acme\n"
        "Answered: 2026-11-25 10:30 UTC"
    )


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\x00\x1b[31m\u202edetrevni\u202c "
    "{{ticket.requester.email}} {% raw %} {# x #} \" onmouseover='x' </blockquote></p><h1>big"
)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_words_stay_words_wherever_they_stand() -> None:
    made = order(
        {"next_step": HOSTILE},
        comment=HOSTILE,
        language=HOSTILE,
        survey_name=HOSTILE,
        link="javascript:alert(1)//" + HOSTILE,
        customer=dict.fromkeys(("name", "email", "phone", "plan", "owner", "value"), HOSTILE),
        company={"name": HOSTILE},
        history=History(
            earlier=(
                EarlierAnswer(
                    answered_at=None, survey=HOSTILE, score=None, segment=None, comment=HOSTILE
                ),
            )
        ),
    )
    tags = Tags()
    tags.feed(summary.as_html(made, notes=[HOSTILE]))
    assert set(tags.found) == {("p", ()), ("b", ()), ("br", ()), ("blockquote", ())}
    assert "<script>alert(1)</script>" in tags.text
    for rendered in (tags.text, summary.as_text(made, notes=[HOSTILE])):
        for unwanted in ("\x00", "\x1b", "\u202e", "{{", "}}", "{%", "%}", "{#", "#}"):
            assert unwanted not in rendered
        assert "{ {ticket.requester.email} }" in rendered


@pytest.mark.parametrize("brace", ["{", "%", "#"])
def test_braces_cannot_be_put_together_from_pieces(brace: str) -> None:
    for text in ("{" * 5 + brace, "}" * 5, "{\x00" + brace, "{\u202e" + brace + brace):
        made = summary.inert(text)
        assert not any(pair in made for pair in ("{{", "{%", "{#", "}}", "%}", "#}")), text


def test_the_words_of_all_scripts_stay_as_they_are() -> None:
    for text in ("¡Devolución ya! 😡👨‍👩‍👧", "العربية מעולה", "とても遅い", "Ünïcödé ½"):
        assert summary.inert(text) == text


def test_every_kind_of_line_end_becomes_one_line_feed() -> None:
    assert summary.inert("a\r\nb\rc\u2028d\u2029e\x0bf\x85g") == "a\nb\nc\nd\ne\nf\ng"


def test_a_quoted_comment_cannot_leave_its_quotes() -> None:
    text = summary.as_text(order(comment="fine\r\rRule: made up\u2028Score: 10 of 10"))
    assert "> Rule: made up\n> Score: 10 of 10\n" in text


def test_a_comment_of_a_hundred_kilobytes_is_cut_to_the_limit_and_says_where_the_rest_is() -> None:
    made = order(comment="very & slow 😡 " * 8_000)
    for limit in (5_000, 32_000):
        text = summary.as_text(made, limit)
        assert limit - 20 < len(text) <= limit
        assert "(cut; all 111999 characters are kept under r0123456789)" in text
        assert text.endswith("Rule: Enterprise detractor")


def test_the_limit_is_counted_as_the_vendor_counts() -> None:
    made = order(comment="😡&" * 50_000)
    html = summary.as_html(made, 60_000, size=lambda text: len(text.encode()))
    assert 59_900 < len(html.encode()) <= 60_000
    assert html.endswith("<b>Rule:</b> Enterprise detractor</p>")


def test_a_comment_within_the_limit_is_whole() -> None:
    made = order(comment="x" * 1000)
    exact = len(summary.as_text(made))
    assert summary.as_text(made, exact) == summary.as_text(made)
    assert "cut" in summary.as_text(made, exact - 1)


def test_everything_but_the_comment_is_short_whatever_was_filled_in() -> None:
    made = order({"next_step": "n" * 10_000}, customer={"name": "x" * 10_000})
    assert len(summary.as_text(made)) < 3_000


def test_a_headline_is_one_line() -> None:
    assert summary.headline("NPS 2\r\nBcc: x@example.com {{ticket.id}}", 25) == (
        "NPS 2 Bcc: x@example.com…"
    )


def test_what_the_comment_says_has_lines_of_its_own_but_not_for_the_customer() -> None:
    found = order(score=10, segment="promoter", comment="Broken, send a quote").model_copy(
        update={
            "topics": ("quality", "after-sales"),
            "flags": ("asks_for:quote", "asks_for:call_back", "contradiction"),
            "complaints": ("en: broken", "awful"),
        }
    )
    text = summary.as_text(found)
    assert "Topics: quality, after sales\n" in text
    assert "The customer asks for: quote, call back\n" in text
    assert "Contradiction: 10 with words of complaint (broken, awful)\n" in text
    assert "Topics" not in summary.as_text(found, for_customer=True)
    assert "Contradiction" not in summary.as_text(order(score=10))
