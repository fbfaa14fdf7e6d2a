"""Features and classes that a probe learns from, or is measured on; drawn from tables without copying them.

Shapes: N pictures, D features; B of a batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, kw_only=True)
class Features:
    """Readable pictures of a split. table: float16 [rows of the split, D]; rows: int64 [N]."""

    table: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """D."""
        return int(self.table.shape[1])

    def among(self, which: np.ndarray) -> "Features":
        """Those in `which` (int64, places in this)."""
        return Features(table=self.table, rows=self.rows[which])

    def features(self, which: np.ndarray | slice) -> torch.Tensor:
        """float32 [B, D] on the CPU."""
        # Indexed by an array, so copied: a table mapped from a file is read-only, which torch cannot express.
        return torch.from_numpy(self.table[self.rows[which]]).float()


@dataclass(frozen=True, kw_only=True)
class Examples(Features):
    """The same, with the one class of each picture. class_ids: int64 [N]."""

    class_ids: np.ndarray

    def part(self, which: np.ndarray) -> "Examples":
        """Those in `which` (int64, places in this)."""
        return Examples(table=self.table, rows=self.rows[which], class_ids=self.class_ids[which])


def stratified(class_ids: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """int64, rising: `fraction` of each class, at least one of each. A smaller fraction of a seed lies in a larger."""
    return first_of_each(class_ids, seed, lambda size: max(1, round(fraction * size)))


def shots(class_ids: np.ndarray, number: int, seed: int) -> np.ndarray:
    """int64, rising: `number` of each class, or all that it has. Of one seed, fewer shots lie in more."""
    return first_of_each(class_ids, seed, lambda size: min(number, size))


def held_out(class_ids: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(to train on, held out), int64, rising: `share` of every class that has two or more, at least one of each."""
    outer = first_of_each(class_ids, seed, lambda size: max(1, round(share * size)) if size > 1 else 0)
    return np.setdiff1d(np.arange(len(class_ids)), outer), outer


def first_of_each(class_ids: np.ndarray, seed: int, how_many: Callable[[int], int]) -> np.ndarray:
    """int64, rising: of each class, shuffled, the first `how_many(size)`."""
    order = np.random.default_rng(seed).permutation(len(class_ids))
    by_class = order[np.argsort(class_ids[order], kind="stable")]  # stable, so that each class stays shuffled
    sizes = np.unique(class_ids, return_counts=True)[1]
    chosen = [each[: how_many(len(each))] for each in np.split(by_class, np.cumsum(sizes)[:-1])]
    return np.sort(np.concatenate(chosen))


@dataclass(frozen=True, kw_only=True)
class Moments:
    """mean_D, std_D: float32, of each feature; a feature that never changes has 1."""

    mean_D: torch.Tensor
    std_D: torch.Tensor

    @classmethod
    def of(cls, examples: Features, chunk: int = 4096) -> "Moments":
        """Summed in float64 and in pieces."""
        total_D = torch.zeros(examples.width, dtype=torch.float64)
        squares_D = torch.zeros(examples.width, dtype=torch.float64)
        for start in range(0, len(examples), chunk):
            x_BD = examples.features(slice(start, start + chunk)).double()
            total_D += x_BD.sum(0)
            squares_D += (x_BD**2).sum(0)
        mean_D = total_D / len(examples)
        std_D = (squares_D / len(examples) - mean_D**2).clamp(min=0).sqrt()
        std_D[std_D < 1e-6] = 1.0  # a feature that never changes tells nothing, and must not become infinite
        return cls(mean_D=mean_D.float(), std_D=std_D.float())

    @property
    def scale(self) -> float:
        """Root mean square of the centred features over all of them."""
        return math.sqrt(float((self.std_D**2).mean()))
