"""The training loop: batches in, steps done, reported, saved; stopped cleanly when asked.

Between two reports nothing waits for the device: losses stay there until they are logged.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, Protocol, TypeVar

import msgspec
import torch

from labelshards.errors import CatlipError
from trainer.distributed import World, sum_over_ranks
from trainer.metrics import Interval, Metrics, StepResult
from trainer.stream.steps import Steps
from trainer.training.guard import ADVICE, LossGuard
from trainer.training.signals import stop_requests
from trainer.transforms import REASONS

# The share of broken pictures says nothing over a handful, so it is judged over at least so many samples.
_BAD_BASE = 1_000


class LoopConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[loop]`: precision, parts, and how often (in steps) the run is logged and saved.

    precision: "auto" is bf16 on a GPU and fp32 on a CPU. accumulate: parts in which a process goes through its share of
    the batch, one after the other. compile: torch.compile of the encoder; "auto" is true on a GPU, but not with
    recompute or FSDP. channels_last: how pictures and convolutions lie in memory. recompute: activations are computed
    again in the backward pass, which takes longer and much less memory. keep_checkpoints: the newest so many stay, and
    the best. spike_factor, spike_steps: the run stops when the loss has been so many times its median for so many
    steps; 0 lets it.
    """

    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    accumulate: Annotated[int, msgspec.Meta(ge=1)] = 1
    compile: Literal["auto"] | bool = "auto"
    channels_last: bool = False
    recompute: bool = False
    log_every: Annotated[int, msgspec.Meta(ge=1)] = 20
    checkpoint_every: Annotated[int, msgspec.Meta(ge=1)] = 1_000
    keep_checkpoints: Annotated[int, msgspec.Meta(ge=1)] = 2
    spike_factor: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    spike_steps: Annotated[int, msgspec.Meta(ge=1)] = 50

    def narrow(self, device: torch.device) -> torch.dtype | None:
        """The dtype in which the forward pass runs where that is safe; None for float32 everywhere."""
        if self.precision == "auto":
            return torch.bfloat16 if device.type == "cuda" else None
        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}[self.precision]

    def activation_bytes(self) -> int:
        """Of a number in the forward pass: of float32 where the recipe says so, and else of a GPU's 16 bits."""
        return 4 if self.precision == "fp32" else 2


class LoopBatch(Protocol):
    """What the loop knows of a batch. bad: names of the broken pictures that others had to replace, and why."""

    @property
    def bad(self) -> tuple[tuple[str, str], ...]:
        """See the class."""


B = TypeVar("B", bound=LoopBatch)


@dataclass(kw_only=True)
class Loop(Generic[B]):
    """What drives the steps; `run` does them.

    step(step, batch): one optimiser step. save(step, bad): writes a checkpoint.
    report(metrics | None, step): called after every step, with metrics at log steps. name_samples(step): a sentence
    that says which samples a step had. list_broken(step, [(name, reason)]): keeps the broken pictures that this rank
    met since the last report, and says in a sentence where; called on all ranks if any met one. evaluate(step): called
    every `evaluate_every` steps, if that is given, and then at the end, too. reasons: all for which a
    picture may be broken. advice: what a person may do when the loss goes wrong.
    """

    step: Callable[[int, B], StepResult]
    world: World
    steps: Steps
    config: LoopConfig
    max_bad_fraction: float
    save: Callable[[int, dict[str, int]], None]
    report: Callable[[Metrics | None, int], None]
    name_samples: Callable[[int], str]
    evaluate_every: int | None = None
    evaluate: Callable[[int], None] = lambda _: None
    list_broken: Callable[[int, Sequence[tuple[str, str]]], str] = lambda *_: ""
    reasons: Sequence[str] = REASONS
    advice: str = ADVICE

    def __post_init__(self) -> None:
        scaled = self.config.precision == "fp16"
        self._guard = LossGuard(
            factor=self.config.spike_factor, patience=self.config.spike_steps, scaled=scaled, advice=self.advice
        )

    def run(self, batches: Iterator[B], start_step: int, bad: dict[str, int]) -> bool:
        """Do all steps from start_step on; False if a signal stopped it earlier. `bad`: broken pictures by reason.

        Raises CatlipError when the loss says that training has gone wrong, or too many pictures are broken.
        """
        interval = Interval(start_step)
        with stop_requests() as stop:
            for step in range(start_step, self.steps.num_steps):
                with interval.waiting():
                    batch = next(batches)
                interval.add(step, self.step(step, batch), batch.bad)
                done = step + 1
                save = done % self.config.checkpoint_every == 0 or done == self.steps.num_steps
                # Alone, a process can stop at once; many must agree, which they do when they report.
                alone = self.world.size == 1 and bool(stop)
                every = self.evaluate_every
                evaluate = every is not None and (done % every == 0 or done == self.steps.num_steps)
                if not (save or evaluate or alone or done % self.config.log_every == 0):
                    self.report(None, done)
                    continue
                metrics, stopping = self._close(interval, done, bad, bool(stop))
                bad = metrics.bad
                self.report(metrics, done)  # before saving: a line without its checkpoint is dropped on resuming
                if evaluate:
                    self.evaluate(done)
                interval = Interval(done)
                if save or stopping:
                    self.save(done, bad)
                if stopping:
                    return done == self.steps.num_steps
        return True

    def _close(self, interval: Interval, done: int, bad: dict[str, int], stop: bool) -> tuple[Metrics, bool]:
        """Metrics of an interval, and whether any rank was asked to stop."""
        losses, grad_norms = interval.values()
        met = Counter(reason for _, reason in interval.bad)
        shared = sum_over_ranks([*losses, *(met[reason] for reason in self.reasons), float(stop)], self.world)
        losses, counts, stops = shared[: len(losses)], shared[len(losses) : -1], shared[-1]
        losses = [loss / self.world.size for loss in losses]
        for step, values in enumerate(zip(losses, grad_norms, strict=True), start=interval.first_step):
            try:
                self._guard.check(step + 1, *values)
            except CatlipError as error:
                raise CatlipError(f"{error} {self.name_samples(step)}".rstrip()) from error
        bad = {reason: bad.get(reason, 0) + round(count) for reason, count in zip(self.reasons, counts, strict=True)}
        num_bad = sum(bad.values())
        samples = self.steps[done].first
        too_many = num_bad > self.max_bad_fraction * max(samples, _BAD_BASE)
        listed = self.list_broken(done, interval.bad) if too_many or any(counts) else ""
        if too_many:
            raise CatlipError(
                f"{num_bad:,} of {samples:,} pictures are broken, more than data.max_bad_fraction = "
                f"{self.max_bad_fraction:g} allows. Mend the shards, or raise --max-bad-fraction. {listed}".rstrip()
            )
        seconds = time.perf_counter() - interval.started
        rate = (samples - self.steps[interval.first_step].first) / seconds
        return Metrics(
            step=done,
            samples=samples,
            loss=math.fsum(losses) / len(losses),
            lr=interval.lr,
            grad_norm=grad_norms[-1] if math.isfinite(grad_norms[-1]) else None,
            images_per_second=rate,
            images_per_second_per_process=rate / self.world.size,
            data_wait_share=interval.wait_seconds / seconds,
            bad={reason: count for reason, count in bad.items() if count},
        ), stops > 0
