"""Step → crops of pictures, and the class of each of their pixels.

Shapes: B pictures, H x W pixels.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from trainer import transforms
from trainer.probes.data.masks import Masks
from trainer.probes.data.split import Split
from trainer.probes.tuning.stream import Stream


@dataclass(frozen=True, kw_only=True)
class Batch:
    """images_BCHW: uint8. class_ids_BHW: uint8, IGNORED where a pixel has none. flips_B: which are to be mirrored."""

    images_BCHW: torch.Tensor
    class_ids_BHW: torch.Tensor
    flips_B: torch.Tensor
    bad: tuple[tuple[str, str], ...]

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`."""
        images, class_ids, flips = (each.to(device) for each in (self.images_BCHW, self.class_ids_BHW, self.flips_B))
        return Batch(images_BCHW=images, class_ids_BHW=class_ids, flips_B=flips, bad=self.bad)


@dataclass(frozen=True, kw_only=True)
class Crops(Dataset[Batch]):
    """Step → random squares of this rank's pictures of it, of min_scale … 1 of the largest square's area."""

    split: Split
    masks: Masks
    stream: Stream
    min_scale: float

    def __getitem__(self, step: int) -> Batch:
        size = self.stream.steps[step].image_size
        lookup_V = self.masks.lookup(self.split.classes)

        def read(number: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, bool]:
            pixels_CHW = transforms.decode(self.split.pictures.read(number))
            class_ids_HW = torch.from_numpy(lookup_V[self.masks.read(number)])
            height, width = class_ids_HW.shape
            side = max(1, round(min(height, width) * rng.uniform(self.min_scale, 1.0) ** 0.5))  # the scale is of areas
            top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            here = np.s_[..., top : top + side, left : left + side]
            crop_CHW = transforms.center_crop(pixels_CHW[here], size)
            class_ids_11HW = class_ids_HW[here][None, None]
            # By the nearest pixel, as is usual there: between two classes lies none.
            return crop_CHW, F.interpolate(class_ids_11HW, (size, size))[0, 0], bool(rng.random() < 0.5)

        samples, bad = self.stream.load(step, read)
        crops, class_ids, flips = zip(*samples, strict=True)
        return Batch(
            images_BCHW=torch.stack(crops), class_ids_BHW=torch.stack(class_ids), flips_B=torch.tensor(flips), bad=bad
        )
