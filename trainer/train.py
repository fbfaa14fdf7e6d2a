"""`catlip train` without its terminal: from a label set to a finished, interrupted or resumed run."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import torch

from labelshards import storage
from trainer import checkpoints, loader, models, run
from trainer.batch import Batch
from trainer.checkpoints import CheckpointInfo, TrainState
from trainer.config import Config
from trainer.data import Data
from trainer.distributed import World, replicate, wait_for_all
from trainer.loop import Loop, Metrics
from trainer.losses.config import initial_bias
from trainer.objective import Objective
from trainer.optim import Ema, build_optimizer
from trainer.workers import worker_count


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when the first step begins. step: steps done by earlier processes. notes: for a person to read."""

    step: int
    num_steps: int
    num_samples: int
    num_classes: int
    num_parameters: int
    notes: list[str]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. new_steps, seconds, images_per_second: this process alone. metrics: the last line it logged."""

    finished: bool
    start: Start
    new_steps: int
    seconds: float
    images_per_second: float
    metrics: Metrics | None
    checkpoint: str | None


class Watcher(Protocol):
    """Who is told how a run goes; on the main rank only."""

    def start(self, start: Start) -> None:
        """Called once, before the first step."""

    def update(self, metrics: Metrics | None, step: int) -> None:
        """Called after every step, with metrics if they were logged."""


def train(
    config: Config,
    *,
    labels: Sequence[str],
    out: Path,
    world: World,
    watcher: Watcher,
    moved: dict[str, str] | None = None,
) -> Outcome:
    """Train, or go on training, the run in folder `out` on the label sets `labels`.

    `moved` maps prefixes of image URIs to where they lie now. Raises CatlipError for everything a person can mend.
    """
    data = Data.open(config, labels, world, moved)
    steps = data.reader.steps
    # These refuse what could never run, before anything is written.
    config.optim.warmup(steps.num_steps)
    config.loss.check()
    vocabulary = data.label_sets[0].vocabulary
    record = run.RunRecord(
        config=config,
        label_sets=[storage.absolute(folder) for folder in labels],
        vocabulary_digest=vocabulary.digest,
        labels_digest=run.labels_digest(data.label_sets),
        num_classes=len(vocabulary),
        num_samples=data.reader.plan.num_samples,
        num_steps=steps.num_steps,
        num_processes=world.size,
        device=str(world.device),
        versions=run.versions(),
    )
    run.check_same(out, record)
    state = fresh_state(config, data, world)
    wait_for_all(world)
    with run.writing(out) if world.is_main else nullcontext():
        return _Session(record=record, data=data, out=out, world=world, state=state, watcher=watcher).train()


def fresh_state(config: Config, data: Data, world: World) -> TrainState:
    """An encoder that has learnt nothing. Raises CatlipError if it cannot take the plan's resolutions."""
    torch.manual_seed(config.seed)
    model = models.build(config.model, len(data.prior_K))
    models.check_sizes(model, data.reader.steps.image_sizes())
    models.init_head(model, initial_bias(config.loss, data.prior_K))
    model.to(world.device)
    return TrainState(model, Ema(model, config.optim.ema_decay), build_optimizer(model, config.optim))


def make_loop(
    config: Config,
    data: Data,
    state: TrainState,
    world: World,
    *,
    save: Callable[[int, dict[str, int]], None],
    report: Callable[[Metrics | None, int], None],
) -> Loop:
    """The loop over a state; `save` and `report` as in `Loop`."""
    objective = Objective(state.model, config.loss, data.prior_K).to(world.device)
    return Loop(
        objective=replicate(objective.train(), world),
        optimizer=state.optimizer,
        world=world,
        seed=config.seed,
        steps=data.reader.steps,
        config=config.loop,
        model_config=config.model,
        optim_config=config.optim,
        max_bad_fraction=config.data.max_bad_fraction,
        after_step=lambda step: state.ema.update(state.model, step),
        save=save,
        report=report,
    )


@dataclass(kw_only=True)
class _Session:
    """One process's share of a run."""

    record: run.RunRecord
    data: Data
    out: Path
    world: World
    state: TrainState
    watcher: Watcher
    checkpoint: Path | None = None
    last: Metrics | None = None

    def train(self) -> Outcome:
        num_steps, steps = self.record.num_steps, self.data.reader.steps
        notes: list[str] = []
        step, bad = self._resume(notes)
        start = Start(
            step=step,
            num_steps=num_steps,
            num_samples=self.record.num_samples,
            num_classes=self.record.num_classes,
            num_parameters=sum(p.numel() for p in self.state.model.parameters()),
            notes=notes,
        )
        wait_for_all(self.world)  # no rank looks for a checkpoint once another may write one
        if self.world.is_main:
            self.watcher.start(start)
            if step < num_steps:
                run.write(self.out, self.record, self.data.label_sets[0].vocabulary)
                run.drop_metrics_after(self.out, step)
        loop = make_loop(self.record.config, self.data, self.state, self.world, save=self._save, report=self._report)
        begun = time.perf_counter()
        finished = step == num_steps or loop.run(self._batches(range(step, num_steps)), step, bad)
        seconds = time.perf_counter() - begun
        new_steps = self.last.step - step if self.last else 0
        return Outcome(
            finished=finished,
            start=start,
            new_steps=new_steps,
            seconds=seconds,
            images_per_second=(steps[step + new_steps].first - steps[step].first) / seconds,
            metrics=self.last,
            checkpoint=str(self.checkpoint) if self.checkpoint else None,
        )

    def _resume(self, notes: list[str]) -> tuple[int, dict[str, int]]:
        """Load the newest checkpoint that can be read: (steps done, broken pictures so far by reason)."""
        found = checkpoints.newest(self.out / run.CHECKPOINT_FOLDER, notes.append)
        if found is None:
            return 0, {}
        self.checkpoint, info = found
        self.state.load(checkpoints.read_tensors(self.checkpoint))
        return info.step, info.bad

    def _batches(self, steps: range) -> Iterator[Batch]:
        num_workers = worker_count(self.record.config.data.num_workers, self.world.device, self.world.ranks_here)
        on_gpu = self.world.device.type == "cuda"
        return loader.batches(self.data.reader, steps, num_workers=num_workers, pin_memory=on_gpu)

    def _report(self, metrics: Metrics | None, step: int) -> None:
        self.last = metrics or self.last
        if self.world.is_main:
            if metrics:
                run.append_metrics(self.out, metrics)
            self.watcher.update(metrics, step)

    def _save(self, step: int, bad: dict[str, int]) -> None:
        if not self.world.is_main:
            return
        info = CheckpointInfo(
            step=step,
            samples=self.data.reader.steps[step].first,
            bad=bad,
            config_digest=self.record.config_digest,
            vocabulary_digest=self.record.vocabulary_digest,
        )
        self.checkpoint = checkpoints.save(self.out / run.CHECKPOINT_FOLDER, self.state.tensors(), info)
