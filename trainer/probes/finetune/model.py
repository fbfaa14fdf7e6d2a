"""A copy of an encoder under a new head, and its loss on pictures that may be mixed.

Shapes: B pictures, C = 3 channels, H x W pixels, D features, K classes.
"""

import copy

import torch
import torch.nn.functional as F
from timm.data.mixup import Mixup
from torch import nn

from labelshards.errors import CatlipError
from trainer import transforms
from trainer.encoders.encoder import Encoder, PictureInput
from trainer.probes.finetune.crops import Batch
from trainer.probes.transfer import Init


def with_head(encoder: Encoder, num_classes: int, init: Init, seed: int) -> nn.Module:
    """A copy of the encoder, all of it to be trained, under a new head."""
    model = copy.deepcopy(encoder.model).requires_grad_(True)
    model.reset_classifier(num_classes)  # type: ignore[operator]
    head = model.get_classifier()  # type: ignore[operator]
    if not isinstance(head, nn.Linear):
        raise CatlipError("Fine-tuning wants a model with a single linear head. Take another one of timm.")
    weight_KD, bias_K = init.make(num_classes, head.in_features, seed)
    with torch.no_grad():
        head.weight.copy_(weight_KD)
        head.bias.copy_(bias_K)
    return model


class Classifying(nn.Module):
    """Cross-entropy of a model on mixed pictures (timm's Mixup: both of a pair get the same share)."""

    def __init__(self, model: nn.Module, picture: PictureInput, smoothing: float, mix: Mixup | None) -> None:
        super().__init__()
        self.model = model
        self._mean, self._std = picture.mean, picture.std
        self._smoothing = smoothing
        self._mix = mix

    def forward(self, batch: Batch, mean_over: float) -> torch.Tensor:
        """The sum of the pictures' losses, divided by `mean_over`."""
        x_BCHW = transforms.to_input(batch.images_BCHW, self._mean, self._std, batch.flips_B)
        targets = batch.class_ids_B
        even = len(targets) // 2 * 2
        if self._mix and even:
            mixed_BCHW, targets = self._mix(x_BCHW[:even], targets[:even])
            if even < len(x_BCHW):  # pictures are mixed in pairs; the last one stays as it is
                alone_1K = F.one_hot(batch.class_ids_B[even:], targets.shape[1]).to(targets.dtype)
                mixed_BCHW, targets = torch.cat([mixed_BCHW, x_BCHW[even:]]), torch.cat([targets, alone_1K])
            x_BCHW = mixed_BCHW
        logits_BK = self.model(x_BCHW)
        loss = F.cross_entropy(logits_BK.float(), targets, reduction="sum", label_smoothing=self._smoothing)
        return loss / mean_over
