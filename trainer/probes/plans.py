"""What one probe is given, what it does, and how what it measured becomes a result's lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from labelshards.matching import Match, Matcher, match_names
from trainer.encoder import Encoder
from trainer.opening import Opened
from trainer.probes.accuracy import Accuracy
from trainer.probes.data.split import Split
from trainer.probes.examples import Examples, Features
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
class Case:
    """One encoder on one data set. splits: training and test. features: theirs, of the tap that the plan takes."""

    encoder: Encoder
    splits: tuple[Split, Split]
    features: tuple[Features, Features] | None
    device: torch.device

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.splits[0].classes)

    @property
    def examples(self) -> tuple[Examples, Examples]:
        """(training, test): features and classes, where each picture has one class."""
        assert self.features is not None, "asked for by plans with a tap"
        train, test = (
            Examples(table=each.table, rows=each.rows, class_ids=split.class_ids[each.rows])
            for split, each in zip(self.splits, self.features, strict=True)
        )
        return train, test


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One probe: its names, everything they stand for, and run(case, seed, tick).

    tap: the features that it takes, or None if it takes pictures. labels: how many classes its pictures may have.
    trains: False if it takes no training pictures. seeded: False if every seed gives the same. beside_random: False if
    random weights would say nothing. matches: what stands for the data's classes, if that is asked.
    """

    task: str
    protocol: str
    settings: dict[str, Any]
    run: Callable[[Case, int, Tick], list[Measured]]
    tap: str | None = POOLED
    labels: Literal["one", "many", "any"] = "one"
    trains: bool = True
    seeded: bool = True
    beside_random: bool = True
    matches: Sequence[Match] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked of which model and data; each task makes its plans of it.

    inits: of linear heads (linear.INITS). match: how classes of the data are found in a vocabulary.
    """

    opened: Opened
    splits: tuple[Split, Split]
    protocols: Sequence[str]
    fractions: Sequence[float]
    inits: Sequence[str] = ("zeros",)
    match: Matcher = match_names


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
