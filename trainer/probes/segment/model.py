"""A head on patch features that names the class of every pixel, and its loss.

Shapes: B pictures, D features, K classes, h x w patches, H x W pixels.
"""

import copy
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.segmentation.deeplabv3 import DeepLabHead

from trainer import transforms
from trainer.encoders.encoder import Encoder
from trainer.probes.data.masks import IGNORED
from trainer.probes.segment.crops import Batch
from trainer.probes.taps import patches

Head = Literal["linear", "deeplab"]
# DeepLabv3's rates are for maps of 64 x 64 at the least; a smaller map is nearly all padding to them.
_ATROUS_RATES = (12, 24, 36)
_SMALL_ATROUS_RATES = (2, 4, 6)
_SMALL_MAP = 32


class Segmenter(nn.Module):
    """Pictures → logits of every pixel. frozen: the encoder stays as it is, and in eval mode."""

    def __init__(self, encoder: Encoder, head: Head, num_classes: int, image_size: int, *, frozen: bool) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder.model).requires_grad_(not frozen)
        self._picture = encoder.picture
        self._frozen = frozen
        with torch.inference_mode():
            _, width, map_side, _ = patches(self.encoder.eval(), torch.zeros(1, 3, image_size, image_size)).shape
        if head == "linear":
            self.head = nn.Sequential(nn.BatchNorm2d(width), nn.Conv2d(width, num_classes, 1))
        else:
            rates = _ATROUS_RATES if map_side >= _SMALL_MAP else _SMALL_ATROUS_RATES
            self.head = DeepLabHead(width, num_classes, rates)

    def train(self, mode: bool = True) -> "Segmenter":
        """As of any module; a frozen encoder has no training mode."""
        super().train(mode)
        self.encoder.train(mode and not self._frozen)
        return self

    def forward(self, images_BCHW: torch.Tensor, flips_B: torch.Tensor | None = None) -> torch.Tensor:
        """uint8 pictures → float32 logits [B, K, H, W], bilinear between the patches."""
        x_BCHW = transforms.to_input(images_BCHW, self._picture.mean, self._picture.std, flips_B)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._frozen):
            features_BDhw = patches(self.encoder, x_BCHW)
        logits_BKhw = self.head(features_BDhw).float()
        return F.interpolate(logits_BKhw, x_BCHW.shape[-2:], mode="bilinear", align_corners=False)


class Segmenting(nn.Module):
    """Cross-entropy of every pixel that has a class: the mean over each picture's."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, batch: Batch, mean_over: float) -> torch.Tensor:
        """The sum of the pictures' losses, divided by `mean_over`."""
        targets_BHW = batch.class_ids_BHW.long()
        targets_BHW = torch.where(batch.flips_B[:, None, None], targets_BHW.flip(-1), targets_BHW)
        logits_BKHW = self.segmenter(batch.images_BCHW, batch.flips_B)
        losses_BHW = F.cross_entropy(logits_BKHW, targets_BHW, ignore_index=IGNORED, reduction="none")
        known_B = (targets_BHW != IGNORED).flatten(1).sum(1).clamp(min=1)
        return (losses_BHW.flatten(1).sum(1) / known_B).sum() / mean_over
