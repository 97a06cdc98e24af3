"""The NPS of some weeks as a picture: mail programs show no SVG and run no scripts.

Drawn with Pillow at twice its size, so that it is sharp on every screen. The same content gives the
same bytes. Everything in it also stands in the words beside it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from connector.sinks.weekly.content import Point

WIDTH, HEIGHT = 520, 190  # as it is shown
_TWICE = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 12, 32
_PAPER, _INK, _QUIET, _LINE = "#ffffff", "#1d1c1a", "#615d56", "#e2ded6"
_RANGE, _DOT = "#9fcac3", "#0b6259"
_STEPS = (10, 20, 25, 50)


def nps_chart(points: Sequence[Point]) -> bytes:
    """A PNG: a bar for each week's interval, a dot for its NPS; weeks without figures stay free."""
    image = Image.new("RGB", (WIDTH * _TWICE, HEIGHT * _TWICE), _PAPER)
    drawing = ImageDraw.Draw(image)
    low, high, step = _scale(points)
    for value in range(low, high + 1, step):
        y = _y(value, low, high)
        drawing.line((_at(_LEFT), y, _at(WIDTH - _RIGHT), y), _QUIET if value == 0 else _LINE, 2)
        text = str(value)  # the font of the picture has no minus sign but the hyphen
        drawing.text((_at(_LEFT - 6), y), text, _QUIET, _font(), "rm")
    room = (WIDTH - _LEFT - _RIGHT) / max(len(points), 1)
    every = max(len(points) // 5, 1)
    for place, point in enumerate(points):
        x = _at(_LEFT + room * (place + 0.5))
        if place % every == 0:
            label = f"{point.monday.day:02}/{point.monday.month:02}"
            drawing.text((x, _at(HEIGHT - _BOTTOM + 7)), label, _QUIET, _font(), "ma")
        if point.nps is None or point.low is None or point.high is None:
            continue
        half = _at(min(room * 0.28, 9))
        top, bottom = _y(point.high, low, high), _y(point.low, low, high)
        drawing.rounded_rectangle((x - half, top, x + half, bottom), _at(2), _RANGE)
        y, dot = _y(point.nps, low, high), _at(3.5)
        drawing.ellipse((x - dot, y - dot, x + dot, y + dot), _DOT)
    written = io.BytesIO()
    image.quantize(32).save(written, "PNG", optimize=True)
    return written.getvalue()


def _scale(points: Sequence[Point]) -> tuple[int, int, int]:
    """The lowest line, the highest, and how far apart they are; zero is always among them."""
    bounds = [value for point in points for value in (point.low, point.high) if value is not None]
    least, most = min([*bounds, 0.0]), max([*bounds, 0.0])
    step = next((step for step in _STEPS if (most - least) / step <= 5), _STEPS[-1])
    low, high = int(least // step) * step, -int(-most // step) * step
    return low, max(high, low + step), step


def _y(value: float, low: int, high: int) -> float:
    room = HEIGHT - _TOP - _BOTTOM
    return _at(_TOP + room * (high - value) / (high - low))


def _at(length: float) -> float:
    return length * _TWICE


@lru_cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(15 * _TWICE)
