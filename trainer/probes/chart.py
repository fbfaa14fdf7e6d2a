"""Line charts of shares as a PNG: settings from left to right, a line for each model and protocol."""

import re
import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure, SubFigure

from trainer import plots
from trainer.probes.compare import Panel

_WIDTH, _FIELD, _NAME = 6.5, 3.0, 0.19  # inches: of all, the height of a panel without names, and that of a name's line
_TITLE_LETTERS, _NAME_LETTERS, _SETTINGS_LETTERS = 64, 74, 76  # that a line has room for; of settings, all together


def draw(panels: Sequence[Panel]) -> bytes:
    """The panels below each other, as the content of a PNG file."""
    with plots.style():
        return plots.png(_figure(panels))


def _figure(panels: Sequence[Panel]) -> Figure:
    names = [[textwrap.fill(line.name, _NAME_LETTERS) for line in panel.lines] for panel in panels]
    heights = [_FIELD + _NAME * len("\n".join(of_panel).splitlines()) for of_panel in names]
    figure = Figure(figsize=(_WIDTH, sum(heights)))
    parts = figure.subfigures(len(panels), squeeze=False, height_ratios=heights)
    for part, panel, of_panel in zip(parts.flat, panels, names, strict=True):
        _draw(part, panel, of_panel)
    return figure


def _draw(part: SubFigure, panel: Panel, names: Sequence[str]) -> None:
    axes = part.subplots()
    settings = sorted({point.setting: None for line in panel.lines for point in line.points}, key=_number)
    joined = "-" if all(map(_number, settings)) else ""
    handles = []
    for line in panel.lines:
        places = [settings.index(point.setting) for point in line.points]
        handles += axes.plot(places, [point.mean for point in line.points], linestyle=joined, clip_on=False)
        low = [max(0.0, point.mean - point.std) for point in line.points]
        high = [min(1.0, point.mean + point.std) for point in line.points]
        axes.vlines(places, low, high, handles[-1].get_color())
    plots.show_shares(axes)
    letters = _SETTINGS_LETTERS // len(settings) or 1  # a line of none is refused
    axes.set_xticks(range(len(settings)), [textwrap.fill(setting, letters) for setting in settings])
    axes.set_xlim(-0.5, len(settings) - 0.5)
    axes.set_title(textwrap.fill(f"{panel.title}: {panel.metric}", _TITLE_LETTERS))
    part.legend(handles, names, loc="outside lower left")


def _number(setting: str) -> float:
    """`10 %` → 10, by which settings are ordered and joined; 0 where there is none."""
    found = re.search(r"\d+(\.\d+)?", setting)
    return float(found[0]) if found else 0.0
