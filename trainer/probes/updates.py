"""How linear heads of many learning rates are moved at once.

Shapes: L learning rates, K classes.
"""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import torch

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # AdamW's usual


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """How heads are trained: without weight decay, on a cosine from each rate to `final_rate`.

    standardise: features have mean 0 and variance 1, as on the training pictures. init_std: of the first weights (0:
    all are 0, which decides nothing, as the problem is convex).
    """

    optimizer: Literal["adamw", "sgd"]
    rates: tuple[float, ...]
    epochs: int
    batch_size: int
    standardise: bool
    final_rate: float = 0.0
    init_std: float = 0.0
    momentum: float = 0.9


class Updates:
    """AdamW without decay, or SGD with momentum, for tensors [..., L, K] whose L parts each have their own rate.

    torch's optimisers know one rate a tensor; with a tensor for each head a step is mostly overhead.
    """

    def __init__(self, training: Training, parameters: Sequence[torch.Tensor]) -> None:
        self._training = training
        self._parameters = parameters
        self._rates_L1 = torch.tensor(training.rates)[:, None].to(parameters[0].device)
        self._first = [torch.zeros_like(each) for each in parameters]
        self._second = [torch.zeros_like(each) for each in parameters] if training.optimizer == "adamw" else []
        self._count = 0

    @torch.no_grad()
    def step(self, progress: float) -> None:
        """Move by the gradients, and drop them. progress: share of the steps that are done."""
        self._count += 1
        end = self._training.final_rate
        rates_L1 = end + (self._rates_L1 - end) * (1 + math.cos(math.pi * progress)) / 2
        for index, parameter in enumerate(self._parameters):
            assert parameter.grad is not None, "the loss sees every head"
            moved = self._adamw(index, parameter.grad) if self._second else self._sgd(index, parameter.grad)
            parameter.sub_(moved.mul_(rates_L1))
            parameter.grad = None

    def _sgd(self, index: int, grad: torch.Tensor) -> torch.Tensor:
        return self._first[index].mul_(self._training.momentum).add_(grad).clone()  # `step` scales it in place

    def _adamw(self, index: int, grad: torch.Tensor) -> torch.Tensor:
        first = self._first[index].lerp_(grad, 1 - _BETA1)
        second = self._second[index].mul_(_BETA2).addcmul_(grad, grad, value=1 - _BETA2)
        size = (second / (1 - _BETA2**self._count)).sqrt_().add_(_EPSILON)
        return torch.div(first, size, out=size).div_(1 - _BETA1**self._count)
