"""Settings that would only hurt later are mistakes of the file, at their line."""

from __future__ import annotations

import pytest

from connector import config
from connector.errors import Invalid

FILE = """\
surveys:
  nps: {%(survey)s}
sources:
  %(source_id)s: {type: csv, survey: nps, columns: {score: S}%(source)s}
sinks:
  %(sink_id)s: {type: zendesk, subdomain: acme, email: a@example.com, api_token: "${T}"}
  chat: {type: slack, token: "${T}"}
alarms: {sink: %(alarms)s, channel: "#ops"}
"""
GOOD = {
    "survey": "",
    "source_id": "app",
    "source": "",
    "sink_id": "desk",
    "alarms": "chat",
}


def problems(tmp_path, **changes) -> list[str]:
    file = tmp_path / "connector.yaml"
    file.write_text(FILE % {**GOOD, **changes})
    try:
        config.load(file, {"T": "t"})
    except Invalid as invalid:
        return [str(problem).removeprefix(f"{file}:") for problem in invalid.problems]
    return []


def test_the_file_itself_is_in_order(tmp_path):
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        ({"source": ", act_since: 2026-11-01"}, 4, "with its zone"),
        ({"source": ", act_since: 2026-11-01T09:00:00"}, 4, "with its zone"),
        ({"source": ", poll_every: 0"}, 4, "poll_every: must be at least"),
        ({"source": ", act_within: 99999999999d"}, 4, "as long as that"),
        ({"survey": "retention_days: 0"}, 2, "retention_days: must be at least 1"),
        ({"survey": "retention_days: -30"}, 2, "retention_days: must be at least 1"),
        ({"alarms": "desk"}, 8, "sink of type slack"),
        ({"alarms": "nobody"}, 8, "does not exist"),
        ({"source_id": "a" * 101}, 4, "cannot be an id"),
        ({"source_id": '"a/b"'}, 4, "cannot be an id"),
        ({"source_id": '"two words"'}, 4, "cannot be an id"),
        ({"sink_id": "é"}, 6, "cannot be an id"),
    ],
)
def test_a_setting_that_would_hurt_later_is_found_before(tmp_path, changes, line, words):
    [problem] = problems(tmp_path, **changes)
    assert problem.startswith(f"{line}:")
    assert words in problem
