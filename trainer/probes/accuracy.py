"""How often a probe names the right class.

Shapes: N pictures, K classes.
"""

from dataclasses import dataclass

import numpy as np
import torch

TOP = 5


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Shares in [0, 1]; top5 is 1 with five classes or fewer. per_class: float64 [K], NaN without pictures."""

    top1: float
    top5: float
    per_class: np.ndarray

    @property
    def mean_per_class(self) -> float:
        """Top-1, each class counted alike."""
        return float(np.nanmean(self.per_class))


def measure(ranked_N5: np.ndarray, class_ids: np.ndarray, num_classes: int) -> Accuracy:
    """ranked_N5: int64 [N, up to 5] class ids, likeliest first."""
    right_N5 = ranked_N5 == class_ids[:, None]
    hits = np.bincount(class_ids, weights=right_N5[:, 0], minlength=num_classes)
    sizes = np.bincount(class_ids, minlength=num_classes)
    return Accuracy(
        top1=float(right_N5[:, 0].mean()),
        top5=float(right_N5.any(1).mean()),
        per_class=np.divide(hits, sizes, out=np.full(num_classes, np.nan), where=sizes > 0),
    )


def rank(scores_BK: torch.Tensor) -> torch.Tensor:
    """int64 [B, up to 5]: the classes with the highest scores, on the CPU."""
    return scores_BK.topk(min(TOP, scores_BK.shape[-1]), dim=-1).indices.cpu()
