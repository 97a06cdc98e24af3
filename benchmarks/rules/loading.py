"""How long until rules can decide: from the files, and again while their text is remembered."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Figure
from connector.catalog import vocabulary
from connector.domain import Survey
from connector.rules.files import read_directory
from connector.rules.kept import KeptRulesets
from connector.rules.template_check import compile_template

if TYPE_CHECKING:
    from benchmarks.installation import World
    from benchmarks.scale import Scale

_RULES = 500
_MOST_COLD_SECONDS, _MOST_AGAIN_SECONDS = 2.0, 0.1
_RULE = """
  - id: rule-{number}
    name: Refund asked for by plan {number}
    owner: cx-ops@example.com
    when:
      segment: detractor
      customer.plan: {{in: [plan {number}, scale]}}
      comment: {{mentions: [refund{number}, reembolso, cancel*]}}
      any:
        - history.previous_segment: promoter
        - customer.value: {{at_least: {number}000}}
    then:
      - zendesk.ticket:
          subject: "NPS {{{{ score }}}} of {number}: {{{{ customer.name | default('-') }}}}"
          next_step: Call today.
          priority: urgent
          respond_within: 4h
      - slack.message: {{channel: "#retention", text: "{number}: {{{{ customer.plan }}}} left"}}
    examples:
      - given: {{score: 3, customer: {{plan: scale, value: 900000}}, comment: Quiero un reembolso}}
        fires: true
      - given: {{score: 9, customer: {{plan: scale, value: 900000}}, comment: Reembolso}}
        fires: false
"""


def load(_world: World, scale: Scale) -> Iterator[Figure]:
    """Processor seconds for 500 rules with two actions and two examples each."""
    words = vocabulary(
        {"nps": Survey(id="nps")}, {"app": "webhook"}, {"desk": "zendesk", "chat": "slack"}, {}
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rules.yaml"
        file.write_text("rules:" + "".join(_RULE.format(number=n) for n in range(_RULES)))
        cold, again = float("inf"), float("inf")
        for _ in range(1 + scale.repeats):
            compile_template.cache_clear()
            kept = KeptRulesets(words)
            cold = min(cold, _seconds(kept, file))
            again = min(again, _seconds(kept, file))
    what = f"{_RULES} rules, {file.name}"
    yield Figure(f"{what} to an index that decides", cold, "s", _MOST_COLD_SECONDS, "most")
    yield Figure(f"{what} unchanged, read again", again, "s", _MOST_AGAIN_SECONDS, "most")


def _seconds(kept: KeptRulesets, file: Path) -> float:
    began = time.process_time()
    loaded = kept.load(read_directory(file, file.parent / "templates"))
    if loaded.ruleset is None:
        raise ValueError("\n".join(map(str, loaded.problems)))
    _ = loaded.ruleset.index  # made when first asked for
    return time.process_time() - began
