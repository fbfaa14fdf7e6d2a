"""The curves of a run as a picture: training loss, and the mean average precision on what was held out.

python -m benchmarks.training_curve RUN curve.png
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from PIL import Image, ImageDraw, ImageFont

from trainer import run
from trainer.evaluation import Score

# Drawn twice as large and then made smaller, which makes lines smooth.
_SCALE = 2
_WIDTH, _HEIGHT, _MARGIN, _GAP = 960, 340, 48, 84
_INK, _GRID = (60, 60, 60), (225, 225, 225)
_COLOURS = ((31, 119, 180), (214, 96, 30), (44, 140, 80), (120, 90, 170))


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve: its name, and (step, value) in order."""

    name: str
    points: Sequence[tuple[float, float]]


def draw(panels: Sequence[tuple[str, Sequence[Line]]]) -> Image.Image:
    """One panel beside the other, each with its title."""
    image = Image.new("RGB", (_SCALE * _WIDTH, _SCALE * _HEIGHT), "white")
    drawing = ImageDraw.Draw(image)
    width = (_WIDTH - 2 * _MARGIN - _GAP * (len(panels) - 1)) / len(panels)
    for number, (title, lines) in enumerate(panels):
        left = _MARGIN + number * (width + _GAP)
        _panel(drawing, (left, _MARGIN, left + width, _HEIGHT - _MARGIN), title, lines)
    return image.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)


def _panel(
    drawing: ImageDraw.ImageDraw, box: tuple[float, float, float, float], title: str, lines: Sequence[Line]
) -> None:
    left, top, right, bottom = (_SCALE * side for side in box)
    values = [value for line in lines for _, value in line.points]
    last = max(step for line in lines for step, _ in line.points)
    low, high = min(values), max(values)
    low = 0.0 if low < 0.3 * high else low

    def place(step: float, value: float) -> tuple[float, float]:
        return left + (right - left) * step / last, bottom - (bottom - top) * (value - low) / (high - low)

    font, small = (ImageFont.load_default(_SCALE * size) for size in (14, 11))
    drawing.text((left, top - 14 * _SCALE), title, fill=_INK, font=font, anchor="ls")
    for part in range(5):
        value = low + (high - low) * part / 4
        _, y = place(0, value)
        drawing.line((left, y, right, y), fill=_GRID, width=_SCALE)
        drawing.text((left - 6 * _SCALE, y), f"{value:.3g}", fill=_INK, font=small, anchor="rm")
        step = last * part / 4
        x, _ = place(step, low)
        drawing.text((x, bottom + 8 * _SCALE), f"{step:,.0f}", fill=_INK, font=small, anchor="mt")
    for line, colour in zip(lines, _COLOURS, strict=False):
        drawing.line([place(*point) for point in line.points], fill=colour, width=2 * _SCALE, joint="curve")
        x, y = place(*line.points[-1])
        drawing.text((x + 5 * _SCALE, y), line.name, fill=colour, font=small, anchor="lm")


def curves(folder: Path) -> Image.Image:
    """Those of a run."""
    losses = [(float(metrics.step), metrics.loss) for metrics in run.read_metrics(folder)]
    scores = [msgspec.json.decode(line, type=Score) for line in (folder / run.SCORES_NAME).read_bytes().splitlines()]
    groups = {"head": "mean_ap_head", "all": "mean_ap", "middle": "mean_ap_middle", "tail": "mean_ap_tail"}
    lines = [
        Line(name=name, points=[(score.step, value) for score in scores if (value := getattr(score, key)) is not None])
        for name, key in groups.items()
    ]
    return draw([("training loss, by step", [Line(name="", points=losses)]), ("held-out mAP, by step", lines)])


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", type=Path)
    arguments.add_argument("picture", type=Path)
    asked = arguments.parse_args()
    curves(asked.run).save(asked.picture)
