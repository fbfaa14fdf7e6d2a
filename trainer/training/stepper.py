"""One optimiser step: a batch in parts through the objective, gradients together, weights moved.

Every part's loss is divided by the global batch, so the sum of all parts on all ranks is the loss of the step, however
it is split.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainer import sharding
from trainer.distributed import World
from trainer.encoders.models import ModelConfig
from trainer.metrics import StepResult
from trainer.optim import OptimConfig, learning_rate
from trainer.stream.batch import Batch
from trainer.stream.steps import Steps
from trainer.training import accumulation
from trainer.transforms import to_input


@dataclass(kw_only=True)
class Stepper:
    """What a step needs; calling it does one.

    objective: what computes the loss, distributed under several ranks. targets(batch): what it compares pictures with.
    narrow: the dtype of autocast, None for float32. scaler: keeps fp16's gradients from vanishing. target_psnr(step):
    of RangeAugment. before_step(step), after_step(step): called first of all, and once the weights have moved.
    """

    objective: nn.Module
    targets: Callable[[Batch], Any]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler | None
    world: World
    seed: int
    steps: Steps
    num_parts: int
    narrow: torch.dtype | None
    channels_last: bool
    model_config: ModelConfig
    optim_config: OptimConfig
    target_psnr: Callable[[int], float]
    before_step: Callable[[int], None]
    after_step: Callable[[int], None]

    def __call__(self, step: int, batch: Batch) -> StepResult:
        """One optimiser step on this rank's batch."""
        # Dropout and drop path draw from here; so a resumed step draws the same as an unbroken one.
        torch.manual_seed(
            int(np.random.SeedSequence((self.seed, step, self.world.rank)).generate_state(1, np.uint64)[0])
        )
        self.before_step(step)
        lr = learning_rate(self.optim_config, step, self.steps.num_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad()
        loss = torch.zeros((), dtype=torch.float64, device=self.world.device)
        for number, part in enumerate(accumulation.split(batch, self.num_parts), start=1):
            with self._unsynchronised() if number < self.num_parts else nullcontext():
                loss += self._backward(part, self.steps[step].batch_size / self.world.size, self.target_psnr(step))
        grad_norm = self._move()
        self.after_step(step)
        return StepResult(loss, grad_norm, lr)

    def _backward(self, part: Batch, mean_over: float, target_psnr: float) -> torch.Tensor:
        """This part's loss; its gradients are added to those of the parts before."""
        device = self.world.device
        part = part.to(device)
        x_BCHW = to_input(part.images_BCHW, self.model_config.mean, self.model_config.std, part.flips_B)
        if self.channels_last:
            x_BCHW = x_BCHW.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=self.narrow, enabled=self.narrow is not None):
            loss: torch.Tensor = self.objective(x_BCHW, self.targets(part), mean_over, target_psnr)
        scaled = self.scaler.scale(loss) if self.scaler else loss
        scaled.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _move(self) -> torch.Tensor:
        """Clip, and let the optimiser step; returns the gradient's norm before clipping."""
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.objective.parameters(), self.optim_config.clip_norm)
        if self.scaler:
            self.scaler.step(self.optimizer)  # leaves the weights as they are where a gradient overflowed
            self.scaler.update()
        else:
            self.optimizer.step()
        return sharding.whole(norm.detach())

    def _unsynchronised(self) -> AbstractContextManager[None]:
        """Ranks need to exchange gradients once a step. FSDP2 does it with each part, to keep only its own shard."""
        if isinstance(self.objective, DistributedDataParallel):
            context: AbstractContextManager[None] = self.objective.no_sync()
            return context
        return nullcontext()
