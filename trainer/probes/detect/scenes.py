"""Step → pictures of any size, and the boxes, classes and masks of their objects.

Shapes: B pictures, N objects of one, H x W pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset

from trainer import transforms
from trainer.probes.data.objects import Objects
from trainer.probes.data.split import Pictures
from trainer.probes.tuning.stream import Stream
from trainer.transforms import BrokenImageError

Target = Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """images: B of uint8 [3, H, W]. targets: `boxes` float32 [N, 4], `labels` int64 [N] (class id + 1), `masks` uint8
    [N, H, W], as torchvision wants them."""

    images: tuple[torch.Tensor, ...]
    targets: tuple[Target, ...]
    bad: tuple[tuple[str, str], ...]

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`."""
        images = tuple(image.to(device) for image in self.images)
        targets = tuple({name: tensor.to(device) for name, tensor in each.items()} for each in self.targets)
        return Batch(images=images, targets=targets, bad=self.bad)


@dataclass(frozen=True, kw_only=True)
class Scenes(Dataset[Batch]):
    """Step → this rank's pictures of it, mirrored by chance. rows: int64, those that are trained on."""

    pictures: Pictures
    objects: Objects
    rows: np.ndarray
    stream: Stream

    def __getitem__(self, step: int) -> Batch:
        def read(number: int, rng: np.random.Generator) -> tuple[torch.Tensor, Target]:
            return scene(self.pictures, self.objects, int(self.rows[number]), mirrored=bool(rng.random() < 0.5))

        samples, bad = self.stream.load(step, read)
        images, targets = zip(*samples, strict=True)
        return Batch(images=images, targets=targets, bad=bad)


def learnable(objects: Objects) -> np.ndarray:
    """int64: the pictures that have an object to learn."""
    return np.array(
        [row for row, those in enumerate(objects.by_picture) if any(not one.crowd for one in those)], np.int64
    )


def scene(pictures: Pictures, objects: Objects, row: int, *, mirrored: bool) -> tuple[torch.Tensor, Target]:
    """(uint8 [3, H, W], target) of one picture. Raises BrokenImageError if its size is not the one that COCO says."""
    pixels_CHW = sized(pictures, objects, row)
    alone = np.array([not one.crowd for one in objects.by_picture[row]])
    those = [one for one in objects.by_picture[row] if not one.crowd]
    boxes_N4 = torch.tensor([one.box for one in those])
    masks_NHW = torch.from_numpy(objects.masks(row)[alone])
    if mirrored:
        width = pixels_CHW.shape[-1]
        pixels_CHW, masks_NHW = pixels_CHW.flip(-1), masks_NHW.flip(-1)
        boxes_N4[:, [0, 2]] = width - boxes_N4[:, [2, 0]]  # left and right change places
    labels_N = torch.tensor([one.class_id + 1 for one in those])
    return pixels_CHW, {"boxes": boxes_N4, "labels": labels_N, "masks": masks_NHW}


def sized(pictures: Pictures, objects: Objects, row: int) -> torch.Tensor:
    """uint8 [3, H, W]. Raises BrokenImageError as `scene` does."""
    pixels_CHW = transforms.decode(pictures.read(row))
    if tuple(pixels_CHW.shape[-2:]) != objects.sizes[row]:
        raise BrokenImageError("a picture is not of the size that COCO's JSON says", "damaged")
    return pixels_CHW
