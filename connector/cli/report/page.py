"""A report as one HTML page without scripts, for a mail, a wiki or a printer; that of the NPS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from connector.cli.report.nps import figures, heading, left_out, name_of, place_of, summary
from connector.cli.tables import cell

_SEGMENTS = ("promoters", "passives", "detractors")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; margin: 2rem auto; max-width: 62rem;
  padding: 0 1rem; }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.25rem; }
p { margin: .25rem 0 .75rem; }
.verdict { border-left: 4px solid #5f6b7a; padding-left: .75rem; }
.fell { border-color: #b3261e; } .rose { border-color: #1b6e3c; }
.note, caption, td.few { color: #595959; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .25rem; }
th, td { border-bottom: 1px solid #d0d0d0; padding: .35rem .6rem; text-align: right; }
th:first-child { text-align: left; overflow-wrap: anywhere; }
th[scope=row] { font-weight: normal; }
td.few { font-style: italic; }
td.scale { min-width: 9rem; padding: 0 .6rem; }
.track { position: relative; height: 1.1rem; background:
  linear-gradient(#8a8a8a, #8a8a8a) 50% 0 / 1px 100% no-repeat; }
.range { position: absolute; top: .45rem; height: .2rem; background: #2457a6; }
.dot { position: absolute; top: .25rem; width: .6rem; height: .6rem; margin-left: -.3rem;
  border-radius: 50%; background: #2457a6; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } tr { break-inside: avoid; }
  .range, .dot, .track { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_ABOUT = (
    "The interval holds the NPS of everybody who might have answered in 95 of 100 cases, as far as "
    "those who answered are like them. The verdict on change may be read every week: in a year "
    "without a change it raises an alarm for at most one survey in twenty."
)


def page_of(told: Mapping[str, Any]) -> str:
    """The whole page; every text from outside is escaped."""
    title = f"NPS, {cell(told['since'])} to {cell(told['until'])} UTC"
    blocks = "\n".join("\n".join(_block(block, told)) for block in told["surveys"])
    return whole_page(title, blocks or "<p>There are no such answers.</p>", _ABOUT)


def whole_page(title: str, body: str, about: str) -> str:
    """A page that needs nothing else; `body` is HTML, the others are text."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
<p class="note">{escape(about)}</p>
</main>
</body>
</html>
"""


def paragraphs(lines: Iterable[str]) -> Iterator[str]:
    yield from (f"<p>{escape(line)}</p>" for line in lines if line)


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The first cell of each row is its name."""
    yield f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>'
    yield "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for first, *others in rows:
        cells = "".join(f"<td>{escape(_shown(value))}</td>" for value in others)
        yield f'<tr><th scope="row">{escape(str(first))}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _block(block: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2>{escape(heading(block))}</h2>"
    yield f"<p>{escape(summary(block, told['min_n']))}</p>"
    found = block["change"]
    if found:
        kind = found["word"] if found["word"] in ("fell", "rose") else "same"
        yield f'<p class="verdict {kind}">{escape(found["words"])}</p>'
    if missing := left_out(block):
        yield f'<p class="note">{escape(missing)}</p>'
    if told["by"] != "survey":
        yield from _table(block, told)
    if block["ranking"]:
        yield f"<p>{escape(block['ranking'])}</p>"


def _table(block: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[str]:
    placed = any(group["best_place"] for group in block["groups"])
    heads: Sequence[str] = (told["by"], "n")
    if not block["note"]:
        heads = (*heads, "NPS", "95 % interval", "-100 to 100", *_SEGMENTS)
    heads = (*heads, *(("place",) if placed else ()))
    yield '<div class="wide"><table>'
    yield f"<caption>By {escape(told['by'])}</caption>"
    shown = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    yield f"<thead><tr>{shown}</tr></thead><tbody>"
    for group in block["groups"]:
        yield f"<tr>{''.join(_row(group, block, placed))}</tr>"
    yield "</tbody></table></div>"


def _row(group: Mapping[str, Any], block: Mapping[str, Any], placed: bool) -> Iterator[str]:
    partly = " (in part)" if group["partial"] else ""
    name = escape(name_of(group["group"]) + partly)
    yield f'<th scope="row">{name}</th><td>{group["n"]:,}</td>'
    if not block["note"]:
        score, between = figures(group)
        few = "" if group["enough"] else ' class="few"'
        yield f"<td{few}>{escape(score)}</td><td{few}>{escape(between)}</td>"
        yield f'<td class="scale">{_drawn(group)}</td>'
        yield from (f"<td>{group[segment]:,}</td>" for segment in _SEGMENTS)
    if placed:
        yield f"<td>{escape(place_of(group))}</td>"


def _drawn(group: Mapping[str, Any]) -> str:
    """The interval on a line from -100 to 100; the same figures stand beside it."""
    if not group["enough"]:
        return ""
    left, right, dot = ((group[key] + 100) / 2 for key in ("low", "high", "nps"))
    return (
        '<div class="track" aria-hidden="true">'
        f'<span class="range" style="left:{left:.1f}%;width:{right - left:.1f}%"></span>'
        f'<span class="dot" style="left:{dot:.1f}%"></span></div>'
    )
