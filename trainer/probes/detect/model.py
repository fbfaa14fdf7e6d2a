"""Mask R-CNN of torchvision on a plain encoder's last map, through a simple feature pyramid (ViTDet, arXiv 2203.16527).

Shapes: B pictures, D features, h x w patches.
"""

import copy
from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from timm.layers.norm import LayerNorm2d
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads

from trainer.encoders.encoder import Encoder
from trainer.probes.detect.scenes import Batch
from trainer.probes.taps import freeze_unused, patches

_ASPECT_RATIOS = (0.5, 1.0, 2.0)
_MASK_LAYERS = 4


class Pyramid(nn.Module):
    """An encoder's last map at 4, 2, 1, 1/2 and 1/4 of its resolution, each with `out_channels`.

    Only the last map of a plain encoder is used: its blocks all have one resolution.
    """

    def __init__(self, encoder: nn.Module, width: int, out_channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.out_channels = out_channels
        half, quarter = width // 2, width // 4
        finest = (
            nn.ConvTranspose2d(width, half, 2, 2),
            LayerNorm2d(half),
            nn.GELU(),
            nn.ConvTranspose2d(half, quarter, 2, 2),
        )
        scales: list[tuple[tuple[nn.Module, ...], int]] = [
            (finest, quarter),
            ((nn.ConvTranspose2d(width, half, 2, 2),), half),
            ((), width),
            ((nn.MaxPool2d(2),), width),
        ]
        self.levels = nn.ModuleList(
            nn.Sequential(
                *layers,
                nn.Conv2d(channels, out_channels, 1, bias=False),
                LayerNorm2d(out_channels),
                nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
                LayerNorm2d(out_channels),
            )
            for layers, channels in scales
        )

    def forward(self, x_BCHW: torch.Tensor) -> "OrderedDict[str, torch.Tensor]":
        """Maps by name, the finest first."""
        features_BDhw = patches(self.encoder, x_BCHW)
        maps = OrderedDict((str(number), level(features_BDhw)) for number, level in enumerate(self.levels))
        maps["pool"] = F.max_pool2d(maps["3"], 1, 2)
        return maps


def build(encoder: Encoder, num_classes: int, image_size: int, channels: int, regions: int) -> MaskRCNN:
    """A Mask R-CNN that sees pictures in squares of `image_size`, padded, their longer side fitted.

    Anchors' sides are 2 … 32 patches. channels: of pyramid and mask head. regions: proposals that the box head learns
    from, a picture. A batch's pictures are scaled by chance, down to half, as in torchvision's own training.
    """
    inner = copy.deepcopy(encoder.model).requires_grad_(True)
    freeze_unused(inner, lambda x_BCHW: patches(inner, x_BCHW), image_size)
    with torch.inference_mode():
        _, width, map_side, _ = patches(inner, torch.zeros(1, 3, image_size, image_size)).shape
    patch = image_size // map_side
    anchors = AnchorGenerator(tuple((patch * 2**level,) for level in range(1, 6)), (_ASPECT_RATIOS,) * 5)
    model = MaskRCNN(
        Pyramid(inner, width, channels),
        num_classes + 1,  # class 0 is the background
        min_size=image_size,
        max_size=image_size,
        image_mean=list(encoder.picture.mean),
        image_std=list(encoder.picture.std),
        size_divisible=image_size,
        rpn_anchor_generator=anchors,
        box_batch_size_per_image=regions,
        mask_head=MaskRCNNHeads(channels, (channels,) * _MASK_LAYERS, 1),
        mask_predictor=None,
    )
    heads = model.roi_heads
    assert isinstance(heads, RoIHeads), "as torchvision builds it"
    heads.mask_predictor = MaskRCNNPredictor(channels, channels, num_classes + 1)
    return model


class Detecting(nn.Module):
    """The five losses of Mask R-CNN, added: objectness and box of proposals; class, box and mask of objects."""

    def __init__(self, model: MaskRCNN) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, mean_over: float) -> torch.Tensor:
        """The mean loss of this process's pictures, as large as their share of `mean_over` is."""
        pictures = [image_CHW.float() / 255 for image_CHW in batch.images]
        losses: Mapping[str, torch.Tensor] = self.model(pictures, [dict(target) for target in batch.targets])
        return torch.stack(list(losses.values())).sum() * (len(pictures) / mean_over)
