"""Brightness, contrast and noise whose ranges are learned: RangeAugment (Mehta et al., arXiv 2212.10553).

Every picture gets a magnitude drawn from each range. The ranges are parameters: the loss pulls them by what the encoder
can still tell, and by how far the pictures' PSNR is from a target, which falls over the run from easy to hard.

Shapes: B images, C = 3, H x W pixels.
"""

import math

import msgspec
import torch
import torch.nn.functional as F
from torch import nn

from trainer import sharding
from trainer.encoders.models import Channels

# Widest ranges: factors from 0.1 to 1.9, a standard deviation of half the whole scale.
_WIDEST = {"darker": 0.9, "brighter": 0.9, "flatter": 0.9, "steeper": 0.9, "noise": 0.5}
_FIRST_SHARE = 0.1
# An optimiser moves each number by about the learning rate: these have a long way to go.
_GAIN = 10.0
_LEAST_ERROR = 1e-8


class AugmentConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[augment]`: what is done to pictures on the device, beside flips.

    range: RangeAugment. first_psnr, last_psnr: its target in decibels in the first step and in the last, along half a
    cosine between. weight: of a decibel, beside the encoder's loss.
    """

    range: bool = False
    first_psnr: float = 40.0
    last_psnr: float = 20.0
    weight: float = 10.0

    def target(self, step: int, num_steps: int) -> float:
        """The target of step 0 … num_steps-1, in decibels."""
        progress = step / max(1, num_steps - 1)
        return self.last_psnr + (self.first_psnr - self.last_psnr) * 0.5 * (1 + math.cos(math.pi * progress))


class RangeAugment(nn.Module):
    """The ranges, and what is done with them. mean, std: of the pixels that it gets and gives."""

    mean_C: torch.Tensor
    std_C: torch.Tensor

    def __init__(self, mean: Channels, std: Channels) -> None:
        super().__init__()
        first = math.log(_FIRST_SHARE / (1 - _FIRST_SHARE)) / _GAIN
        self.raw = nn.Parameter(torch.full((len(_WIDEST),), first))
        self.register_buffer("widest", torch.tensor(list(_WIDEST.values())), persistent=False)
        self.register_buffer("mean_C", torch.tensor(mean), persistent=False)
        self.register_buffer("std_C", torch.tensor(std), persistent=False)

    def ranges(self) -> torch.Tensor:
        """[5]: how far brightness may fall and rise from 1, contrast likewise, and the largest deviation of noise."""
        return self._ranges(self.raw)

    def named_ranges(self) -> dict[str, float]:
        """`ranges` by name. All ranks must call this."""
        return dict(zip(_WIDEST, self._ranges(sharding.whole(self.raw.detach())).tolist(), strict=True))

    def _ranges(self, raw: torch.Tensor) -> torch.Tensor:
        widest: torch.Tensor = self.get_buffer("widest")
        return widest * torch.sigmoid(_GAIN * raw)

    def forward(self, x_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised pixels, changed; and the PSNR of each picture, float32 [B], in decibels."""
        std, mean = self.std_C[:, None, None], self.mean_C[:, None, None]
        pixels_BCHW = x_BCHW.float() * std + mean
        darker, brighter, flatter, steeper, noisiest = self.ranges()
        brightness_B, contrast_B = (2 * torch.rand((2, len(x_BCHW)), device=x_BCHW.device) - 1).unbind()
        factor_B = 1 + torch.where(brightness_B < 0, darker, brighter) * brightness_B
        changed_BCHW = pixels_BCHW * factor_B[:, None, None, None]
        factor_B = 1 + torch.where(contrast_B < 0, flatter, steeper) * contrast_B
        grey_B = changed_BCHW.mean((1, 2, 3))[:, None, None, None]
        changed_BCHW = grey_B + (changed_BCHW - grey_B) * factor_B[:, None, None, None]
        deviation_B = noisiest * torch.rand(len(x_BCHW), device=x_BCHW.device)
        changed_BCHW = changed_BCHW + torch.randn_like(changed_BCHW) * deviation_B[:, None, None, None]
        error_B = (changed_BCHW - pixels_BCHW).square().mean((1, 2, 3))
        return (changed_BCHW - mean) / std, -10 * torch.log10(error_B + _LEAST_ERROR)


def distance(psnr_B: torch.Tensor, target: float) -> torch.Tensor:
    """Sum over the pictures of how far they are from the target: squared within a decibel, and linear beyond."""
    return F.smooth_l1_loss(psnr_B, torch.full_like(psnr_B, target), reduction="sum")
