"""What every sink must hold when the far side says no, wait, or nothing; and what it never says."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.contract.harness import Shown
from tests.contract.sink_bench import NAME, PERSON, SAID, SinkBench
from tests.contract.sink_harness import with_subject
from tests.contract.sink_recovery import HTML, assert_one_effect, each_request
from tests.contract.watching import (
    HANGS_SECONDS,
    IMPATIENT,
    IN_TIME_SECONDS,
    PATIENT,
    http_date,
    is_bounded,
    listening,
    secrets_of,
    stopwatch,
    timeouts,
)


def check_one_refused_item_costs_only_itself(bench: SinkBench) -> None:
    keys = [bench.place(number) for number in (1, 2, 3)]
    bench.harness.refuse_second(bench.sandbox)
    bench.settle()
    assert sorted(bench.states()) == ["done", "done", "parked"]
    assert bench.effects() == 2
    there = json.dumps(bench.state())
    for number, key in enumerate(keys, start=1):
        row = bench.row(key)
        arrived = key in there or f"({number} times)" in there
        assert arrived == (row.state == "done"), "the refusal was booked on another one"
        assert bool(row.remote_id) == arrived
        assert arrived or bench.harness.words in row.error
    assert any(bench.harness.words in alarm for alarm in bench.alarms())


def check_a_rate_limit_makes_the_whole_account_wait(bench: SinkBench) -> None:
    for as_date in (False, True):
        for arm in (bench.fault, bench.fault_writes):
            bench.anew()
            wish = http_date(90) if as_date else "90"
            arm("status", status=429, headers={"Retry-After": wish}, body=HTML, times=None)
            for number in (1, 2):
                bench.place(number)
            began, sink = bench.now(), bench.sink()
            bench.deliver(sink)
            paused = bench.paused_until()
            assert paused is not None
            assert (paused - began).total_seconds() == pytest.approx(90, abs=10)
            asked = len(bench.requests())
            bench.wait(timedelta(seconds=70))
            assert bench.deliver(sink).actions == 0
            assert len(bench.requests()) == asked, "asked again before the time"
            bench.vendor.clear_faults()
            bench.settle(sink)
            assert bench.states() == ["done", "done"]
            assert bench.effects() == 2


def check_revoked_credentials_pause_until_they_are_mended(bench: SinkBench) -> None:
    sink = bench.sink()
    bench.place(1)
    bench.settle(sink)
    bench.harness.revoke(bench.sandbox)
    for number in (2, 3):
        bench.place(number)
    for adapter in (sink, bench.sink()):
        bench.deliver(adapter)
        paused = bench.paused_until()
        assert paused is not None
        assert paused > bench.now()
        assert bench.states() == ["done", "waiting", "waiting"], "nothing is given up"
        [alarm] = bench.alarms()
        assert alarm.startswith("sink-paused")
        asked = len(bench.requests())
        assert bench.deliver(adapter).actions == 0
        assert len(bench.requests()) == asked
        bench.wait(paused - bench.now() + timedelta(seconds=1))
    bench.harness.restore(bench.sandbox)
    bench.settle(sink)
    assert bench.states() == ["done"] * 3
    assert bench.effects() == 3
    assert bench.alarms() == []


def check_every_request_ends_in_time(bench: SinkBench) -> None:
    bench.place()
    with timeouts() as seen:
        sink = bench.sink()
        sink.check(bench.now())
        bench.deliver(sink)
    assert seen or bench.harness.vendor == "mail"
    assert all(is_bounded(timeout) for timeout in seen), "a request without a time-out"
    assert_one_effect(bench)
    for arm in (bench.fault, bench.fault_writes):
        bench.anew()
        bench.timeout = IMPATIENT
        sink = bench.sink()
        arm("hang", seconds=HANGS_SECONDS, times=3)
        bench.place()
        with stopwatch() as taken:
            bench.deliver(sink)
        assert taken[0] < IN_TIME_SECONDS, "nobody stopped waiting"
        bench.vendor.clear_faults()
        bench.timeout = PATIENT
        bench.settle()
        assert_one_effect(bench)


def check_rubbish_is_no_success(bench: SinkBench) -> None:
    """A reply that cannot be understood is neither a receipt nor a crash."""
    rubbish: list[Any] = [HTML, "null", [], {}, {"results": 3}, {"ok": None}, [{"success": 1}]]
    headers = {"content-type": "application/json"}
    for body in bench.some(rubbish):
        bench.anew()
        bench.fault_writes("status", status=200, body=body, headers=headers)
        bench.place()
        bench.settle()
        assert_one_effect(bench, f"the write was answered with {body!r}")
    bench.anew()
    for number in each_request(bench):
        body = {} if number % 2 else HTML
        bench.fault("status", skip=number, status=200, body=body, headers=headers)
        bench.place()
        bench.settle()
        assert_one_effect(bench, f"request {number + 1} was answered with {body!r}")


def check_the_doctor_reads_and_tells(bench: SinkBench) -> None:
    sink = bench.sink()
    assert all(finding.ok for finding in sink.check(bench.now()))
    assert bench.writes() == []
    assert bench.effects() == 0
    bench.harness.revoke(bench.sandbox)
    for asked in (sink, bench.sink()):
        findings = asked.check(bench.now())
        assert not all(finding.ok for finding in findings)
        assert all(finding.message for finding in findings)


# -- hostile answers ------------------------------------------------------------------------------

NASTY = [
    "<script>alert('sorrel')</script> <img src=x onerror=alert(1)> </p></blockquote><b>",
    "sorrel {{8191*8191}} {% raw %} {{ticket.requester.email}} ${8191*8191} <%= 8191*8191 %>",
    "sorrel #{8191*8191}",
    "=cmd|'/c calc'!A1 sorrel",
    "@sorrel <!channel> <@U0000000> <https://evil.example.com|click> *bold*",
    "sorrel\r\nBcc: victim@example.com\r\n\r\nbody\n.\r\nQUIT\r\n",
    "sor\x00rel".replace("\x00", "") + "\x00 \x1b[31m \x07 \u202e\u2066 \ufeff",
    "sorrel' OR '1'='1' \"; DROP TABLE tasks; -- \\' %s %(x)s",
    "sorrel " + "é🙂\u05d0\u200f " * 12_500,  # 100 kB
]
SAFE_TAGS = {"p", "b", "br", "blockquote", "a", "ul", "li", "strong", "em", "div", "span"}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_inert(shown: Shown) -> None:
    text = shown.text
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text), "a control character"
    assert "67092481" not in text, "a template was run"
    if shown.form == "html":
        parser = Tags()
        parser.feed(text)
        for tag, attributes in parser.found:
            assert tag in SAFE_TAGS
            assert set(attributes) <= {"href"}
            assert str(attributes.get("href", "https://")).startswith(("https://", "http://"))
        assert "{{" not in text, "Zendesk fills in what stands in double braces"
    elif shown.form == "mrkdwn":
        links = re.findall(r"<[^>]*>", text)
        assert all(link.startswith("<https://app.delighted.com/") for link in links), links
    elif shown.form in ("line", "cell"):
        assert "\n" not in text
        assert "\r" not in text
    if shown.form == "cell":
        assert not text.startswith(("=", "+", "-", "@")), "a spreadsheet would run it"


def check_a_hostile_answer_arrives_inert(bench: SinkBench) -> None:
    for nasty in bench.some(NASTY):
        bench.anew()
        customer = {"email": PERSON, "name": nasty, "plan": nasty}
        key = bench.place(
            params=with_subject(bench.harness, nasty),
            comment=nasty,
            customer=customer,
            company={"name": nasty},
        )
        bench.settle()
        row = bench.row(key)
        assert (row.state, bench.effects()) == ("done", 1), (nasty[:40], row.error)
        shown = bench.shown()
        assert any("sorrel" in one.text for one in shown), "the customer's words are gone"
        for one in shown:
            assert_inert(one)


WAYS = ("quiet", "echo", "echo_all", "lose_reply", "drop", "revoked")


def check_nothing_secret_or_personal_is_said(bench: SinkBench) -> None:
    with listening() as heard:
        heard.texts += [repr(bench.chosen()), str(bench.chosen()), repr(bench.sink())]
        heard.texts.append(bench.sink().account)
        for way in bench.some(WAYS):
            bench.anew()
            sink = bench.sink()
            echoed = bench.harness.echo(f"{PERSON} wrote: {SAID}. I am {NAME}")
            if way == "echo":
                arm = bench.fault if "method" in echoed else bench.fault_writes
                arm("status", **echoed)
            elif way == "echo_all":
                keys = " ".join(secrets_of(bench.sandbox))
                said = {"error": f"{PERSON} {keys}", "message": f"{SAID} {keys}"}
                for status in (400, 401, 403, 404, 422):
                    bench.fault("status", status=status, body=json.dumps(said))
            elif way == "revoked":
                bench.harness.revoke(bench.sandbox)
            elif way != "quiet":
                bench.fault_writes(way)
            bench.place()
            for _ in range(6):
                bench.deliver(sink)
                bench.wait(timedelta(minutes=6))
            heard.texts += [str(row.error) for row in bench.rows()]
            heard.texts += [str(row.remark) for row in bench.rows()]
            heard.texts += bench.alarms()
            heard.texts += [repr(finding) for finding in sink.check(bench.now())]
    assert heard.leaks([*secrets_of(bench.sandbox), PERSON, SAID, NAME]) == []


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
