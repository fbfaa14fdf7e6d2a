"""Curves with their spread as a PNG: panels in rows, a line for each arm, a band from its worst seed to its best.

All lengths are in the picture's own points; it has two pixels a point.
"""

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT = 330, 220  # of a panel's field between the axes
_LEFT, _TOP, _RIGHT, _BELOW = 56, 44, 22, 48
_LEGEND = 34
_DRAWN, _SHOWN = 4, 2  # pixels a point while drawing, and in the file: lines become smooth by it
_PAPER, _INK, _QUIET, _GRID = "#ffffff", "#26241f", "#817c71", "#e6e3dc"
# Okabe and Ito's colours, which everybody can tell apart.
_COLOURS = ("#0072b2", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#000000")
_TICKS = 5
_BAND = 60  # of 255

Colour = tuple[int, int, int, int]


class Mark(NamedTuple):
    """A place on a curve: the mean of all seeds, and the least and the most of them."""

    x: float
    mean: float
    low: float
    high: float


class Line(NamedTuple):
    """The curve of an arm."""

    name: str
    marks: Sequence[Mark]


class Panel(NamedTuple):
    """One chart. logarithmic: the horizontal axis. floor: what an untrained encoder reaches, drawn as a broken line."""

    title: str
    x_title: str
    lines: Sequence[Line]
    logarithmic: bool = False
    floor: float | None = None


def draw(rows: Sequence[Sequence[Panel]]) -> bytes:
    """Rows of panels, as the content of a PNG file. All panels have the same arms, named once above them."""
    across, down = _LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BELOW
    size = (across * max(map(len, rows)), _LEGEND + down * len(rows))
    image = Image.new("RGB", (size[0] * _DRAWN, size[1] * _DRAWN), _PAPER)
    pen = ImageDraw.Draw(image, "RGBA")
    x = float(_LEFT)
    for number, line in enumerate(rows[0][0].lines):
        colour = _COLOURS[number % len(_COLOURS)]
        pen.line([_drawn(x, 20), _drawn(x + 18, 20)], fill=colour, width=3 * _DRAWN)
        x += 24 + _text(pen, (x + 24, 20), line.name, 13, _INK, "lm") + 22
    for number, row in enumerate(rows):
        for place, panel in enumerate(row):
            _Field(pen, panel, place * across + _LEFT, _LEGEND + number * down + _TOP).draw()
    out = io.BytesIO()
    image.resize((size[0] * _SHOWN, size[1] * _SHOWN), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


class _Field:
    """One panel on paper; its field begins at (left, top)."""

    def __init__(self, pen: ImageDraw.ImageDraw, panel: Panel, left: float, top: float) -> None:
        self._pen, self._panel, self._left, self._top = pen, panel, left, top
        marks = [mark for line in panel.lines for mark in line.marks]
        floor = [] if panel.floor is None else [panel.floor]
        low = min([mark.low for mark in marks] + floor)
        high = max([mark.high for mark in marks] + floor)
        self._low, self._high, self._step = _rounded(low, high)
        self._xs = [self._scaled(mark.x) for mark in marks]
        self._first = min(self._xs) - (0.03 if panel.logarithmic else min(self._xs))
        self._last = max(self._xs)

    def draw(self) -> None:
        """The field, its lines, and what they are."""
        left, top = self._left, self._top
        _text(self._pen, (left, top - 14), self._panel.title, 14, _INK, "ls")
        for number in range(round((self._high - self._low) / self._step) + 1):
            value = self._low + number * self._step
            self._line([(left, self._y(value)), (left + _WIDTH, self._y(value))], _GRID, 1)
            _text(self._pen, (left - 6, self._y(value)), f"{100 * value:.3g} %", 11, _QUIET, "rm")
        for x in self._ticks():
            self._line([(self._x(x), top + _HEIGHT), (self._x(x), top + _HEIGHT + 4)], _QUIET, 1)
            _text(self._pen, (self._x(x), top + _HEIGHT + 7), f"{x:g}", 11, _QUIET, "mt")
        _text(self._pen, (left + _WIDTH, top + _HEIGHT + 24), self._panel.x_title, 11, _QUIET, "rt")
        if self._panel.floor is not None:
            y = self._y(self._panel.floor)
            for dash in range(0, _WIDTH, 10):
                self._line([(left + dash, y), (left + min(dash + 5, _WIDTH), y)], _QUIET, 1)
            _text(self._pen, (left + _WIDTH, y - 3), "untrained", 10, _QUIET, "rs")
        for number, line in enumerate(self._panel.lines):
            self._curve(line, _COLOURS[number % len(_COLOURS)])

    def _curve(self, line: Line, colour: str) -> None:
        above = [(self._x(mark.x), self._y(mark.high)) for mark in line.marks]
        below = [(self._x(mark.x), self._y(mark.low)) for mark in reversed(line.marks)]
        if len(line.marks) > 1:
            band: Colour = (*(int(colour[at : at + 2], 16) for at in (1, 3, 5)), _BAND)  # type: ignore[assignment]
            self._pen.polygon([_drawn(*place) for place in above + below], fill=band)
        middle = [(self._x(mark.x), self._y(mark.mean)) for mark in line.marks]
        self._line(middle, colour, 2)
        for x, y in middle:
            self._pen.ellipse([_drawn(x - 3, y - 3), _drawn(x + 3, y + 3)], fill=colour)

    def _ticks(self) -> list[float]:
        if self._panel.logarithmic:
            powers = range(math.floor(self._first), math.ceil(self._last) + 1)
            found = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
            return [x for x in found if self._first <= math.log10(x) <= self._last]
        _, last, step = _rounded(0, self._last)
        return [number * step for number in range(round(last / step) + 1) if number * step <= self._last * 1.001]

    def _scaled(self, x: float) -> float:
        return math.log10(x) if self._panel.logarithmic else x

    def _x(self, x: float) -> float:
        return self._left + _WIDTH * (self._scaled(x) - self._first) / ((self._last - self._first) or 1.0)

    def _y(self, value: float) -> float:
        return self._top + _HEIGHT * (self._high - value) / (self._high - self._low)

    def _line(self, places: Sequence[tuple[float, float]], colour: str, width: int) -> None:
        self._pen.line([_drawn(*place) for place in places], fill=colour, width=width * _DRAWN, joint="curve")


def _rounded(low: float, high: float) -> tuple[float, float, float]:
    """(low, high, step): a little further out, at multiples of a step of 1, 2 or 5 that fits a few times."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(power * digit for digit in (1, 2, 5, 10) if span <= power * digit * _TICKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return first * step, max(last, first + 1) * step, step


def _drawn(x: float, y: float) -> tuple[float, float]:
    return x * _DRAWN, y * _DRAWN


def _text(
    pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, colour: str, anchor: str
) -> float:
    """Write it; returns its width."""
    font = ImageFont.load_default(size * _DRAWN)
    pen.text(_drawn(*place), text, fill=colour, font=font, anchor=anchor)
    return pen.textlength(text, font) / _DRAWN
