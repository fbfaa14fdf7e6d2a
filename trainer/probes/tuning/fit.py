"""The training itself: steps in the run's own loop, resumed from the run's own checkpoints."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from trainer import run, workers
from trainer.distributed import World, replicate, wait_for_all
from trainer.metrics import Metrics, StepResult
from trainer.optim import Ema, learning_rate
from trainer.probes import features
from trainer.probes.probe import Tick
from trainer.probes.tuning.settings import Tuning
from trainer.probes.tuning.stream import Stream
from trainer.training import checkpoints
from trainer.training.checkpoints import CheckpointInfo
from trainer.training.loop import Loop, LoopBatch, LoopConfig
from trainer.training.state import TrainState

_LOG_EVERY = 10
_EMA = "ema."
_ADVICE = "Lower the task's lr, or lengthen its warmup, with --set."


class TaskBatch(LoopBatch, Protocol):
    """What a step takes."""

    def to(self, device: torch.device) -> Self:
        """The batch on `device`."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """module: the objective with averaged weights, in eval mode. losses: (first, last) of what was logged.

    bad: broken pictures by reason, counted each time they were met.
    """

    module: nn.Module
    losses: tuple[float, float]
    bad: Counter[str]

    @property
    def fall(self) -> str:
        """The losses as a person reads them."""
        first, last = self.losses
        return f"{first:.2f} → {last:.2f}"


@dataclass(kw_only=True)
class Fitting:
    """A training for one task, and where it lies between two steps.

    objective(batch, mean_over): the sum of this process's losses, divided by `mean_over`; its parameters are in
    `groups`. batches: step → this process's batch of `stream`. folder: where its checkpoints are, of this training
    alone.
    """

    objective: nn.Module
    groups: Sequence[dict[str, Any]]
    batches: Dataset[Any]
    stream: Stream
    settings: Tuning
    folder: Path
    world: World
    tick: Tick

    def __post_init__(self) -> None:
        self._steps = self.stream.steps

    def run(self) -> Fitted:
        """Train from the newest checkpoint on; a finished training is only read.

        Raises KeyboardInterrupt where a signal stopped it, with a checkpoint written, and CatlipError where the loss
        went wrong.
        """
        self.objective.to(self.world.device).train()
        self._optim = self.settings.optim(self._steps.num_steps)
        ema = Ema(self.objective, self.settings.ema_decay)
        optimizer = torch.optim.AdamW(self.groups, lr=self.settings.lr, betas=self._optim.betas, fused=True)
        self._state = TrainState(self.objective, ema, optimizer)
        self._moving = replicate(self.objective, self.world)
        self._config = LoopConfig(
            precision=self.settings.precision,
            log_every=min(_LOG_EVERY, self._steps.num_steps),
            checkpoint_every=self.settings.checkpoint_every,
            spike_factor=0.0,
        )
        self._narrow = self._config.narrow(self.world.device)
        with run.writing(self.folder) if self.world.is_main else nullcontext():
            wait_for_all(self.world)  # until the folder is clear of what a killed one left
            done, bad = self._resume()
            wait_for_all(self.world)  # before anything new is written
            finished = done == self._steps.num_steps or self._loop().run(self._read(done), done, bad)
            wait_for_all(self.world)
        if not finished:
            raise KeyboardInterrupt
        logged = run.read_metrics(self.folder)
        return Fitted(module=ema.module, losses=(logged[0].loss, logged[-1].loss), bad=Counter(logged[-1].bad))

    def _resume(self) -> tuple[int, dict[str, int]]:
        """(steps done, broken pictures met so far)."""
        found = checkpoints.newest(self.folder, lambda _: None)
        done, bad = 0, {}
        if found is not None:
            path, info = found
            done, bad = info.step, info.bad
            if done == self._steps.num_steps:
                self._state.ema.module.load_state_dict(checkpoints.read_tensors(path, _EMA))
            else:
                self._state.load(checkpoints.read_tensors(path))
        if self.world.is_main:
            run.drop_lines_after(self.folder / run.METRICS_NAME, done)
        return done, bad

    def _read(self, start: int) -> Iterator[Any]:
        steps = range(start, self._steps.num_steps)
        return workers.parallel(self.batches, steps, self.world.device, self.world.ranks_here)

    def _loop(self) -> Loop[Any]:
        return Loop(
            step=self._step,
            world=self.world,
            steps=self._steps,
            config=self._config,
            max_bad_fraction=math.inf,
            reasons=features.REASONS,
            advice=_ADVICE,
            save=self._save,
            report=self._report,
            name_samples=lambda _: "",
        )

    def _step(self, step: int, batch: TaskBatch) -> StepResult:
        _seed_all((self.stream.seed, step, self.world.rank))
        rate = learning_rate(self._optim, step, self._steps.num_steps)
        optimizer = self._state.optimizer
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        optimizer.zero_grad()
        device = self.world.device
        with torch.autocast(device.type, dtype=self._narrow, enabled=self._narrow is not None):
            loss: torch.Tensor = self._moving(batch.to(device), self._steps[step].batch_size / self.world.size)
        loss.backward()  # type: ignore[no-untyped-call]
        moved = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = nn.utils.clip_grad_norm_(moved, self.settings.clip_norm)
        optimizer.step()
        self._state.ema.update(self.objective, step)
        return StepResult(loss.detach(), norm.detach(), rate)

    def _report(self, metrics: Metrics | None, step: int) -> None:
        if self.world.is_main:
            if metrics:
                run.append_lines(self.folder / run.METRICS_NAME, [metrics])
            self.tick(step, self._steps.num_steps)

    def _save(self, step: int, bad: dict[str, int]) -> None:
        # The folder's name is a digest of all that decides a weight.
        info = CheckpointInfo(
            step=step,
            samples=self._steps[step].first,
            bad=bad,
            config_digest=self.folder.name,
            vocabulary_digest="",
        )
        tensors = self._state.tensors()
        if step == self._steps.num_steps:  # a finished training needs no moments
            tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(_EMA)}
        checkpoints.save(self.folder, tensors, info, self.world)
        if self.world.is_main:
            checkpoints.prune(self.folder, keep=1)


def _seed_all(key: tuple[int, ...]) -> None:
    """Seed torch and NumPy's global generator, which timm's Mixup draws from: a resumed step draws the same."""
    state = np.random.SeedSequence(key).generate_state(2, np.uint64)
    torch.manual_seed(int(state[0]))
    np.random.seed(int(state[1]) % 2**32)  # it takes no more bits
