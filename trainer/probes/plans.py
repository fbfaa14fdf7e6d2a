"""What one probe does with features, and how what it measured becomes a result's lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from trainer.probes.accuracy import Accuracy
from trainer.probes.examples import Examples
from trainer.probes.results import Score, Spread
from trainer.probes.taps import POOLED

# tick(done, total): how far a probe is.
Tick = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One line, of one seed. per_class: float64 [K], NaN where there is nothing to measure."""

    setting: str
    metrics: dict[str, float]
    chosen: dict[str, str] = field(default_factory=dict)
    per_class: np.ndarray

    @classmethod
    def of(cls, setting: str, found: Accuracy, chosen: dict[str, str] | None = None) -> "Measured":
        """The accuracies of one line."""
        metrics = {"top1": found.top1, "top5": found.top5, "mean_per_class": found.mean_per_class}
        return cls(setting=setting, metrics=metrics, chosen=chosen or {}, per_class=found.per_class)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One probe: its names, everything they stand for, and run(train, test, num_classes, seed, device, tick).

    seeded: False if every seed gives the same. tap: the features that it takes.
    """

    task: str
    protocol: str
    settings: dict[str, Any]
    run: Callable[[Examples, Examples, int, int, torch.device, Tick], list[Measured]]
    tap: str = POOLED
    seeded: bool = True


def over_seeds(encoder: str, by_seed: Sequence[Sequence[Measured]]) -> list[Score]:
    """The lines of a result, from those of each seed."""
    scores = []
    for lines in zip(*by_seed, strict=True):
        first = lines[0]
        per_class_K = np.mean([line.per_class for line in lines], axis=0)
        scores.append(
            Score(
                encoder=encoder,
                setting=first.setting,
                metrics={name: Spread.of([line.metrics[name] for line in lines]) for name in first.metrics},
                chosen=first.chosen,
                per_class=[None if np.isnan(each) else round(float(each), 6) for each in per_class_K],
            )
        )
    return scores
