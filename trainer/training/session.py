"""One process's share of a run, from its newest checkpoint on to the end or a signal."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import run
from trainer.distributed import World, gather_to_main, sum_over_ranks
from trainer.metrics import Metrics
from trainer.objectives.kinds import kind_of
from trainer.stream import loader
from trainer.stream.batch import Batch
from trainer.stream.data import Data
from trainer.stream.reader import REASONS
from trainer.training import checkpoints
from trainer.training.assembly import Assembly
from trainer.training.checkpoints import CheckpointInfo
from trainer.training.evaluation import Evaluation, Score
from trainer.training.loop import Loop
from trainer.training.reports import Reports
from trainer.training.stepper import Stepper
from trainer.workers import worker_count

_NAMED_BROKEN = 3


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when the first step begins. step: steps done by earlier processes. notes: for a person to read.

    num_classes: None where captions are learned, by a text tower whose parameters are counted, too.
    """

    step: int
    num_steps: int
    num_samples: int
    num_classes: int | None
    num_parameters: int
    notes: list[str]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. new_steps, seconds, images_per_second: this process alone. metrics, score: the last ones."""

    finished: bool
    start: Start
    new_steps: int
    seconds: float
    images_per_second: float
    metrics: Metrics | None
    score: Score | None
    checkpoint: str | None


class Watcher(Protocol):
    """Who is told how a run goes; on the main rank only."""

    def start(self, start: Start) -> None:
        """Called once, before the first step."""

    def update(self, metrics: Metrics | None, step: int) -> None:
        """Called after every step, with metrics if they were logged."""


@dataclass(kw_only=True)
class Session:
    """One process's share of a run."""

    record: run.RunRecord
    data: Data
    out: Path
    world: World
    assembly: Assembly
    evaluation: Evaluation | None
    watcher: Watcher
    checkpoint: Path | None = None
    last: Metrics | None = None
    score: Score | None = None
    reports: Reports | None = None

    def train(self) -> Outcome:
        """Resume, and do what is left."""
        num_steps, steps = self.record.num_steps, self.data.reader.steps
        notes: list[str] = []
        step, bad = self._resume(notes)
        start = Start(
            step=step,
            num_steps=num_steps,
            num_samples=self.record.num_samples,
            num_classes=None if self.data.reader.tokenizer else self.record.num_classes,
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
                run.write(self.out, self.record, self.data.label_sets[0].vocabulary)
                self.reports = Reports(self.out, self.record, self.data.label_sets[0].vocabulary, step)
        begun = time.perf_counter()
        try:
            finished = step >= num_steps or self._loop().run(self._batches(range(step, num_steps)), step, bad)
        finally:
            if self.reports:
                self.reports.close()
        seconds = time.perf_counter() - begun
        new_steps = self.last.step - step if self.last else 0
        return Outcome(
            finished=finished,
            start=start,
            new_steps=new_steps,
            seconds=seconds,
            images_per_second=(steps[step + new_steps].first - steps[step].first) / seconds,
            metrics=self.last,
            score=self.score,
            checkpoint=str(self.checkpoint) if self.checkpoint else None,
        )

    def _resume(self, notes: list[str]) -> tuple[int, dict[str, int]]:
        """Load the newest checkpoint that can be read: (steps done, broken pictures so far by reason)."""
        found = checkpoints.newest(self.out / run.CHECKPOINT_FOLDER, notes.append)
        if found is None:
            return 0, {}
        self.checkpoint, info = found
        if not self.record.continues(info):
            raise CatlipError(
                f"{self.checkpoint} does not belong to {self.out}: its digests differ. "
                "Remove it, or choose another --out."
            )
        state = self.assembly.state
        state.load(checkpoints.read_tensors(self.checkpoint, places=state.places()))
        return info.step, info.bad

    def _loop(self) -> Loop[Batch]:
        config = self.record.config
        return Loop(
            step=Stepper(self.assembly, self.data.reader.steps),
            world=self.world,
            steps=self.data.reader.steps,
            config=config.loop,
            max_bad_fraction=config.data.max_bad_fraction,
            save=self._save,
            report=self._report,
            name_samples=self._name_samples,
            list_broken=self._list_broken,
            reasons=REASONS,
            evaluate_every=config.eval.every if self.evaluation else None,
            evaluate=self._evaluate,
        )

    def _batches(self, steps: range) -> Iterator[Batch]:
        num_workers = worker_count(self.record.config.data.num_workers, self.world.device, self.world.ranks_here)
        on_gpu = self.world.device.type == "cuda"
        return loader.batches(self.data.reader, steps, num_workers=num_workers, pin_memory=on_gpu)

    def _report(self, metrics: Metrics | None, step: int) -> None:
        augment = self.assembly.state.augment
        if metrics and augment:
            metrics = msgspec.structs.replace(metrics, ranges=augment.named_ranges())
        self.last = metrics or self.last
        if self.world.is_main:
            if metrics and self.reports:
                self.reports.metrics(metrics)
            self.watcher.update(metrics, step)

    def _evaluate(self, step: int) -> None:
        assert self.evaluation is not None, "the loop has no evaluate_every otherwise"
        config, model = self.record.config, self.assembly.state.ema.module
        scorer = kind_of(config).scorer(model, config, self.data.label_sets[0].vocabulary)
        self.score, pictures = self.evaluation.score(scorer, step)
        if self.reports and self.score:
            self.reports.score(self.score, pictures)

    def _save(self, step: int, bad: dict[str, int]) -> None:
        info = CheckpointInfo(
            step=step,
            samples=self.data.reader.steps[step].first,
            bad=bad,
            config_digest=self.record.config_digest,
            vocabulary_digest=self.record.vocabulary_digest,
            score=self.score.mean_ap if self.score and self.score.step == step else None,
        )
        distributed = self.record.config.distributed
        in_slices = distributed.strategy == "fsdp" and distributed.sharded_checkpoints and self.world.size > 1
        folder, save = self.out / run.CHECKPOINT_FOLDER, checkpoints.save_sharded if in_slices else checkpoints.save
        self.checkpoint = save(folder, self.assembly.state.tensors(), info, self.world)
        if self.world.is_main:
            checkpoints.prune(folder, self.record.config.loop.keep_checkpoints)

    def _list_broken(self, step: int, bad: Sequence[tuple[str, str]]) -> str:
        """Write down the broken pictures of all ranks; a sentence about them on the main rank. All must call this."""
        shares = gather_to_main(bad, self.world)
        if shares is None:
            return ""
        path = self.out / run.BROKEN_NAME
        found = [(name, reason) for share in shares for name, reason in share]
        run.append_lines(path, [run.Broken(step=step, sample=name, reason=reason) for name, reason in found])
        some = ", ".join(f"{name} ({reason})" for name, reason in list(dict.fromkeys(found))[:_NAMED_BROKEN])
        return f"They are listed in {path}{f', for example {some}' if some else ''}."

    def _name_samples(self, step: int) -> str:
        """A sentence about the samples of a step; the main rank writes their names into a file."""
        if not self.world.is_main:
            return ""
        names = self.data.reader.names(step)
        path = self.out / run.STOPPED_NAME
        storage.write_bytes(str(path), "".join(f"{name}\n" for name in names).encode())
        return f"The step's {len(names):,} samples are listed in {path} ({', '.join(names[:3])}, …)."
