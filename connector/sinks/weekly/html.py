"""The HTML part of a digest: tables and styles at each element, as mail programs need them; one
column of at most 600 pixels that fits a telephone; every text from outside is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from connector.sinks.weekly import telling
from connector.sinks.weekly.chart import HEIGHT, WIDTH
from connector.sinks.weekly.content import SurveyFigures, Weekly
from connector.sinks.weekly.words import say
from connector.text import one_line

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_P = "margin:0 0 6px;font-size:15px;line-height:1.45;color:#1d1c1a"
_QUIET = "margin:0 0 6px;font-size:13px;line-height:1.45;color:#615d56"
_H1 = "margin:0 0 4px;font-size:21px;line-height:1.3;color:#1d1c1a"
_QUOTE = "margin:0 0 12px;padding:2px 0 2px 12px;border-left:3px solid"
_LINK = "color:#0b6259"
_H2 = "margin:28px 0 8px;font-size:17px;line-height:1.3;color:#1d1c1a"
_CELL = "padding:6px 12px 6px 0;border-bottom:1px solid #e2ded6;font-size:15px;color:#1d1c1a"
_COLOURS = {"detractor": "#a3221a", "passive": "#7d4f00", "promoter": "#1c6433"}
_VERDICTS = {"fell": "#a3221a", "rose": "#1c6433"}


def as_html(told: Weekly, image: Callable[[int], str]) -> str:
    """`image(n)`: the address of the n-th chart."""
    inside = "\n".join(_parts(told, image))
    title = escape(telling.subject(told))
    return f"""<!doctype html>
<html lang="{told.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{title}</title>
</head>
<body style="margin:0;padding:0;background:#fbfaf8;{_FONT}">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" \
style="background:#fbfaf8"><tr><td align="center" style="padding:16px 8px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" \
style="max-width:600px;background:#ffffff;border:1px solid #e2ded6;text-align:left">
<tr><td style="padding:24px 20px;{_FONT}">
{inside}
</td></tr></table>
</td></tr></table>
</body>
</html>
"""


def _parts(told: Weekly, image: Callable[[int], str]) -> Iterator[str]:
    lang = told.language
    yield f'<h1 style="{_H1}">{escape(telling.heading(told))}</h1>'
    if not told.surveys:
        yield _paragraph(say(lang, "There were no answers."))
    charted = telling.charted(told)
    for one in told.surveys:
        yield from _survey(told, one, image(charted.index(one)) if one in charted else "")
    yield _heading(say(lang, "Closing the loop"))
    yield from _table(telling.loop_rows(told))
    if told.dashboard:
        link, words = escape(told.dashboard), escape(say(lang, "Open the dashboard"))
        yield f'<p style="{_P};padding-top:10px"><a href="{link}" style="{_LINK}">{words}</a></p>'
    yield _heading(say(lang, "Gaps"))
    yield from (_paragraph(line) for line in telling.gaps(told))
    if told.topics:
        yield _heading(say(lang, "Topics"))
        yield _paragraph(" · ".join(telling.topics(told)))
    yield _heading(say(lang, "In their words"))
    if not told.verbatims:
        yield _paragraph(say(lang, "Nobody wrote anything."))
    for verbatim in told.verbatims:
        colour = _COLOURS.get(verbatim.segment or "", "#8a857b")
        yield (
            f'<blockquote style="{_QUOTE} {colour}">'
            f'<p style="{_P};overflow-wrap:anywhere">{escape(telling.words_of(verbatim))}</p>'
            f'<p style="{_QUIET}">{escape(telling.about(told, verbatim))}</p></blockquote>'
        )
    yield f'<p style="{_QUIET};padding-top:16px">{escape(say(lang, telling.ABOUT))}</p>'


def _survey(told: Weekly, one: SurveyFigures, chart: str) -> Iterator[str]:
    yield _heading(one_line(one.name, 120))
    yield f'<p style="{_P};font-weight:600">{escape(telling.figure(told, one))}</p>'
    colour = _VERDICTS.get(one.verdict, "#1d1c1a")
    yield f'<p style="{_P};color:{colour}">{escape(telling.change(told, one))}</p>'
    yield f'<p style="{_QUIET}">{escape(telling.answers(told, one))}</p>'
    if chart:
        words = escape(telling.chart_words(told, one))
        yield (
            f'<img src="{escape(chart)}" width="{WIDTH}" height="{HEIGHT}" alt="{words}" '
            f'style="display:block;width:100%;max-width:{WIDTH}px;height:auto;border:0">'
        )


def _heading(text: str) -> str:
    return f'<h2 style="{_H2}">{escape(text)}</h2>'


def _paragraph(text: str) -> str:
    return f'<p style="{_P}">{escape(text)}</p>'


def _table(rows: list[tuple[str, str]]) -> Iterator[str]:
    yield '<table width="100%" cellpadding="0" cellspacing="0" border="0">'
    for name, value in rows:
        yield (
            f'<tr><th scope="row" align="left" style="{_CELL};font-weight:400;color:#615d56">'
            f'{escape(name)}</th><td style="{_CELL}">{escape(value)}</td></tr>'
        )
    yield "</table>"
