"""What a segmenter says of whole pictures, and how right that is.

Shapes: H x W pixels, K classes, W windows.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from trainer import transforms
from trainer.distributed import World, on_all, sum_over_ranks
from trainer.probes.data.masks import IGNORED, Masks
from trainer.probes.data.split import Split
from trainer.probes.features import UNREADABLE, reason_of
from trainer.probes.probe import Tick
from trainer.probes.segment.model import Segmenter

_OVERLAP = 1 / 3


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """counts_KK: int64, how many pixels of the class of a row were called the class of a column."""

    counts_KK: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, called: np.ndarray, num_classes: int) -> "Confusion":
        """Of class ids of any shape; where the truth is IGNORED nothing counts."""
        known = truth != IGNORED
        cells = truth[known].astype(np.int64) * num_classes + called[known]
        return cls(counts_KK=np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes))

    def iou(self) -> np.ndarray:
        """float64 [K]: intersection over union of each class; NaN for one that neither is anywhere nor is called."""
        right_K = np.diag(self.counts_KK).astype(np.float64)
        union_K = self.counts_KK.sum(0) + self.counts_KK.sum(1) - right_K
        found: np.ndarray = np.divide(right_K, union_K, out=np.full(len(right_K), np.nan), where=union_K > 0)
        return found

    def metrics(self) -> dict[str, float]:
        """Mean IoU over the classes that have one, the share of pixels that are right, and the mean share by class."""
        right_K, sizes_K = np.diag(self.counts_KK), self.counts_KK.sum(1)
        there = sizes_K > 0
        return {
            "mIoU": float(np.nanmean(self.iou())),
            "pixel_accuracy": float(right_K.sum() / max(1, sizes_K.sum())),
            "mean_per_class": float((right_K[there] / sizes_K[there]).mean()),
        }


@torch.inference_mode()
def score(
    segmenter: Segmenter, split: Split, masks: Masks, size: int, world: World, tick: Tick
) -> tuple[Confusion, Counter[str]]:
    """(confusion over all pictures, those that cannot be read by reason). All ranks must call this, and get the same.

    A picture's shorter side becomes `size`; logits are those of overlapping squares of that size, averaged, and at the
    mask's own resolution the highest one counts.
    """
    segmenter.eval()
    num_classes = len(split.classes)
    counts = np.zeros((num_classes, num_classes), np.int64)
    lookup_V = masks.lookup(split.classes)
    broken: Counter[str] = Counter()
    for number in range(world.rank, len(split), world.size):
        try:
            pixels_CHW = transforms.decode(split.pictures.read(number))
            truth_HW = lookup_V[masks.read(number)]
        except UNREADABLE as error:
            broken[reason_of(error)] += 1
            continue
        called_HW = call(segmenter, pixels_CHW.to(world.device), num_classes, size).cpu().numpy()
        counts += Confusion.of(truth_HW, called_HW, num_classes).counts_KK
        tick(min(number + world.size, len(split)), len(split), "test pictures")
    summed = np.array(sum_over_ranks(counts.ravel().tolist(), world), np.int64)  # float64 counts pixels exactly
    return Confusion(counts_KK=summed.reshape(counts.shape)), sum(on_all(broken, world), Counter())


def call(segmenter: Segmenter, pixels_CHW: torch.Tensor, num_classes: int, size: int) -> torch.Tensor:
    """int64 [H, W]: the likeliest class of every pixel of a uint8 picture, on its device."""
    height, width = pixels_CHW.shape[-2:]
    scale = size / min(height, width)
    scaled = (max(size, round(height * scale)), max(size, round(width * scale)))
    resized_CHW = F.interpolate(pixels_CHW[None], scaled, mode="bicubic", antialias=True)[0]
    corners = [(top, left) for top in _starts(scaled[0], size) for left in _starts(scaled[1], size)]
    logits_WKHW = segmenter(torch.stack([resized_CHW[:, y : y + size, x : x + size] for y, x in corners]))
    total_KHW = torch.zeros((num_classes, *scaled), device=pixels_CHW.device)
    times_HW = torch.zeros(scaled, device=pixels_CHW.device)
    for (y, x), logits_KHW in zip(corners, logits_WKHW, strict=True):
        total_KHW[:, y : y + size, x : x + size] += logits_KHW
        times_HW[y : y + size, x : x + size] += 1
    mean_1KHW = (total_KHW / times_HW)[None]
    return F.interpolate(mean_1KHW, (height, width), mode="bilinear", align_corners=False)[0].argmax(0)


def _starts(length: int, size: int) -> list[int]:
    """Where windows of `size` begin that cover `length`, evenly, and overlap by a third at the least."""
    number = 1 + math.ceil((length - size) / (size * (1 - _OVERLAP)))
    return [round(each) for each in np.linspace(0, length - size, number).tolist()]
