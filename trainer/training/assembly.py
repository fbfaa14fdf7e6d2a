"""What a run trains, put together: encoder, average, optimiser, and the objective that all ranks share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer import sharding
from trainer.config import Config
from trainer.distributed import World, replicate
from trainer.encoders import acceleration, models, token_dropout
from trainer.encoders.range_augment import RangeAugment
from trainer.objectives.kinds import kind_of
from trainer.objectives.objective import Objective
from trainer.optim import Ema, build_optimizer
from trainer.stream.steps import Steps
from trainer.training.loop import LoopConfig
from trainer.training.state import TrainState
from trainer.training.stepper import Stepper


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """state: what a step changes, and a checkpoint holds. encoder: of pictures, in it. bare: what computes the loss.

    objective: the same, distributed over all ranks.
    """

    state: TrainState
    encoder: nn.Module
    bare: Objective[Any]
    objective: nn.Module

    def stepper(self, config: Config, steps: Steps, world: World) -> Stepper:
        """What does a step of `steps`."""
        state = self.state
        dropout_changes = token_dropout.changes(config.plan)

        def before_step(step: int) -> None:
            if dropout_changes:
                token_dropout.set_share(self.encoder, token_dropout.share_of(steps.phase(step), config.model))

        return Stepper(
            objective=self.objective,
            targets=self.bare.targets,
            optimizer=state.optimizer,
            scaler=state.scaler,
            world=world,
            seed=config.seed,
            steps=steps,
            num_parts=config.loop.accumulate,
            narrow=config.loop.narrow(world.device),
            channels_last=config.loop.channels_last,
            model_config=config.model,
            optim_config=config.optim,
            target_psnr=lambda step: config.augment.target(step, steps.num_steps),
            before_step=before_step,
            after_step=self._after_step,
        )

    def _after_step(self, step: int) -> None:
        self.bare.after_step()
        self.state.ema.update(self.state.model, step)


def assemble(config: Config, prior_K: np.ndarray, image_sizes: Sequence[int], world: World) -> Assembly:
    """Fresh weights, the same on every rank: they depend on the seed alone.

    prior_K: the classes' frequencies. image_sizes: all that occur; raises CatlipError if the encoder cannot take one.
    """
    torch.manual_seed(config.seed)
    kind = kind_of(config)
    model = kind.start(config, prior_K)
    towers = kind.towers(model)
    models.check_sizes(towers[0], image_sizes)
    if token_dropout.changes(config.plan):
        token_dropout.set_share(towers[0], token_dropout.share_of(config.plan.phases[0], config.model))
    model.to(world.device)
    if config.loop.channels_last:
        model.to(memory_format=torch.channels_last)
    ema = Ema(model, config.optim.ema_decay)
    augment = RangeAugment(config.model.mean, config.model.std) if config.augment.range else None
    objective = kind.objective(model, config, prior_K, augment, world)
    objective.to(world.device).train()
    sharded = world.size > 1 and config.distributed.strategy == "fsdp"
    if config.loop.recompute:
        for tower in towers:
            acceleration.recompute(tower)
    if _compiles(config.loop, sharded, world.device):
        acceleration.compile_encoder(towers[0])
    if sharded:
        sharding.shard(objective, towers, world)
        sharding.shard(ema.module, kind.towers(ema.module), world)
    scaler = torch.amp.GradScaler(world.device.type) if config.loop.precision == "fp16" else None
    state = TrainState(model, ema, build_optimizer(objective, config.optim), scaler, augment)
    shared = replicate(objective, world) if config.distributed.strategy == "ddp" else objective
    return Assembly(state=state, encoder=towers[0], bare=objective, objective=shared)


def _compiles(config: LoopConfig, sharded: bool, device: torch.device) -> bool:
    if config.compile == "auto":
        return device.type == "cuda" and not (config.recompute or sharded)
    if config.compile and (config.recompute or sharded):
        other = "loop.recompute" if config.recompute else "distributed.strategy=fsdp"
        raise CatlipError(f"loop.compile does not go with {other}. Try --set loop.compile=false.")
    return config.compile
