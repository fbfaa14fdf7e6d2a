import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks import training_curve
from trainer import run
from trainer.metrics import Metrics
from trainer.training.evaluation import Score


def test_draw__losses_and_precisions_that_were_measured(tmp_path: Path) -> None:
    metrics = [
        Metrics(
            step=step, samples=step, loss=30 - step / 100, lr=0.1, grad_norm=None, images_per_second=1,
            images_per_second_per_process=1, data_wait_share=0, bad={},
        )
        for step in (100, 200, 300)
    ]  # fmt: skip
    scores = [
        Score(
            step=step, samples=9, classes=9, mean_ap=step / 1_000, mean_ap_head=0.3, mean_ap_middle=0.1,
            mean_ap_tail=None, precision_at_1=0, precision_at_5=0,
        )
        for step in (150, 300)
    ]  # fmt: skip
    for name, lines in ((run.METRICS_NAME, metrics), (run.SCORES_NAME, scores)):
        (tmp_path / name).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    figure = training_curve._figure(tmp_path)
    losses, precisions = figure.axes
    assert np.array_equal(losses.lines[0].get_xydata(), [[100, 29], [200, 28], [300, 27]])
    drawn = {line.get_label(): list(np.asarray(line.get_ydata(), float)) for line in precisions.lines}
    nothing = pytest.approx(math.nan, nan_ok=True)
    assert drawn == {"head": [0.3, 0.3], "all": [0.15, 0.3], "middle": [0.1, 0.1], "tail": [nothing, nothing]}
    assert {tuple(np.asarray(line.get_xdata())) for line in precisions.lines} == {(150, 300)}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(drawn)
    assert training_curve.draw(tmp_path).startswith(b"\x89PNG")
