"""`catlip train` without its terminal: from a label set to a finished, interrupted or resumed run."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from trainer import accumulation, checkpoints, loader, models, run, sharding
from trainer.assembly import Assembly, assemble
from trainer.checkpoints import CheckpointInfo
from trainer.config import Config
from trainer.distributed import World, sum_over_ranks, wait_for_all
from trainer.loop import Loop
from trainer.metrics import Metrics
from trainer.optim import learning_rate
from trainer.plan import Plan, rank_places
from trainer.samples import Samples
from trainer.stepper import Stepper


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
    config: Config, *, labels: str, out: Path, world: World, watcher: Watcher, moved: dict[str, str] | None = None
) -> Outcome:
    """Train, or go on training, the run in folder `out` on the label set `labels`.

    `moved` maps prefixes of image URIs to where they lie now. Raises CatlipError for everything a person can mend.
    """
    label_set = LabelSet.open(labels)
    counts = Samples(label_set, unlabelled=config.plan.unlabelled, moved=moved).counts()
    plan = Plan(counts, seed=config.seed, window_shards=config.plan.window_shards)
    num_steps = config.plan.num_steps(plan.num_samples)
    # These refuse what could never run, before anything is written.
    config.optim.warmup(num_steps)
    config.loss.check()
    accumulation.check(config.loop.accumulate, config.plan.batch_size, world.size)
    rank_places(0, batch_size=config.plan.batch_size, rank=world.rank, world_size=world.size)
    record = run.RunRecord(
        config=config,
        label_set=storage.absolute(labels),
        vocabulary_digest=label_set.vocabulary.digest,
        labels_digest=run.labels_digest(label_set),
        num_classes=len(label_set.vocabulary),
        num_samples=plan.num_samples,
        num_steps=num_steps,
        num_processes=world.size,
        device=str(world.device),
        versions=run.versions(),
    )
    run.check_same(out, record)
    labelled_only = config.plan.unlabelled == "drop"
    assembly = assemble(config, models.class_prior(label_set, labelled_only=labelled_only), world)
    wait_for_all(world)
    with run.writing(out) if world.is_main else nullcontext():
        session = _Session(
            record=record,
            label_set=label_set,
            plan=plan,
            out=out,
            world=world,
            moved=moved,
            assembly=assembly,
            watcher=watcher,
        )
        return session.train()


@dataclass(kw_only=True)
class _Session:
    """One process's share of a run."""

    record: run.RunRecord
    label_set: LabelSet
    plan: Plan
    out: Path
    world: World
    moved: dict[str, str] | None
    assembly: Assembly
    watcher: Watcher
    checkpoint: Path | None = None
    last: Metrics | None = None

    def train(self) -> Outcome:
        config, num_steps = self.record.config, self.record.num_steps
        notes: list[str] = []
        step, bad = self._resume(notes)
        start = Start(
            step=step,
            num_steps=num_steps,
            num_samples=self.record.num_samples,
            num_classes=self.record.num_classes,
            num_parameters=sum(p.numel() for p in self.assembly.state.model.parameters()),
            notes=notes,
        )
        # No rank looks for a checkpoint once another may write one; and all must have found the same.
        if sum_over_ranks([step], self.world)[0] != step * self.world.size:
            raise CatlipError(
                f"Processes find different checkpoints in {self.out}. It must be a folder that all share."
            )
        if self.world.is_main:
            self.watcher.start(start)
            if step < num_steps:
                run.write(self.out, self.record, self.label_set.vocabulary)
                run.drop_metrics_after(self.out, step)
        begun = time.perf_counter()
        finished = step == num_steps or self._loop().run(self._batches(range(step, num_steps)), step, bad)
        seconds = time.perf_counter() - begun
        new_steps = self.last.step - step if self.last else 0
        return Outcome(
            finished=finished,
            start=start,
            new_steps=new_steps,
            seconds=seconds,
            images_per_second=new_steps * config.plan.batch_size / seconds,
            metrics=self.last,
            checkpoint=str(self.checkpoint) if self.checkpoint else None,
        )

    def _resume(self, notes: list[str]) -> tuple[int, int]:
        """Load the newest checkpoint that can be read: (steps done, broken pictures so far)."""
        found = checkpoints.newest(self.out / run.CHECKPOINT_FOLDER, notes.append)
        if found is None:
            return 0, 0
        self.checkpoint, info = found
        self.assembly.state.load(checkpoints.read_tensors(self.checkpoint))
        return info.step, info.bad

    def _loop(self) -> Loop:
        config, state, num_steps = self.record.config, self.assembly.state, self.record.num_steps
        step = Stepper(
            objective=self.assembly.objective,
            optimizer=state.optimizer,
            scaler=state.scaler,
            world=self.world,
            seed=config.seed,
            batch_size=config.plan.batch_size,
            num_steps=num_steps,
            num_parts=config.loop.accumulate,
            narrow=config.loop.narrow(self.world.device),
            model_config=config.model,
            optim_config=config.optim,
            after_step=lambda step: state.ema.update(state.model, step),
        )
        return Loop(
            step=step,
            rate=lambda step: learning_rate(config.optim, step, num_steps),
            world=self.world,
            batch_size=config.plan.batch_size,
            num_steps=num_steps,
            config=config.loop,
            max_bad_fraction=config.data.max_bad_fraction,
            save=self._save,
            report=self._report,
            name_samples=self._name_samples,
        )

    def _batches(self, steps: range) -> Iterator[loader.Batch]:
        config, world = self.record.config, self.world
        dataset = loader.StepBatches(
            label_set=self.label_set,
            plan=self.plan,
            seed=config.seed,
            batch_size=config.plan.batch_size,
            image_size=config.model.image_size,
            min_scale=config.data.min_scale,
            unlabelled=config.plan.unlabelled,
            max_shards=2 * config.plan.window_shards,
            rank=world.rank,
            world_size=world.size,
            moved=self.moved,
        )
        num_workers = loader.worker_count(config.data.num_workers, world.device, world.ranks_here)
        return loader.batches(dataset, steps, num_workers=num_workers, pin_memory=world.device.type == "cuda")

    def _report(self, metrics: Metrics | None, step: int) -> None:
        self.last = metrics or self.last
        if self.world.is_main:
            if metrics:
                run.append_metrics(self.out, metrics)
            self.watcher.update(metrics, step)

    def _save(self, step: int, bad: int) -> None:
        info = CheckpointInfo(
            step=step,
            samples=step * self.record.config.plan.batch_size,
            bad=bad,
            config_digest=self.record.config_digest,
            vocabulary_digest=self.record.vocabulary_digest,
        )
        tensors = sharding.gathered(self.assembly.state.tensors(), keep=self.world.is_main)
        if self.world.is_main:
            self.checkpoint = checkpoints.save(self.out / run.CHECKPOINT_FOLDER, tensors, info)

    def _name_samples(self, step: int) -> str:
        """A sentence about the samples of a step; the main rank writes their names into a file."""
        if not self.world.is_main:
            return ""
        batch_size = self.record.config.plan.batch_size
        samples = Samples(self.label_set, unlabelled=self.record.config.plan.unlabelled, moved=self.moved)
        located = self.plan.locate(step * batch_size, (step + 1) * batch_size)
        names = [samples.name(shard, nth) for shard, nth in located.tolist()]
        path = self.out / run.STOPPED_NAME
        storage.write_bytes(str(path), "".join(f"{name}\n" for name in names).encode())
        return f"The step's {len(names):,} samples are listed in {path} ({', '.join(names[:3])}, …)."
