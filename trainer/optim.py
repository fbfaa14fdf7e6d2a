"""How weights move: AdamW, warm-up and cosine, gradient clipping, and the running average (EMA) that is the result."""

import copy
import math
from typing import Annotated

import msgspec
import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer import sharding

Decay = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class OptimConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[optim]`: defaults are the paper's for ViT-B on DataComp (table 7).

    lr: the peak. min_lr: where the cosine ends. warmup_steps: from nearly 0 to the peak; if not given, a twentieth of
    the run, which is the paper's 10,000 of 200,000. clip_norm: the gradient's largest norm. ema_decay: share of the
    average that a step keeps.
    """

    lr: Annotated[float, msgspec.Meta(gt=0)] = 1e-3
    min_lr: Annotated[float, msgspec.Meta(ge=0)] = 1e-5
    warmup_steps: Annotated[int, msgspec.Meta(ge=0)] | None = None
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.2
    clip_norm: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    ema_decay: Decay = 0.9995

    def warmup(self, num_steps: int) -> int:
        """Warm-up steps of a run of `num_steps`. Raises CatlipError if there are more of them than steps."""
        steps = num_steps // 20 if self.warmup_steps is None else self.warmup_steps
        if steps >= num_steps:
            raise CatlipError(
                f"optim.warmup_steps = {steps}, but the whole run has {num_steps} steps. "
                f"Try --set optim.warmup_steps={num_steps // 20}."
            )
        return steps


def learning_rate(config: OptimConfig, step: int, num_steps: int) -> float:
    """Learning rate of step 0 … num_steps-1: linear warm-up, then half a cosine down to `min_lr`."""
    warmup = config.warmup(num_steps)
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, num_steps - 1 - warmup)
    return config.min_lr + (config.lr - config.min_lr) * 0.5 * (1 + math.cos(math.pi * progress))


def build_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """Fused AdamW; biases and norms (parameters of one dimension) are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=config.lr,
        betas=config.betas,
        fused=True,
    )


class Ema:
    """A running average of a model's weights, in `module`."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after step number `step`; early steps count more, else the random start would stay."""
        decay = min(self._decay, (1 + step) / (10 + step))
        averages, weights = sharding.local(self.module.parameters()), sharding.local(model.parameters())
        torch._foreach_lerp_(averages, weights, 1 - decay)  # all at once, for which torch has no public name
        for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
            mine.copy_(theirs)  # such as BatchNorm's, which are averages already
