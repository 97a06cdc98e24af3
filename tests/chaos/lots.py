"""Which lot falls to answers that are followed up: what their rule promises, and what people at the
help desk do about their tickets."""

from __future__ import annotations

from dataclasses import dataclass

SCORE = 5  # of all of them: nobody else gives it, and none of them says anything again
SHARE = 0.15  # of all answers


@dataclass(frozen=True)
class Lot:
    """`name` is a tag of the answer and of its ticket; its case is due `due` after the decision."""

    name: str
    due: str


LEFT = Lot("left", "1s")  # nobody begins; some are given to a colleague, who does not begin either
BEGUN = Lot("begun", "8s")  # somebody begins at once, and never closes it
LATE = Lot("late", "3s")  # somebody closes it at about the time at which it is due
CLOSED = Lot("closed", "4h")  # somebody begins, or not, and closes it
LOTS = {lot.name: lot for lot in (LEFT, BEGUN, LATE, CLOSED)}

# The steps of the escalation: who has not begun when the case is due, who has not closed it after.
NOBODY, STILL_OPEN = "nobody", "still-open"
STILL_OPEN_AFTER_SECONDS = 1

_RULE = """
  - id: {lot.name}
    when: {{tags: {lot.name}}}
    then: [{{zendesk.ticket: {{respond_within: {lot.due}, tags: [{lot.name}]}}}}]"""
RULES = f"""
escalation:
  - id: {NOBODY}
    still: untouched
    then:
      - zendesk.ticket: {{priority: urgent}}
      - slack.message: {{channel: "#retention", text: "{{{{ customer.name }}}} waits."}}
  - id: {STILL_OPEN}
    still: open
    overdue_by: {STILL_OPEN_AFTER_SECONDS}s
    then: [{{zendesk.ticket: {{priority: urgent}}}}]
rules:""" + "".join(_RULE.format(lot=lot) for lot in LOTS.values())
