"""What a run says of itself between two reports. Tensors stay on the device until they are logged."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import torch


class Metrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of metrics.jsonl, over the steps since the line before.

    step, samples: totals since the run began; so is bad, broken pictures by reason. loss, images_per_second: over all
    ranks; images_per_second_per_process: of each. data_wait_share: the part of the time in which this rank's device
    waited for batches. grad_norm: of the last step, before clipping; None if fp16 overflowed there, and the step was
    left out. ranges: those that RangeAugment has learned until now, by name; none without it.
    """

    step: int
    samples: int
    loss: float
    lr: float
    grad_norm: float | None
    images_per_second: float
    images_per_second_per_process: float
    data_wait_share: float
    bad: dict[str, int]
    ranges: dict[str, float] = {}


class StepResult(NamedTuple):
    """Scalars on the device: this rank's loss, and the norm of all ranks' gradient before clipping; the step's rate."""

    loss: torch.Tensor
    grad_norm: torch.Tensor
    lr: float


@dataclass
class Interval:
    """What happened since the last report."""

    first_step: int
    started: float = field(default_factory=time.perf_counter)
    wait_seconds: float = 0.0
    bad: list[tuple[str, str]] = field(default_factory=list)
    _results: list[StepResult] = field(default_factory=list)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time in here is spent waiting for data."""
        start = time.perf_counter()
        yield
        self.wait_seconds += time.perf_counter() - start

    def add(self, step: int, result: StepResult, bad: tuple[tuple[str, str], ...]) -> None:
        """Take in a step and the broken pictures it met."""
        assert step == self.first_step + len(self._results), "steps come one by one"
        self._results.append(result)
        self.bad += bad

    @property
    def lr(self) -> float:
        """Of the last step."""
        return self._results[-1].lr

    def values(self) -> tuple[list[float], list[float]]:
        """Losses and gradient norms, step by step: the one place that waits for the device."""
        stacked = torch.stack([torch.stack([loss.double(), norm.double()]) for loss, norm, _ in self._results])
        losses, norms = stacked.T.tolist()
        return losses, norms
