"""The curves of a run as a picture: training loss, and the mean average precision on what was held out.

python -m benchmarks.training_curve RUN curve.png
"""

import argparse
from pathlib import Path

import msgspec
from matplotlib.figure import Figure

from trainer import plots, run
from trainer.training.evaluation import Score

_SIZE = (9.6, 3.4)  # inches
_GROUPS = {"head": "mean_ap_head", "all": "mean_ap", "middle": "mean_ap_middle", "tail": "mean_ap_tail"}


def draw(folder: Path) -> bytes:
    """The curves of a run, as the content of a PNG file."""
    with plots.style():
        return plots.png(_figure(folder))


def _figure(folder: Path) -> Figure:
    figure = Figure(figsize=_SIZE)
    losses, precisions = figure.subplots(1, 2)
    metrics = run.read_metrics(folder)
    losses.plot([each.step for each in metrics], [each.loss for each in metrics], marker="")
    scores = [msgspec.json.decode(line, type=Score) for line in (folder / run.SCORES_NAME).read_bytes().splitlines()]
    for name, key in _GROUPS.items():
        values = [getattr(score, key) for score in scores]
        precisions.plot([score.step for score in scores], values, label=name, clip_on=False)
    precisions.set_ylim(bottom=0)
    figure.legend(loc="outside lower right", ncols=len(_GROUPS))
    for axes, title in ((losses, "training loss, by step"), (precisions, "held-out mAP, by step")):
        axes.set_title(title)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", type=Path)
    arguments.add_argument("picture", type=Path)
    asked = arguments.parse_args()
    asked.picture.write_bytes(draw(asked.run))
