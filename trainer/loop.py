"""The training loop: batches in, steps done, reported, saved; stopped cleanly when asked.

Between two reports nothing waits for the device: losses stay there until they are logged.
"""

import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np
import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer.batch import Batch
from trainer.distributed import World, sum_over_ranks
from trainer.models import ModelConfig
from trainer.optim import OptimConfig, learning_rate
from trainer.steps import Steps
from trainer.transforms import REASONS, to_input

# The share of broken pictures says nothing over a handful, so it is judged over at least so many samples.
_BAD_BASE = 1_000
_NAMED_BAD = 20


class LoopConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[loop]`: precision, and how often (in steps) the run is logged and saved.

    precision: "auto" is bf16 on a GPU and fp32 on a CPU.
    """

    precision: Literal["auto", "bf16", "fp32"] = "auto"
    log_every: Annotated[int, msgspec.Meta(ge=1)] = 20
    checkpoint_every: Annotated[int, msgspec.Meta(ge=1)] = 1_000

    def autocasts(self, device: torch.device) -> bool:
        """True if the forward pass runs in bfloat16 where that is safe."""
        return self.precision == "bf16" or (self.precision == "auto" and device.type == "cuda")


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """One line of metrics.jsonl, over the steps since the line before.

    step, samples: totals since the run began; so is bad, broken pictures by reason. loss, images_per_second: over all
    ranks. data_wait_share: the part of the time in which this rank's device waited for batches. grad_norm: of the last
    step, before clipping.
    """

    step: int
    samples: int
    loss: float
    lr: float
    grad_norm: float
    images_per_second: float
    data_wait_share: float
    bad: dict[str, int]


class StepResult(NamedTuple):
    """Scalars on the device."""

    loss: torch.Tensor
    grad_norm: torch.Tensor


@dataclass(kw_only=True)
class Loop:
    """What the steps need; `run` does them.

    objective: what computes the loss, replicated under several ranks. after_step(step): called once its weights have
    moved. save(step, bad): writes a checkpoint. report(metrics | None, step): called after every step, with metrics at
    log steps; main rank only.
    """

    objective: nn.Module
    optimizer: torch.optim.Optimizer
    world: World
    seed: int
    steps: Steps
    config: LoopConfig
    model_config: ModelConfig
    optim_config: OptimConfig
    max_bad_fraction: float
    after_step: Callable[[int], None]
    save: Callable[[int, dict[str, int]], None]
    report: Callable[[Metrics | None, int], None]

    def run(self, batches: Iterator[Batch], start_step: int, bad: dict[str, int]) -> bool:
        """Do steps start_step … num_steps-1; False if a signal stopped it earlier. `bad`: broken pictures so
        far, by reason.

        Raises CatlipError when the loss is not finite or too many pictures are broken.
        """
        interval = _Interval(start_step)
        with _stop_requests() as stop:
            for step in range(start_step, self.steps.num_steps):
                with interval.waiting():
                    batch = next(batches)
                interval.add(step, self.step(step, batch), batch.bad)
                done = step + 1
                save = done % self.config.checkpoint_every == 0 or done == self.steps.num_steps
                # Alone, a process can stop at once; many must agree, which they do when they report.
                alone = self.world.size == 1 and bool(stop)
                if not (save or alone or done % self.config.log_every == 0):
                    self.report(None, done)
                    continue
                metrics, stopping = self._close(interval, done, bad, bool(stop))
                bad = metrics.bad
                interval = _Interval(done)
                self.report(metrics, done)  # before saving: a line without its checkpoint is dropped on resuming
                if save or stopping:
                    self.save(done, bad)
                if stopping:
                    return done == self.steps.num_steps
        return True

    def step(self, step: int, batch: Batch) -> StepResult:
        """One optimiser step on this rank's batch."""
        # Dropout and drop path draw from here; so a resumed step draws the same as an unbroken one.
        torch.manual_seed(
            int(np.random.SeedSequence((self.seed, step, self.world.rank)).generate_state(1, np.uint64)[0])
        )
        device = self.world.device
        batch = batch.to(device)
        lr = learning_rate(self.optim_config, step, self.steps.num_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        x_BCHW = to_input(batch.images_BCHW, self.model_config.mean, self.model_config.std, batch.flips_B)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.config.autocasts(device)):
            loss = self.objective(x_BCHW, batch.positives(), self.steps[step].batch_size / self.world.size)
        self.optimizer.zero_grad()
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(self.objective.parameters(), self.optim_config.clip_norm)
        self.optimizer.step()
        self.after_step(step)
        return StepResult(loss.detach(), grad_norm.detach())

    def _close(self, interval: "_Interval", done: int, bad: dict[str, int], stop: bool) -> tuple[Metrics, bool]:
        """Metrics of an interval, and whether any rank was asked to stop."""
        losses, grad_norms = interval.values()
        met = Counter(reason for _, reason in interval.bad)
        shared = sum_over_ranks([*losses, *(met[reason] for reason in REASONS), float(stop)], self.world)
        losses, counts, stops = shared[: len(losses)], shared[len(losses) : -1], shared[-1]
        losses = [loss / self.world.size for loss in losses]
        for step, values in enumerate(zip(losses, grad_norms, strict=True), start=interval.first_step):
            if not all(map(math.isfinite, values)):
                raise CatlipError(
                    f"Step {step + 1}: loss {values[0]:g}, gradient norm {values[1]:g}; training cannot go on. "
                    "Lower optim.lr or lengthen optim.warmup_steps; under bf16, try --set loop.precision=fp32."
                )
        bad = {reason: bad.get(reason, 0) + round(count) for reason, count in zip(REASONS, counts, strict=True)}
        num_bad = sum(bad.values())
        samples = self.steps[done].first
        if num_bad > self.max_bad_fraction * max(samples, _BAD_BASE):
            raise CatlipError(
                f"{num_bad:,} of {samples:,} pictures are broken, more than data.max_bad_fraction = "
                f"{self.max_bad_fraction:g} allows{_named(interval.bad)}. Mend the shards, or raise it with --set."
            )
        seconds = time.perf_counter() - interval.started
        return Metrics(
            step=done,
            samples=samples,
            loss=math.fsum(losses) / len(losses),
            lr=learning_rate(self.optim_config, done - 1, self.steps.num_steps),
            grad_norm=grad_norms[-1],
            images_per_second=(samples - self.steps[interval.first_step].first) / seconds,
            data_wait_share=interval.wait_seconds / seconds,
            bad={reason: count for reason, count in bad.items() if count},
        ), stops > 0


@dataclass
class _Interval:
    """What happened since the last report; tensors stay on the device until `values`."""

    first_step: int
    started: float = field(default_factory=time.perf_counter)
    wait_seconds: float = 0.0
    bad: list[tuple[str, str]] = field(default_factory=list)
    _results: list[StepResult] = field(default_factory=list)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.wait_seconds += time.perf_counter() - start

    def add(self, step: int, result: StepResult, bad: tuple[tuple[str, str], ...]) -> None:
        assert step == self.first_step + len(self._results), "steps come one by one"
        self._results.append(result)
        self.bad += bad

    def values(self) -> tuple[list[float], list[float]]:
        """Losses and gradient norms, step by step: the one place that waits for the device."""
        stacked = torch.stack([torch.stack([loss.double(), norm.double()]) for loss, norm in self._results])
        losses, norms = stacked.T.tolist()
        return losses, norms


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """A list that SIGTERM and SIGINT add to; the step in hand is finished first. A second SIGINT interrupts at once."""
    requests: list[int] = []

    def note(number: int, _frame: object) -> None:
        if number == signal.SIGINT and requests:
            raise KeyboardInterrupt
        requests.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _named(bad: list[tuple[str, str]]) -> str:
    names = dict.fromkeys(f"{name} ({reason})" for name, reason in bad)
    return f": for example {', '.join(list(names)[:_NAMED_BAD])}" if bad else ""
