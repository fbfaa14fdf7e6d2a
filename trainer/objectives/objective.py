"""What a step minimises: everything that is learned and its loss as one module, so that DDP wraps them together.

Shapes: B images, C = 3, H x W pixels.
"""

from abc import abstractmethod
from typing import Generic, TypeVar

import torch
from torch import nn

from trainer.encoders import range_augment
from trainer.encoders.range_augment import RangeAugment
from trainer.stream.batch import Batch

T = TypeVar("T")


class Objective(nn.Module, Generic[T]):
    """A model and its loss against targets of type T.

    model: what a run learns, averages over its steps and saves. augment, augment_weight: RangeAugment's pictures and
    the weight of its part of the loss.
    """

    def __init__(self, model: nn.Module, augment: RangeAugment | None = None, augment_weight: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.augment = augment
        self.augment_weight = augment_weight

    @abstractmethod
    def targets(self, batch: Batch) -> T:
        """What pictures are compared with, taken from a batch on the device."""

    @abstractmethod
    def loss(self, x_BCHW: torch.Tensor, targets: T, mean_over: float) -> torch.Tensor:
        """Scalar loss, at least float32: summed over these samples, divided by `mean_over`."""

    def after_step(self) -> None:
        """Put right what the optimiser may have moved too far."""

    def forward(self, x_BCHW: torch.Tensor, targets: T, mean_over: float, target_psnr: float = 0.0) -> torch.Tensor:
        """`loss`, and RangeAugment's part, which wants pictures changed by `target_psnr` decibels."""
        if self.augment is not None:
            with torch.autocast(x_BCHW.device.type, enabled=False):
                x_BCHW, psnr_B = self.augment(x_BCHW)
                apart = range_augment.distance(psnr_B, target_psnr) * (self.augment_weight / mean_over)
            return apart + self.loss(x_BCHW, targets, mean_over)
        # Returned as it is: a compiled module stops at the loss, and nothing may come after it.
        return self.loss(x_BCHW, targets, mean_over)
