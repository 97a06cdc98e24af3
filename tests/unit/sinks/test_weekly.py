# ruff: noqa: RUF001 - the minus sign is what the digest writes
"""The digest in its four languages, as text, page and picture."""

from __future__ import annotations

import io
import re
import string
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest
from PIL import Image

from connector.reports.coverage import Coverage
from connector.sinks.weekly import telling
from connector.sinks.weekly.chart import HEIGHT, WIDTH, nps_chart
from connector.sinks.weekly.content import (
    Gap,
    LoopFigures,
    Point,
    SurveyFigures,
    Topic,
    Verbatim,
    Weekly,
)
from connector.sinks.weekly.html import as_html
from connector.sinks.weekly.words import LANGUAGES, day, every_word, number, say

MONDAY = date(2026, 11, 9)


def points():
    figures = [(20 + 3 * n, 40, 8 + 3 * n, 31 + 3 * n) for n in range(13)]
    return tuple(
        Point(monday=MONDAY - timedelta(weeks=12 - n), n=many, nps=nps, low=low, high=high)
        for n, (nps, many, low, high) in enumerate(figures)
    )


def weekly(language="en", **more):
    survey = SurveyFigures(
        name="Relationship & <care>",
        answers=1_234,
        n=4_321,
        nps=-12.4,
        low=-15.2,
        high=-9.6,
        verdict="fell",
        difference=-8.0,
        change_low=-12.0,
        change_high=-4.0,
        points=points(),
    )
    loop = LoopFigures(
        opened=12, closed=9, open=5, overdue=2, untouched=3, on_time=30, due=40, low=0.6, high=0.86
    )
    told = {
        "language": language,
        "first": MONDAY,
        "last": MONDAY + timedelta(days=6),
        "zone": "Europe/Madrid",
        "surveys": (survey,),
        "loop": loop,
        "gaps": (Gap(what="actions are parked", number=2),),
        "topics": (Topic(name="delivery", number=7),),
        "verbatims": (
            Verbatim(
                response="r1",
                score=2,
                high=10,
                segment="detractor",
                survey="R",
                words="<i>No</i>\n",
            ),
        ),
        "dashboard": "https://nps.example.com",
    }
    return Weekly.model_validate(told | more)


@pytest.mark.parametrize("words", every_word())
def test_every_translation_keeps_the_places_and_says_something(words):
    def places(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for text in every_word()[words]:
        assert text.strip()
        assert places(text) == places(words)


def test_every_gap_that_a_report_can_name_is_translated():
    class Everything(dict):
        def __missing__(self, key):
            return 1

    found = Coverage()
    type(found).total = property(lambda self: Everything())
    try:
        for gap in found.gaps():
            assert gap.what in every_word()
    finally:
        del type(found).total


def test_numbers_and_dates_are_those_of_the_language():
    assert [number(lang, 1234.4) for lang in LANGUAGES] == ["1,234", "1.234", "1.234", "1.234"]
    assert number("en", -3.7) == "−4"
    assert [number("es", value, signed=True) for value in (4, 0.2, -4)] == ["+4", "0", "−4"]
    assert [day(lang, MONDAY, year=True) for lang in LANGUAGES] == [
        "9 November 2026",
        "9 de noviembre de 2026",
        "9 novembre 2026",
        "9 de novembro de 2026",
    ]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "NPS −12, 95 % interval −15 to −10, n 4,321 in four weeks"),
        ("es", "4 semanas frente al año anterior: bajó (−8 puntos, intervalo de −12 a −4)"),
        ("it", "Detrattori che nessuno ha contattato: 3"),
        ("pt", "No prazo: 75 % (60 a 86) de 40 com prazo em quatro semanas"),
    ],
)
def test_the_text_is_complete_by_itself(language, words):
    text = telling.as_text(weekly(language))
    assert words in text
    assert "https://nps.example.com" in text
    assert "> <i>No</i>" in text
    assert "4.321" in text or "4,321" in text
    assert say(language, "NPS by week with its 95 % interval") in text


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.images, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_data(self, data):
        self.text += data


def page_of(told):
    parsed = Page()
    parsed.feed(as_html(told, lambda place: f"cid:c{place}"))
    return parsed


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_says_what_the_text_says_and_runs_nothing(language):
    told = weekly(language)
    page = page_of(told)
    assert not {"script", "style", "i", "care"} & set(page.tags)
    (image,) = page.images
    assert image["src"] == "cid:c0"
    assert "9" in image["alt"]
    missing = [
        line
        for line in telling.as_text(told).splitlines()
        if line and not line.isupper() and ":" not in line and not line.startswith((">", "  ("))
        if line not in page.text
    ]
    assert missing == []


def test_without_answers_it_says_so_and_shows_no_picture():
    page = page_of(weekly(surveys=(), verbatims=(), gaps=(), topics=()))
    assert "There were no answers." in page.text
    assert "Nobody wrote anything." in page.text
    assert "No gaps: everything received was decided and delivered." in page.text
    assert page.images == []


def test_the_picture_is_the_same_for_the_same_weeks_and_twice_as_large_as_shown():
    first = nps_chart(points())
    assert first == nps_chart(points())
    image = Image.open(io.BytesIO(first)).convert("RGB")
    assert image.size == (2 * WIDTH, 2 * HEIGHT)
    assert len(first) < 30_000
    moved = nps_chart([one.model_copy(update={"nps": -40.0, "low": -60.0}) for one in points()])
    assert moved != first


def test_weeks_without_figures_are_left_free():
    empty = tuple(Point(monday=MONDAY, n=3) for _ in range(13))
    assert nps_chart(empty).startswith(b"\x89PNG")
    few = weekly().surveys[0].model_copy(update={"points": empty, "nps": None})
    told = weekly(surveys=(few,))
    assert page_of(told).images == []
    assert "Too few answers to say an NPS: n 4,321" in telling.as_text(told)
    assert not re.search(r"None|nan", telling.as_text(told))
