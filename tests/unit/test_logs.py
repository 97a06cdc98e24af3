"""What stands in a log line, and what never does."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from connector import logs
from connector.errors import Refused


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


log = logging.getLogger("connector.somewhere")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_away_from_a_terminal_every_line_is_a_json_object(capsys):
    logs.set_up()
    log.info("decided %d", 3, extra={"response": "r1", "source": "app"})
    [line] = lines(capsys)
    at = str(line.pop("at"))
    assert at.endswith("Z")
    assert "T" in at
    assert line == {
        "level": "info",
        "logger": "connector.somewhere",
        "message": "decided 3",
        "response": "r1",
        "source": "app",
    }


def test_on_a_terminal_it_is_a_plain_line(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.set_up()
    log.warning("slow", extra={"sink": "desk"})
    assert terminal.getvalue().endswith(" WARNING connector.somewhere: slow sink=desk\n")


@pytest.mark.parametrize("chosen", ["text", "json"])
def test_the_format_can_be_chosen(monkeypatch, chosen):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    logs.set_up(chosen)
    log.info("hello")
    assert terminal.getvalue().startswith("{") == (chosen == "json")


@pytest.mark.parametrize("chosen", ["text", "json"])
def test_no_address_and_no_text_of_an_unknown_exception_is_logged(capsys, chosen):
    logs.set_up(chosen)
    log.error("mail to ana.lopez+nps@example.com bounced; also bo%40example.org")
    try:
        try:
            raise KeyError("what Ana wrote")
        except KeyError as error:
            raise ValueError("Ana again") from error
    except ValueError:
        log.exception("it failed")
    text = capsys.readouterr().err
    assert "example" not in text
    assert "Ana" not in text
    assert "<address>" in text
    assert "KeyError" in text
    assert "ValueError" in text
    assert "test_logs.py" in text  # the place is what helps


def test_our_own_errors_keep_their_sentence(capsys):
    logs.set_up("json")
    try:
        raise Refused("the group 'Retention' does not exist")
    except Refused:
        log.exception("refused")
    [line] = lines(capsys)
    assert line["error"] == "Refused"
    assert line["trace"][-1] == "Refused: the group 'Retention' does not exist"


def test_only_known_fields_are_written(capsys):
    logs.set_up("json")
    log.info("x", extra={"comment": "what Ana wrote", "action": 7})
    [line] = lines(capsys)
    assert "comment" not in line
    assert line["action"] == 7


def test_a_message_cannot_break_out_of_its_line(capsys):
    logs.set_up("json")
    log.info("first\nsecond")
    assert len(lines(capsys)) == 1


def test_the_address_of_a_server_can_be_read(capsys):
    logs.set_up("text")
    log.error("cannot connect to redis://:**@10.0.0.5:6379/0")
    assert "10.0.0.5:6379" in capsys.readouterr().err
