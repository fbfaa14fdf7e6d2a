"""What one probe is given, what it does, and how what it measured becomes a result's lines."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch

from labelshards.matching import Match, Matcher, match_names
from trainer import run
from trainer.distributed import World
from trainer.encoders.encoder import Encoder
from trainer.opening import Opened
from trainer.probes.accuracy import Accuracy
from trainer.probes.data.masks import Masks
from trainer.probes.data.objects import Objects
from trainer.probes.data.split import Split
from trainer.probes.examples import Examples, Features
from trainer.probes.results import Score, Spread
from trainer.probes.taps import POOLED


class Tick(Protocol):
    """How far a probe is, and with what, if it does several things one after the other."""

    def __call__(self, done: int, total: int, doing: str = "", /) -> None:
        """So many are done."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One line, of one seed. per_class: float64 [K], NaN where there is nothing to measure.

    left_out: what could not be used, by reason, beyond what the splits and the features say.
    """

    setting: str
    metrics: dict[str, float]
    chosen: dict[str, str] = field(default_factory=dict)
    per_class: np.ndarray
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(
        cls,
        setting: str,
        found: Accuracy,
        chosen: dict[str, str] | None = None,
        left_out: Counter[str] | None = None,
    ) -> "Measured":
        """The accuracies of one line."""
        metrics = {"top1": found.top1, "top5": found.top5, "mean_per_class": found.mean_per_class}
        return cls(
            setting=setting,
            metrics=metrics,
            chosen=chosen or {},
            per_class=found.per_class,
            left_out=left_out or Counter(),
        )


@dataclass(frozen=True, kw_only=True)
class Case:
    """One encoder on one data set. splits: training and test. features: theirs, of the tap that the probe takes."""

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
        assert self.features is not None, "asked for by probes with a tap"
        train, test = (
            Examples(table=each.table, rows=each.rows, class_ids=split.class_ids[each.rows])
            for split, each in zip(self.splits, self.features, strict=True)
        )
        return train, test

    @property
    def masks(self) -> tuple[Masks, Masks]:
        """(training, test), of data that has them."""
        train, test = (split.masks for split in self.splits)
        assert train is not None, "asked for by probes that want masks"
        assert test is not None, "asked for by probes that want masks"
        return train, test

    @property
    def objects(self) -> tuple[Objects, Objects]:
        """(training, test), of data that has them."""
        train, test = (split.objects for split in self.splits)
        assert train is not None, "asked for by probes that want objects"
        assert test is not None, "asked for by probes that want objects"
        return train, test


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One probe: its names, everything they stand for, and run(case, seed, tick).

    tap: the features that it takes, or None if it takes pictures. labels: how many classes its pictures may have, or
    what else they must have. trains: False if it takes no training pictures. seeded: False if every seed gives the
    same. beside_random: False if random weights would say nothing. matches: what stands for the data's classes, if that
    is asked. majority: lines of always naming the most frequent class, where the accuracy of that is not enough.
    """

    task: str
    protocol: str
    settings: dict[str, Any]
    run: Callable[[Case, int, Tick], list[Measured]]
    tap: str | None = POOLED
    labels: Literal["one", "many", "any", "masks", "objects"] = "one"
    trains: bool = True
    seeded: bool = True
    beside_random: bool = True
    matches: Sequence[Match] = ()
    majority: Callable[[Case], list[Measured]] | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person asked of which model and data; each task makes its probes of it.

    splits: training and test, as they lie in `data`, and in `test` if the latter lies elsewhere. out: where results and
    features go. inits: of heads (transfer.INITS). match: how classes of the data are found in a vocabulary. overrides:
    `--set TASK.KEY=VALUE`. with_random: beside the encoder one with random weights. world: who computes; the main one
    writes.
    """

    opened: Opened
    splits: tuple[Split, Split]
    data: Path
    test: Path | None = None
    out: Path
    protocols: Sequence[str] = ()
    fractions: Sequence[float] = (1.0,)
    inits: Sequence[str] = ("zeros",)
    match: Matcher = match_names
    overrides: Sequence[str] = ()
    seeds: Sequence[int] = (0,)
    with_random: bool = True
    world: World = field(default_factory=lambda: World(device=torch.device("cpu")))

    def of_task(self, known: Collection[str], usual: str) -> list[str]:
        """The protocols of a task that were asked for, or its usual one."""
        return [protocol for protocol in self.protocols if protocol in known] or [usual]

    @property
    def tuning_folder(self) -> Path:
        """Where trainings lie, each in a folder of its own."""
        return self.out / run.TUNING_FOLDER


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
