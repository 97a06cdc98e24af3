"""The sentences of a digest, shared by its text and its HTML; the text, complete by itself."""

from __future__ import annotations

from collections.abc import Iterator

from connector.sinks.summary import inert
from connector.sinks.weekly.content import LoopFigures, SurveyFigures, Verbatim, Weekly
from connector.sinks.weekly.words import day, number, say
from connector.text import one_line

ABOUT = (
    "An interval is about chance among those who answered. The verdict may be read every week: "
    "without a change it raises an alarm for at most one survey in twenty in a year."
)


def subject(told: Weekly) -> str:
    return say(told.language, "NPS, week of {week}", week=day(told.language, told.first, True))


def heading(told: Weekly) -> str:
    first, last = day(told.language, told.first), day(told.language, told.last, True)
    return say(told.language, "Week of {first} to {last}", first=first, last=last)


def figure(told: Weekly, one: SurveyFigures) -> str:
    lang = told.language
    if one.nps is None or one.low is None or one.high is None:
        words = "Too few answers to say an NPS: n {n} in four weeks"
        return say(lang, words, n=number(lang, one.n))
    values = {name: number(lang, getattr(one, name)) for name in ("nps", "low", "high", "n")}
    return say(lang, "NPS {nps}, 95 % interval {low} to {high}, n {n} in four weeks", **values)


def change(told: Weekly, one: SurveyFigures) -> str:
    lang = told.language
    words = "{weeks} weeks against the year before: {verdict}"
    said = say(lang, words, weeks=one.weeks, verdict=say(lang, one.verdict))
    if one.difference is None or one.change_low is None or one.change_high is None:
        return said
    values = {
        "difference": number(lang, one.difference, signed=True),
        "low": number(lang, one.change_low, signed=True),
        "high": number(lang, one.change_high, signed=True),
    }
    return f"{said} ({say(lang, '{difference} points, interval {low} to {high}', **values)})"


def answers(told: Weekly, one: SurveyFigures) -> str:
    return say(told.language, "Answers this week: {n}", n=number(told.language, one.answers))


def loop_rows(told: Weekly) -> list[tuple[str, str]]:
    lang, loop = told.language, told.loop
    counts = (
        ("New cases", loop.opened),
        ("Closed", loop.closed),
        ("Open", loop.open),
        ("Overdue", loop.overdue),
        ("Detractors nobody has contacted", loop.untouched),
    )
    rows = [(say(lang, words), number(lang, count)) for words, count in counts]
    return [*rows, (say(lang, "On time"), _on_time(lang, loop))]


def _on_time(lang: str, loop: LoopFigures) -> str:
    if not loop.due or loop.low is None or loop.high is None:
        return say(lang, "nothing was due")
    values = {
        "share": number(lang, 100 * loop.on_time / loop.due),
        "low": number(lang, 100 * loop.low),
        "high": number(lang, 100 * loop.high),
        "n": number(lang, loop.due),
    }
    return say(lang, "{share} % ({low} to {high}) of {n} due in four weeks", **values)


def gaps(told: Weekly) -> list[str]:
    lang = told.language
    if not told.gaps:
        return [say(lang, "No gaps: everything received was decided and delivered.")]
    return [f"{number(lang, gap.number)} {say(lang, gap.what)}" for gap in told.gaps]


def topics(told: Weekly) -> list[str]:
    return [
        f"{one_line(inert(topic.name), 60)}: {number(told.language, topic.number)}"
        for topic in told.topics
    ]


def about(told: Weekly, one: Verbatim) -> str:
    """`3 of 10, Relationship`."""
    lang = told.language
    score = say(lang, "no score")
    if one.score is not None:
        score = say(lang, "{score} of {high}", score=one.score, high=one.high)
    return f"{score}, {one_line(inert(one.survey), 80)}"


def words_of(one: Verbatim) -> str:
    return one_line(inert(one.words), 400)


def chart_words(told: Weekly, one: SurveyFigures) -> str:
    """What the chart shows, for whoever does not see it."""
    lang = told.language
    weeks = []
    for point in one.points:
        if point.nps is not None and point.low is not None and point.high is not None:
            values = {n: number(lang, getattr(point, n)) for n in ("nps", "low", "high", "n")}
            words = "week of {day}: {nps} ({low} to {high}), n {n}"
            weeks.append(say(lang, words, day=day(lang, point.monday), **values))
    return f"{say(lang, 'NPS by week with its 95 % interval')}. {'; '.join(weeks)}".strip()


def as_text(told: Weekly) -> str:
    return "\n".join(_lines(told)) + "\n"


def _lines(told: Weekly) -> Iterator[str]:
    lang = told.language
    yield heading(told)
    if not told.surveys:
        yield from ("", say(lang, "There were no answers."))
    for one in told.surveys:
        yield from ("", one_line(inert(one.name), 120).upper())
        yield from (figure(told, one), change(told, one), answers(told, one))
        if _has_chart(one):
            yield chart_words(told, one)
    yield from ("", say(lang, "Closing the loop").upper())
    yield from (f"{name}: {value}" for name, value in loop_rows(told))
    if told.dashboard:
        yield f"{say(lang, 'Open the dashboard')}: {told.dashboard}"
    yield from ("", say(lang, "Gaps").upper(), *gaps(told))
    if told.topics:
        yield from ("", say(lang, "Topics").upper(), *topics(told))
    yield from ("", say(lang, "In their words").upper())
    if not told.verbatims:
        yield say(lang, "Nobody wrote anything.")
    for verbatim in told.verbatims:
        yield from (f"> {words_of(verbatim)}", f"  ({about(told, verbatim)})")
    yield from ("", say(lang, ABOUT))


def _has_chart(one: SurveyFigures) -> bool:
    return any(point.nps is not None for point in one.points)


def charted(told: Weekly) -> list[SurveyFigures]:
    """The surveys of which there is something to draw, in their order."""
    return [one for one in told.surveys if _has_chart(one)]
