"""The decision table says the same as the file, and nothing in a rule can break out of it."""

from __future__ import annotations

import html.parser

import pytest

from connector.cli.rules import table
from connector.rules.decision_table import DecisionTable, decision_table
from connector.rules.load import load
from connector.rules.model import RulesetText
from tests.unit.rules.conftest import VOCABULARY

MAILS = {"templates/thank_you/en.txt": "Subject: Thanks\n\nThanks.\n"}
HOSTILE = "<script>alert(1)</script>|`x`\\e[2J\\n# *b* [l](http://evil.example) &amp; \\u202e"


def made(rules: str, few: int = 100) -> DecisionTable:
    loaded = load(RulesetText({"rules.yaml": rules, **MAILS}), VOCABULARY)
    assert loaded.ruleset is not None, loaded.problems
    return decision_table(loaded.ruleset, few)


RULES = """
rules:
  - id: refund
    name: Money back
    owner: ana@example.com
    stop: true
    when:
      segment: [detractor, passive]
      score: {at_least: 2, at_most: 6}
      any:
        - customer.plan: enterprise
        - customer.value: {at_least: 50000}
          language: es
        - none: [{tags: internal}, {tags: test}]
      none:
        - customer.plan: {exists: false}
    then:
      - zendesk.ticket:
          {priority: urgent, group: Retention, subject: "NPS {{ score }}", respond_within: 4h}
      - log: {}
  - {id: quiet, status: draft, until: 2026-12-31, when: {}, then: [{log: {}}]}
"""


def test_a_row_for_each_rule_and_a_column_for_each_field():
    found = made(RULES)
    assert found.columns == (
        "#",
        "rule",
        "status",
        "segment",
        "score",
        "customer.plan",
        "customer.value",
        "language",
        "tags",
        "actions",
        "owner",
    )
    assert found.rows == (
        (
            ("1",),
            ("refund", "Money back"),
            ("live", "stops"),
            ("detractor | passive",),
            ("at least 2", "at most 6"),
            ("any 1: enterprise", "none 1: is missing"),
            ("any 2: at least 50000",),
            ("any 2: es",),
            ("any 3, none 1: internal", "any 3, none 2: test"),
            ("zendesk.ticket: priority urgent, group Retention, respond_within 4 h",),
            ("ana@example.com",),
        ),
        (("2",), ("quiet",), ("draft", "until 2026-12-31"), *((),) * 6, ("log",), ()),
        (("",), ("default",), ("no live rule",), *((),) * 6, ("log",), ()),
    )
    assert found.legend


def test_two_groups_of_one_word_are_told_apart():
    rules = """
rules:
  - id: a
    when: {all: [{any: [{score: 1}, {score: 2}]}, {any: [{score: 3}, {score: 4}]}]}
    then: [{log: {}}]
"""
    assert made(rules).rows[0][3] == ("any 1: 1", "any 2: 2", "any B1: 3", "any B2: 4")


def test_of_a_long_list_few_are_told_in_a_terminal():
    rules = "rules: [{id: a, when: {comment: {mentions: [a, b, c, d]}}, then: [{log: {}}]}]"
    assert made(rules, few=2).rows[0][3] == ("mentions a | b +2 more",)
    assert made(rules).rows[0][3] == ("mentions a | b | c | d",)


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        for name, value in attrs:
            assert name in ("lang", "charset", "http-equiv", "content"), value


@pytest.fixture
def hostile() -> DecisionTable:
    return made(
        f"""
rules:
  - id: a
    name: "{HOSTILE}"
    owner: "{HOSTILE}"
    when: {{brand: "{HOSTILE}", "properties.<b>|": x}}
    then: [{{zendesk.ticket: {{group: "<b>|`*", next_step: x}}}}]
"""
    )


def test_html_holds_only_tags_of_its_own_and_loads_nothing(hostile):
    page = table._html(hostile, "<title>")
    tags = Tags()
    tags.feed(page)
    own = "html head meta title style body h1 table thead tbody tr th td p br"
    assert tags.seen == set(own.split())
    assert "default-src 'none'" in page
    assert page.count("<tr>") == 3


def test_markdown_keeps_its_rows_and_shows_signs_as_signs(hostile):
    lines = table._markdown(hostile, "*t*").splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 4
    for row in rows:
        bare = row.replace("\\\\", "").replace("\\|", "")
        assert bare.count("|") == len(hostile.columns) + 1
        assert "<script" not in row
        assert "`" not in bare.replace("\\`", "")


def test_a_terminal_gets_no_control_characters(hostile, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table._print(hostile)
    printed = capsys.readouterr()
    assert all(line.isprintable() for line in printed.out.splitlines())
    assert "[l](http" in printed.out.replace("\n", "") or "evil" in printed.out
    assert max(map(len, printed.out.splitlines()[:-1])) <= 80


def test_a_narrow_terminal_hints_at_html(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    table._print(made(RULES))
    assert "--format html" in capsys.readouterr().err


ESCALATED = """
rules:
  - {id: unhappy, when: {segment: detractor}, then: [{zendesk.ticket: {next_step: Call.}}]}
escalation:
  - id: nobody-called
    name: Nobody has called
    when: {customer.plan: enterprise}
    then: [{zendesk.ticket: {priority: urgent}}]
  - id: not-closed
    still: open
    overdue_by: 9h
    then: [{zendesk.ticket: {group: Leads}}]
"""


def test_what_happens_when_nobody_acts_stands_below_the_rules():
    found = made(ESCALATED)
    assert found.columns == ("#", "rule", "status", "segment", "customer.plan", "actions", "owner")
    assert found.rows[-2:] == (
        (
            ("",),
            ("escalation, nobody-called", "Nobody has called"),
            ("still untouched", "when it is due"),
            (),
            ("enterprise",),
            ("zendesk.ticket: priority urgent",),
            (),
        ),
        (
            ("",),
            ("escalation, not-closed",),
            ("still open", "9 h after it was due"),
            (),
            (),
            ("zendesk.ticket: group Leads",),
            (),
        ),
    )
