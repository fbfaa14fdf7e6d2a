"""One optimiser step: a batch in parts through the objective, gradients together, weights moved.

Every part's loss is divided by the global batch, so the sum of all parts on all ranks is the loss of the step, however
it is split.
"""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainer import sharding
from trainer.encoders import token_dropout
from trainer.metrics import StepResult
from trainer.optim import learning_rate
from trainer.stream.batch import Batch
from trainer.stream.steps import Steps
from trainer.training import accumulation
from trainer.training.assembly import Assembly
from trainer.transforms import to_input


class Stepper:
    """Does a step of `steps` with what is assembled, when it is called."""

    def __init__(self, assembly: Assembly, steps: Steps) -> None:
        self._assembly = assembly
        self._steps = steps
        self._narrow = assembly.config.loop.narrow(assembly.world.device)
        self._dropout_changes = token_dropout.changes(assembly.config.plan)

    def __call__(self, step: int, batch: Batch) -> StepResult:
        """One optimiser step on this rank's batch."""
        config, world, state = self._assembly.config, self._assembly.world, self._assembly.state
        # Dropout and drop path draw from here; so a resumed step draws the same as an unbroken one.
        torch.manual_seed(int(np.random.SeedSequence((config.seed, step, world.rank)).generate_state(1, np.uint64)[0]))
        if self._dropout_changes:
            token_dropout.set_share(
                self._assembly.encoder, token_dropout.share_of(self._steps.phase(step), config.model)
            )
        lr = learning_rate(config.optim, step, self._steps.num_steps)
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        state.optimizer.zero_grad()
        target_psnr = config.augment.target(step, self._steps.num_steps)
        # DDP and FSDP take the mean of the ranks' gradients: each divides by its share of the batch alone.
        mean_over = self._steps[step].batch_size / world.size
        loss = torch.zeros((), dtype=torch.float64, device=world.device)
        for number, part in enumerate(accumulation.split(batch, config.loop.accumulate), start=1):
            with self._unsynchronised() if number < config.loop.accumulate else nullcontext():
                loss += self._backward(part, mean_over, target_psnr)
        grad_norm = self._move()
        self._assembly.bare.after_step()
        state.ema.update(state.model, step)
        return StepResult(loss, grad_norm, lr)

    def _backward(self, part: Batch, mean_over: float, target_psnr: float) -> torch.Tensor:
        """This part's loss; its gradients are added to those of the parts before."""
        made, config, device = self._assembly, self._assembly.config, self._assembly.world.device
        part = part.to(device)
        x_BCHW = to_input(part.images_BCHW, config.model.mean, config.model.std, part.flips_B)
        if config.loop.channels_last:
            x_BCHW = x_BCHW.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, dtype=self._narrow, enabled=self._narrow is not None):
            loss: torch.Tensor = made.objective(x_BCHW, made.bare.targets(part), mean_over, target_psnr)
        scaled = made.state.scaler.scale(loss) if made.state.scaler else loss
        scaled.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _move(self) -> torch.Tensor:
        """Clip, and let the optimiser step; returns the gradient's norm before clipping."""
        optimizer, scaler = self._assembly.state.optimizer, self._assembly.state.scaler
        if scaler:
            scaler.unscale_(optimizer)  # so that the norm is that of the gradients themselves
        norm = nn.utils.clip_grad_norm_(self._assembly.objective.parameters(), self._assembly.config.optim.clip_norm)
        if scaler:
            scaler.step(optimizer)  # leaves the weights as they are where a gradient overflowed
            scaler.update()
        else:
            optimizer.step()
        return sharding.whole(norm.detach())

    def _unsynchronised(self) -> AbstractContextManager[None]:
        """Ranks need to exchange gradients once a step. FSDP2 does it with each part, to keep only its own shard."""
        objective = self._assembly.objective
        if isinstance(objective, DistributedDataParallel):
            context: AbstractContextManager[None] = objective.no_sync()
            return context
        return nullcontext()
