"""A frozen encoder, and what it takes: pictures as they come → tensors → logits or features.

Shapes: B pictures of S x S pixels.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import msgspec
import torch
import xxhash
from PIL import Image
from torch import nn

from labelshards.vocabulary import Vocabulary
from trainer import transforms
from trainer.encoders.models import Channels, ModelConfig

# Part of every digest, which names cached features: raise it when the same weights and pictures give other features.
_EXTRACTION_VERSION = 2


class PictureInput(msgspec.Struct, frozen=True, kw_only=True):
    """What an encoder takes. crop_share: the part of the middle square's side that it sees (timm's crop_pct)."""

    image_size: Annotated[int, msgspec.Meta(ge=1)]
    mean: Channels
    std: Channels
    crop_share: float = 1.0

    @classmethod
    def of_run(cls, config: ModelConfig) -> "PictureInput":
        """What the encoder of a run takes."""
        return cls(image_size=config.image_size, mean=config.mean, std=config.std)

    def __call__(self, picture: bytes | Image.Image) -> torch.Tensor:
        """float32 [3, S, S], as a transform of a data set gives it. Raises BrokenImageError for bytes that are none."""
        if isinstance(picture, bytes):
            pixels_CHW = transforms.decode(picture)
        else:
            pixels_CHW = torch.from_numpy(transforms.rgb(picture)).permute(2, 0, 1)
        return self.to_input(self.crop(pixels_CHW)[None])[0]

    def crop(self, pixels_CHW: torch.Tensor) -> torch.Tensor:
        """uint8 [3, H, W] → uint8 [3, S, S]: what the encoder sees of a picture."""
        height, width = pixels_CHW.shape[-2:]
        side = max(1, round(min(height, width) * min(self.crop_share, 1.0)))
        top, left = (height - side) // 2, (width - side) // 2
        return transforms.center_crop(pixels_CHW[:, top : top + side, left : left + side], self.image_size)

    def to_input(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """uint8 [B, 3, S, S] → float32, normalised, on the same device."""
        return transforms.to_input(images_BCHW, self.mean, self.std)


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """A frozen encoder in eval mode, what it takes, and on which device it computes.

    model: as timm makes them; called, it gives logits [B, K] (or features, where it has no head). picture: also the
    transform in front of it. vocabulary: what the K classes of its head mean, None where nobody said.
    """

    model: nn.Module
    picture: PictureInput
    device: torch.device
    vocabulary: Vocabulary | None = None

    @cached_property
    def digest(self) -> str:
        """Identity of the weights and of the transform in front of them."""
        state = xxhash.xxh3_128(repr((_EXTRACTION_VERSION, self.picture)).encode())
        for name, tensor in self.model.state_dict().items():
            state.update(name.encode())
            state.update(tensor.detach().cpu().contiguous().numpy())  # the hash takes memory as it lies
        return state.hexdigest()
