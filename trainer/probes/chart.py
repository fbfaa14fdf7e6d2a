"""Line charts of shares as a PNG: settings from left to right, a line for each model and protocol.

All lengths are in the picture's own points; it has two pixels a point.
"""

import io
import itertools
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT = 560, 260  # of the field between the axes
_LEFT, _RIGHT, _TOP, _BELOW = 64, 28, 64, 40
_LEGEND_LINE = 22
_MARKER = 5
_DRAWN, _SHOWN = 4, 2  # pixels a point while drawing, and in the file: lines become smooth by it
_STEPS, _MOST_STEPS = (0.02, 0.05, 0.1, 0.2), 5  # between lines of the grid

_PAPER, _INK, _QUIET, _GRID = "#ffffff", "#26241f", "#817c71", "#e6e3dc"
# Okabe and Ito's colours, which everybody can tell apart; corners tell lines apart without colour.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_CORNERS = (24, 4, 3, 5, 6)


class Point(NamedTuple):
    """A share in [0, 1] and its standard deviation, in some setting."""

    setting: str
    mean: float
    std: float


class Line(NamedTuple):
    """What belongs together, by name."""

    name: str
    points: Sequence[Point]


class Panel(NamedTuple):
    """One chart. metric: what the shares are."""

    title: str
    metric: str
    lines: Sequence[Line]


def draw(panels: Sequence[Panel]) -> bytes:
    """The panels below each other, as the content of a PNG file."""
    heights = [_TOP + _HEIGHT + _BELOW + _LEGEND_LINE * len(panel.lines) + 16 for panel in panels]
    size = (_LEFT + _WIDTH + _RIGHT, sum(heights))
    image = Image.new("RGB", (size[0] * _DRAWN, size[1] * _DRAWN), _PAPER)
    for panel, top in zip(panels, itertools.accumulate([0, *heights[:-1]]), strict=True):
        _Field(ImageDraw.Draw(image), panel, top + _TOP).draw()
    out = io.BytesIO()
    image.resize((size[0] * _SHOWN, size[1] * _SHOWN), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


class _Field:
    """One panel on paper; its field begins `top` points below the edge."""

    def __init__(self, pen: ImageDraw.ImageDraw, panel: Panel, top: int) -> None:
        self._pen = pen
        self._panel = panel
        self._top = top
        points = [point for line in panel.lines for point in line.points]
        self._settings = sorted({point.setting: None for point in points}, key=_number)
        ends = [point.mean + side * point.std for point in points for side in (-1, 1)]
        low, high = max(0.0, min(ends)), min(1.0, max(ends))
        step = next(each for each in _STEPS if (high - low) <= _MOST_STEPS * each)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        self._ticks = [step * number for number in range(first, max(last, first + 1) + 1)]

    def draw(self) -> None:
        """The field, its lines, and what they are."""
        self._text((_LEFT, self._top - 38), self._panel.title, 17, _INK, "ls")
        self._text((_LEFT, self._top - 16), self._panel.metric, 13, _QUIET, "ls")
        for tick in self._ticks:
            y = self._y(tick)
            self._line([(_LEFT, y), (_LEFT + _WIDTH, y)], _GRID, 1)
            self._text((_LEFT - 10, y), f"{tick:.0%}", 13, _QUIET, "rm")
        for setting in self._settings:
            self._text((self._x(setting), self._top + _HEIGHT + 20), setting, 13, _QUIET, "ms")
        for number, line in enumerate(self._panel.lines):
            colour, corners = _COLOURS[number % len(_COLOURS)], _CORNERS[number % len(_CORNERS)]
            for point in line.points:
                x = self._x(point.setting)
                self._line([(x, self._y(point.mean - point.std)), (x, self._y(point.mean + point.std))], colour, 1.5)
            if all(map(_number, self._settings)):
                self._line([(self._x(point.setting), self._y(point.mean)) for point in line.points], colour, 2)
            y = self._top + _HEIGHT + _BELOW + _LEGEND_LINE * number + 10
            for at in [*((self._x(point.setting), self._y(point.mean)) for point in line.points), (_LEFT + 6, y)]:
                self._marker(at, corners, colour)
            self._text((_LEFT + 22, y), line.name, 13, _INK, "lm")

    def _x(self, setting: str) -> float:
        count = len(self._settings)
        return _LEFT + _WIDTH * (self._settings.index(setting) + 0.5) / count

    def _y(self, share: float) -> float:
        low, high = self._ticks[0], self._ticks[-1]
        return self._top + _HEIGHT * (high - min(max(share, low), high)) / (high - low)

    def _line(self, points: Sequence[tuple[float, float]], colour: str, width: float) -> None:
        scaled = [(x * _DRAWN, y * _DRAWN) for x, y in points]
        self._pen.line(scaled, fill=colour, width=round(width * _DRAWN), joint="curve")

    def _marker(self, at: tuple[float, float], corners: int, colour: str) -> None:
        x, y = at
        self._pen.regular_polygon((x * _DRAWN, y * _DRAWN, _MARKER * _DRAWN), corners, fill=colour)

    def _text(self, at: tuple[float, float], text: str, size: int, colour: str, anchor: str) -> None:
        x, y = at
        font = ImageFont.load_default(size * _DRAWN)
        self._pen.text((x * _DRAWN, y * _DRAWN), text, fill=colour, font=font, anchor=anchor)


def _number(setting: str) -> float:
    """`10 %` → 10, by which settings are ordered and joined; 0 where there is none."""
    found = re.search(r"\d+(\.\d+)?", setting)
    return float(found[0]) if found else 0.0
