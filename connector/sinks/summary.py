"""What a person needs to make the call, said once for every ticket, task and alert.

Everything here came from outside: control characters go, template braces are broken up, HTML is
escaped. The comment stays in its own words and is cut only where a vendor has a limit.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from connector.domain import EarlierAnswer, Facts, Order, Scalar
from connector.text import one_line, storable

Lines = list[tuple[str, str]]

SHORT = 300  # characters of a name, a plan, a link
NEXT_STEP = 2_000
EARLIER = 120
COMMENT = "Comment"
BLOCKS = ("Next step", COMMENT, "Earlier answers")  # may have several lines
LINKS = ("Answer", "History")
THEIR_OWN = ("Score", COMMENT, "Survey", "Answered")

# C0 and C1 without tab and line feed; embeddings, overrides and isolates, which could reorder the
# words around them. Joiners stay: emoji and several scripts need them.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_BREAKS = re.compile("\r\n?|\u2028|\u2029|\x0b|\x0c|\x85")
_BRACES = re.compile(r"\{(?=[{%#])|(?<=[}%#])\}")


def lines(order: Order, for_customer: bool = False) -> Lines:
    """Label and value, most useful first; absent things have no line.

    `for_customer`: only what they told us themselves; nothing of what we know or plan.
    """
    facts = order.facts
    next_step = inert(str(order.params.get("next_step") or ""))
    survey = (facts.survey_name or facts.survey, facts.brand)
    found = [
        ("Next step", _cut(next_step.strip(), NEXT_STEP)),
        ("Respond by", moment(order.due_at)),
        ("Score", score_words(facts)),
        (COMMENT, inert(facts.comment).strip()),
        ("Language", facts.language if facts.comment else ""),
        ("Topics", ", ".join(map(_spoken, order.topics))),
        ("The customer asks for", ", ".join(_asked_for(order))),
        ("Contradiction", _contradiction(order)),
        ("Survey", " - ".join(part for part in survey if part)),
        ("Answered", moment(facts.answered_at)),
        ("Customer", _known(facts.customer.get("name"))),
        ("E-mail", _known(facts.customer.get("email"))),
        ("Phone", _known(facts.customer.get("phone"))),
        ("Company", _known(facts.company.get("name"), facts.customer.get("company"))),
        ("Plan", _known(facts.customer.get("plan"), facts.company.get("plan"))),
        ("Value", _known(facts.customer.get("value"), facts.company.get("value"))),
        ("Owner", _known(facts.customer.get("owner"), facts.company.get("owner"))),
        ("Earlier answers", "\n".join(_earlier(one) for one in facts.history.earlier)),
        ("Answer", facts.link or ""),
        ("History", order.page),
        ("Rule", order.rule_name),
    ]
    return [
        (label, value if label in BLOCKS else one_line(inert(value), SHORT))
        for label, value in found
        if value and (label in THEIR_OWN or not for_customer)
    ]


def as_text(
    order: Order,
    limit: int | None = None,
    *,
    notes: Sequence[str] = (),
    for_customer: bool = False,
    size: Callable[[str], int] = len,
) -> str:
    """Plain text: `Label: value` lines, the comment quoted with `> `.

    `notes` are our own remarks (an ambiguous contact) and come first. `limit` is the vendor's, in
    units of `size`; above it the comment is cut and a sentence says where the whole text is.
    """
    rows = lines(order, for_customer)

    def render(comment: str) -> str:
        parts = [f"Note: {inert(note)}" for note in notes]
        parts += [_row(label, comment if label == COMMENT else value) for label, value in rows]
        return "\n".join(parts)

    return _fitted(render, order, rows, limit, size)


def as_html(
    order: Order,
    limit: int | None = None,
    *,
    notes: Sequence[str] = (),
    for_customer: bool = False,
    size: Callable[[str], int] = len,
) -> str:
    """The same for HTML targets: paragraphs with bold labels, the comment as a block quote.

    Only `p`, `b`, `br`, `blockquote` and, for http(s) links, `a` are used.
    """
    rows = lines(order, for_customer)

    def render(comment: str) -> str:
        parts = [f"<p><b>Note:</b> {escaped(note)}</p>" for note in notes]
        facts: list[str] = []
        for label, value in rows:
            if label == COMMENT:
                parts += _paragraph(facts)
                parts.append(f"<blockquote>{escaped(comment)}</blockquote>")
            elif label in LINKS:
                facts.append(f"<b>{label}:</b> {_link(value)}")
            else:
                facts.append(f"<b>{label}:</b> {escaped(value)}")
        return "".join(parts + _paragraph(facts))

    return _fitted(render, order, rows, limit, size)


def score_words(facts: Facts) -> str:
    """`2 of 10, detractor`; on a scale that does not start at 0: `4 on a scale of 1 to 5`."""
    if facts.score is None:
        return "none given"
    from_zero = facts.scale_low == 0
    scale = (
        f"of {facts.scale_high}"
        if from_zero
        else (f"on a scale of {facts.scale_low} to {facts.scale_high}")
    )
    return f"{facts.score} {scale}" + (f", {facts.segment}" if facts.segment else "")


def moment(when: datetime | None) -> str:
    """`2026-11-25 14:30 UTC`; empty without a time."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if when else ""


def inert(text: str) -> str:
    """Without control characters, and with `{{`, `{%` and `{#` broken up: Zendesk fills
    placeholders in what an agent writes. https://support.zendesk.com/hc/articles/4408886858138
    """
    return _BRACES.sub(_apart, _UNWANTED.sub("", _BREAKS.sub("\n", storable(text))))


def headline(text: str, limit: int) -> str:
    """One inert line for a subject."""
    return one_line(inert(text), limit)


def escaped(text: str) -> str:
    """Inert, HTML-escaped, line feeds as `<br>`."""
    return html.escape(inert(text)).replace("\n", "<br>")


def _apart(brace: re.Match[str]) -> str:
    return "{ " if brace[0] == "{" else " }"


def _fitted(
    render: Callable[[str], str],
    order: Order,
    rows: Lines,
    limit: int | None,
    size: Callable[[str], int],
) -> str:
    comment = dict(rows).get(COMMENT, "")
    whole = render(comment)
    if limit is None or size(whole) <= limit:
        return whole
    where = f"\n(cut; all {len(comment)} characters are kept under {order.facts.response_id})"
    least, most = 0, len(comment)
    while least < most:
        middle = (least + most + 1) // 2
        fits = size(render(comment[:middle].rstrip() + "…" + where)) <= limit
        least, most = (middle, most) if fits else (least, middle - 1)
    return render(comment[:least].rstrip() + "…" + where)


def _known(*values: Scalar) -> str:
    """The first value that says something; 0 and False do."""
    return next((str(value) for value in values if value is not None and value != ""), "")


def _spoken(name: str) -> str:
    """`after_sales` -> `after sales`."""
    return name.replace("_", " ").replace("-", " ")


def _asked_for(order: Order) -> Iterator[str]:
    for flag in order.flags:
        what, _, name = flag.partition(":")
        if what == "asks_for":
            yield _spoken(name)


def _contradiction(order: Order) -> str:
    """`10 with words of complaint (broken, awful)`."""
    if "contradiction" not in order.flags:
        return ""
    words = ", ".join(word.partition(": ")[2] or word for word in order.complaints)
    return f"{order.facts.score} with words of complaint ({words})"


def _earlier(answer: EarlierAnswer) -> str:
    when = f"{answer.answered_at.astimezone(UTC):%Y-%m-%d}" if answer.answered_at else "undated"
    score = "no score" if answer.score is None else f"score {answer.score}"
    segment = f", {answer.segment}" if answer.segment else ""
    survey = f" ({one_line(answer.survey, 60)})" if answer.survey else ""
    said = one_line(inert(answer.comment), EARLIER)
    return f"{when}: {score}{segment}{survey}" + (f' - "{said}"' if said else "")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _row(label: str, text: str) -> str:
    if label == COMMENT:
        return f"{label}:\n" + "\n".join(f"> {line}" for line in text.split("\n"))
    if "\n" in text:
        return f"{label}:\n" + "\n".join(f"  {line}" for line in text.split("\n"))
    return f"{label}: {text}"


def _paragraph(facts: list[str]) -> list[str]:
    """The collected rows as one paragraph, if there are any; the collection starts anew."""
    joined = f"<p>{'<br>'.join(facts)}</p>" if facts else ""
    facts.clear()
    return [joined] if joined else []


def _link(address: str) -> str:
    shown = escaped(address)
    safe = re.fullmatch(r"https?://[^\s\"'<>]+", address)
    return f'<a href="{shown}">{shown}</a>' if safe else shown
