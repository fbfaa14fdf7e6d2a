"""`catlip train` without its terminal: from a label set to a finished, interrupted or resumed run."""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import msgspec
import torch

from labelshards import storage
from labelshards.labelset import LabelSet
from trainer import checkpoints, loader, models, run
from trainer.checkpoints import CheckpointInfo, TrainState
from trainer.config import Config
from trainer.distributed import World, replicate, wait_for_all
from trainer.loop import Loop, Metrics
from trainer.optim import Ema, build_optimizer
from trainer.plan import Plan, rank_places
from trainer.samples import Samples


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when the first step begins. step: steps done by earlier processes. notes: for a person to read."""

    step: int
    num_steps: int
    num_samples: int
    num_classes: int
    num_parameters: int
    notes: list[str]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. new_steps: done by this process. metrics: the last line, None if there was nothing to do."""

    finished: bool
    start: Start
    new_steps: int
    seconds: float
    images_per_second: float
    metrics: Metrics | None
    checkpoint: str | None


def train(
    config: Config,
    *,
    labels: str,
    out: Path,
    world: World,
    moved: dict[str, str] | None = None,
    started: Callable[[Start], None],
    report: Callable[[Metrics | None, int], None],
) -> Outcome:
    """Train, or go on training, the run in folder `out` on the label set `labels`.

    `started` and `report` are called on the main rank only. Raises CatlipError for everything a person can mend.
    """
    label_set = LabelSet.open(labels)
    samples = Samples(label_set, unlabelled=config.plan.unlabelled, moved=moved)
    plan = Plan(samples.counts(), seed=config.seed, window_shards=config.plan.window_shards)
    num_steps = config.plan.num_steps(plan.num_samples)
    config.optim.warmup(num_steps)
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
    wait_for_all(world)
    with run.writing(out) if world.is_main else nullcontext():
        if world.is_main:
            run.write(out, record, label_set.vocabulary)
        session = _Session(config, label_set, plan, record, out, world, moved)
        return session.train(started, report)


class _Session:
    """One process's share of a run."""

    def __init__(
        self,
        config: Config,
        label_set: LabelSet,
        plan: Plan,
        record: run.RunRecord,
        out: Path,
        world: World,
        moved: dict[str, str] | None,
    ) -> None:
        self._config, self._label_set, self._plan, self._record = config, label_set, plan, record
        self._out, self._world, self._moved = out, world, moved
        torch.manual_seed(config.seed)
        model = models.build(config.model, record.num_classes)
        models.init_head(model, models.class_prior(label_set, labelled_only=config.plan.unlabelled == "drop"))
        model.to(world.device)
        self._state = TrainState(model, Ema(model, config.optim.ema_decay), build_optimizer(model, config.optim))
        self._checkpoint: Path | None = None

    def train(self, started: Callable[[Start], None], report: Callable[[Metrics | None, int], None]) -> Outcome:
        config, world = self._config, self._world
        notes: list[str] = []
        step, bad = self._resume(notes)
        start = Start(
            step=step,
            num_steps=self._record.num_steps,
            num_samples=self._plan.num_samples,
            num_classes=self._record.num_classes,
            num_parameters=sum(p.numel() for p in self._state.model.parameters()),
            notes=notes,
        )
        last: list[Metrics] = []
        metrics_path = self._out / run.METRICS_NAME

        def report_here(metrics: Metrics | None, done: int) -> None:
            if not world.is_main:
                return
            if metrics:
                last[:] = [metrics]
                with metrics_path.open("ab") as file:
                    file.write(msgspec.json.encode(metrics) + b"\n")
            report(metrics, done)

        if world.is_main:
            _drop_lines_after(metrics_path, step)
            started(start)
        wait_for_all(world)
        begun = time.perf_counter()
        finished = True
        if step < start.num_steps:
            loop = Loop(
                model=replicate(self._state.model, world),
                optimizer=self._state.optimizer,
                world=world,
                seed=config.seed,
                batch_size=config.plan.batch_size,
                num_steps=start.num_steps,
                config=config.loop,
                model_config=config.model,
                optim_config=config.optim,
                max_bad_fraction=config.data.max_bad_fraction,
                after_step=lambda step: self._state.ema.update(self._state.model, step),
                save=self._save,
                report=report_here,
            )
            loop.model.train()
            finished = loop.run(self._batches(range(step, start.num_steps)), step, bad)
        seconds = time.perf_counter() - begun
        new_steps = (last[0].step if last else step) - step
        return Outcome(
            finished=finished,
            start=start,
            new_steps=new_steps,
            seconds=seconds,
            images_per_second=new_steps * config.plan.batch_size / seconds,
            metrics=last[0] if last else None,
            checkpoint=str(self._checkpoint) if self._checkpoint else None,
        )

    def _resume(self, notes: list[str]) -> tuple[int, int]:
        """Load the newest checkpoint that can be read: (steps done, broken pictures so far)."""
        found = checkpoints.newest(self._out / run.CHECKPOINT_FOLDER, notes.append)
        if found is None:
            return 0, 0
        self._checkpoint, info = found
        self._state.load(checkpoints.read_tensors(self._checkpoint))
        return info.step, info.bad

    def _save(self, step: int, bad: int) -> None:
        if not self._world.is_main:
            return
        info = CheckpointInfo(
            step=step,
            samples=step * self._config.plan.batch_size,
            bad=bad,
            config_digest=self._record.config_digest,
            vocabulary_digest=self._record.vocabulary_digest,
        )
        self._checkpoint = checkpoints.save(self._out / run.CHECKPOINT_FOLDER, self._state.tensors(), info)

    def _batches(self, steps: range) -> Iterator[loader.Batch]:
        config, world = self._config, self._world
        dataset = loader.StepBatches(
            label_set=self._label_set,
            plan=self._plan,
            seed=config.seed,
            batch_size=config.plan.batch_size,
            image_size=config.model.image_size,
            min_scale=config.data.min_scale,
            unlabelled=config.plan.unlabelled,
            max_shards=2 * config.plan.window_shards,
            rank=world.rank,
            world_size=world.size,
            moved=self._moved,
        )
        return loader.batches(
            dataset,
            steps,
            num_workers=loader.worker_count(config.data.num_workers, world.device, world.ranks_here),
            pin_memory=world.device.type == "cuda",
        )


def _drop_lines_after(path: Path, step: int) -> None:
    """Forget the metrics of steps that were done after the checkpoint and are now done again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            if msgspec.json.decode(line)["step"] <= step:
                kept.append(line)
        except msgspec.DecodeError:
            break  # the process was killed while it wrote this line
    storage.write_bytes(str(path), b"".join(kept))
