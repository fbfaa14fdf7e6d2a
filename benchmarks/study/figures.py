"""Curves with their spread as a PNG: panels in rows, a line for each arm, a band from its worst seed to its best."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from trainer import plots

_WIDTH, _HEIGHT = 3.7, 2.8  # of a panel, in inches
_BAND = 0.24  # of its colour's opacity
_LOGARITHMIC_MARGIN = 1.08


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
    with plots.style():
        return plots.png(_figure(rows))


def _figure(rows: Sequence[Sequence[Panel]]) -> Figure:
    figure = Figure(figsize=(_WIDTH * len(rows[0]), _HEIGHT * len(rows)))
    fields = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    for axes, panel in zip(fields.flat, itertools.chain(*rows), strict=True):
        _draw(axes, panel)
    named = {line.get_label(): line for axes in fields.flat for line in axes.lines}
    figure.legend(handles=list(named.values()), loc="outside upper left", ncols=len(named))
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    for line in panel.lines:
        x, mean, low, high = zip(*line.marks, strict=True)
        [drawn] = axes.plot(x, mean, label=line.name, clip_on=False)
        axes.fill_between(x, low, high, color=drawn.get_color(), alpha=_BAND, linewidth=0)
    if panel.floor is not None:
        axes.axhline(panel.floor, label="untrained", color=plots.QUIET, linestyle="--", linewidth=1)
    xs = [mark.x for line in panel.lines for mark in line.marks]
    if panel.logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(xs) / _LOGARITHMIC_MARGIN, max(xs) * _LOGARITHMIC_MARGIN)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter("{x:,g}")
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(left=0)
    plots.show_shares(axes)
    axes.set(title=panel.title, xlabel=panel.x_title)
