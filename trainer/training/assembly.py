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
from trainer.training import accumulation
from trainer.training.state import TrainState


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What is trained with `config` on this rank of `world`.

    state: what a step changes, and a checkpoint holds. encoder: of pictures, in it. bare: what computes the loss.
    objective: the same, distributed over all ranks.
    """

    config: Config
    world: World
    state: TrainState
    encoder: nn.Module
    bare: Objective[Any]
    objective: nn.Module


def check(config: Config, steps: Steps, world_size: int) -> None:
    """Raise CatlipError for settings that no encoder could be trained with in these steps, on so many ranks."""
    config.optim.warmup(steps.num_steps)
    kind_of(config).check(config)
    accumulation.check(config.loop.accumulate, steps.smallest_batch(), world_size)
    if config.loop.compile is True and (other := _beside_compiled(config, world_size)):
        raise CatlipError(f"loop.compile does not go with {other}. Try --set loop.compile=false.")


def assemble(config: Config, prior_K: np.ndarray, image_sizes: Sequence[int], world: World) -> Assembly:
    """Fresh weights, the same on every rank: they depend on the seed alone.

    prior_K: the classes' frequencies. image_sizes: all that occur; raises CatlipError if the encoder cannot take one.
    """
    torch.manual_seed(config.seed)
    kind = kind_of(config)
    model = kind.start(config, prior_K)
    towers = kind.towers(model)
    models.check_sizes(towers[0], image_sizes)
    # Now: its place must be there before the encoder is compiled or cut. Later only its share changes.
    if token_dropout.changes(config.plan):
        token_dropout.set_share(towers[0], token_dropout.share_of(config.plan.phases[0], config.model))
    model.to(world.device)
    if config.loop.channels_last:
        model.to(memory_format=torch.channels_last)
    ema = Ema(model, config.optim.ema_decay)  # a copy of the plain model, before anything is wrapped around it
    augment = RangeAugment(config.model.mean, config.model.std) if config.augment.range else None
    objective = kind.objective(model, config, prior_K, augment, world)
    objective.to(world.device).train()
    if config.loop.recompute:
        for tower in towers:
            acceleration.recompute(tower)
    compiled = config.loop.compile
    if compiled == "auto":
        compiled = world.device.type == "cuda" and _beside_compiled(config, world.size) is None
    if compiled:
        acceleration.compile_encoder(towers[0])
    if _is_sharded(config, world.size):
        sharding.shard(objective, towers, world)
        sharding.shard(ema.module, kind.towers(ema.module), world)
    scaler = torch.amp.GradScaler(world.device.type) if config.loop.precision == "fp16" else None
    # Only now: sharding puts other parameters in the place of those that were there.
    state = TrainState(model, ema, build_optimizer(objective, config.optim), scaler, augment)
    shared = replicate(objective, world) if config.distributed.strategy == "ddp" else objective
    return Assembly(config=config, world=world, state=state, encoder=towers[0], bare=objective, objective=shared)


def _beside_compiled(config: Config, world_size: int) -> str | None:
    """The setting that keeps an encoder from being compiled, if there is one."""
    if config.loop.recompute:
        return "loop.recompute"
    return "distributed.strategy=fsdp" if _is_sharded(config, world_size) else None


def _is_sharded(config: Config, world_size: int) -> bool:
    return world_size > 1 and config.distributed.strategy == "fsdp"
