"""Step → random crops of its pictures, and their classes.

Shapes: B pictures, C = 3 channels, H x W pixels.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from trainer import transforms
from trainer.probes.data.split import Split
from trainer.probes.tuning.stream import Stream


@dataclass(frozen=True, kw_only=True)
class Batch:
    """images_BCHW: uint8. flips_B: bool, which are to be mirrored. class_ids_B: int64. bad: as in `TaskBatch`."""

    images_BCHW: torch.Tensor
    flips_B: torch.Tensor
    class_ids_B: torch.Tensor
    bad: tuple[tuple[str, str], ...]

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`."""
        images, flips, class_ids = (each.to(device) for each in (self.images_BCHW, self.flips_B, self.class_ids_B))
        return Batch(images_BCHW=images, flips_B=flips, class_ids_B=class_ids, bad=self.bad)


@dataclass(frozen=True, kw_only=True)
class Crops(Dataset[Batch]):
    """Step → random crops of this rank's pictures of it. rows: int64, those of the split that are trained on."""

    split: Split
    rows: np.ndarray
    stream: Stream
    min_scale: float

    def __getitem__(self, step: int) -> Batch:
        size = self.stream.steps[step].image_size

        def read(number: int, rng: np.random.Generator) -> tuple[torch.Tensor, bool, int]:
            row = int(self.rows[number])
            pixels_CHW = transforms.decode(self.split.pictures.read(row))
            crop_CHW = transforms.random_resized_crop(pixels_CHW, size, self.min_scale, rng)
            return crop_CHW, bool(rng.random() < 0.5), int(self.split.class_ids[row])

        samples, bad = self.stream.load(step, read)
        crops, flips, class_ids = zip(*samples, strict=True)
        return Batch(
            images_BCHW=torch.stack(crops), flips_B=torch.tensor(flips), class_ids_B=torch.tensor(class_ids), bad=bad
        )
