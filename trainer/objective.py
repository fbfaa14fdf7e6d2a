"""What a step minimises: encoder, head and loss as one module, so that DDP wraps them together.

The head stands here and not behind the encoder's own forward, because a fused loss takes features, never logits.

Shapes: B images, C = 3, H x W pixels.
"""

import numpy as np
import torch
from torch import nn

from trainer import models, range_augment
from trainer.losses.config import Loss, LossConfig, idf
from trainer.losses.positives import Positives
from trainer.range_augment import RangeAugment


class Objective(nn.Module):
    """A model of `models.build` and its loss. `prior_K`: the classes' frequencies, for weights."""

    weights_K: torch.Tensor | None

    def __init__(
        self,
        model: nn.Module,
        config: LossConfig,
        prior_K: np.ndarray,
        augment: RangeAugment | None = None,
        augment_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.augment = augment
        self.augment_weight = augment_weight
        self.config = config
        weights = torch.from_numpy(idf(prior_K)).float() if config.class_weights == "idf" else None
        self.register_buffer("weights_K", weights, persistent=False)

    def forward(
        self, x_BCHW: torch.Tensor, positives: Positives, mean_over: float, target_psnr: float = 0.0
    ) -> torch.Tensor:
        """Scalar loss, at least float32: summed over this batch, divided by `mean_over`.

        target_psnr: of RangeAugment, whose part is added.
        """
        if self.augment is not None:
            with torch.autocast(x_BCHW.device.type, enabled=False):
                x_BCHW, psnr_B = self.augment(x_BCHW)
                apart = range_augment.distance(psnr_B, target_psnr) * (self.augment_weight / mean_over)
            return apart + self._loss(x_BCHW, positives, mean_over)
        return self._loss(x_BCHW, positives, mean_over)

    def _loss(self, x_BCHW: torch.Tensor, positives: Positives, mean_over: float) -> torch.Tensor:
        loss = Loss(config=self.config, weights_K=self.weights_K)
        # Returned as it is: a compiled module stops at the loss, and nothing may come after it.
        return loss(models.features(self.model, x_BCHW), models.head(self.model), positives, mean_over)  # type: ignore[no-any-return]
