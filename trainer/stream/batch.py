"""A batch, and the pieces that it is put together from.

Shapes: B samples of one rank, N of a piece, C = 3, H = W = image size, P positives (labels), T tokens of a caption,
which are none where nobody asks for captions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from trainer.losses.positives import Positives


class Room(NamedTuple):
    """Memory for one rank's part of a step, which readers fill. images_BHWC: uint8. tokens_BT: int32."""

    images_BHWC: np.ndarray
    tokens_BT: np.ndarray


class Piece(NamedTuple):
    """What a reader says of samples whose pixels and tokens it has written already.

    positions_N: int64, where they stand in the batch. flips_N: bool, which are to be mirrored. counts_N: int32, labels
    of each; values_P: int32, these labels, sample after sample. bad: names of the broken pictures that other samples
    had to replace, and why.
    """

    positions_N: np.ndarray
    flips_N: np.ndarray
    counts_N: np.ndarray
    values_P: np.ndarray
    bad: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One rank's part of a step.

    images_BCHW: uint8, channels last in memory. flips_B: bool, which images are to be mirrored. values_P: int32, the
    class ids of sample b being values_P[offsets[b]:offsets[b+1]]; offsets: int32 [B+1]. tokens_BT: int32, of each
    sample's chosen caption. bad: as in `Piece`.
    """

    images_BCHW: torch.Tensor
    flips_B: torch.Tensor
    values_P: torch.Tensor
    offsets: torch.Tensor
    tokens_BT: torch.Tensor
    bad: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, room: Room, pieces: Sequence[Piece]) -> "Batch":
        """The batch with what lies in `room`, which is not copied."""
        positions = np.concatenate([piece.positions_N for piece in pieces])
        counts = np.concatenate([piece.counts_N for piece in pieces])
        values = np.concatenate([piece.values_P for piece in pieces])
        flips_B = np.empty(len(positions), dtype=bool)
        flips_B[positions] = np.concatenate([piece.flips_N for piece in pieces])
        offsets = np.zeros(len(positions) + 1, dtype=np.int32)
        offsets[positions + 1] = counts
        np.cumsum(offsets, out=offsets)
        # Sample after sample in the order of the pieces → in that of the batch.
        within = np.arange(len(values)) - np.repeat(np.cumsum(counts) - counts, counts)
        values_P = np.empty_like(values)
        values_P[np.repeat(offsets[positions], counts) + within] = values
        return cls(
            images_BCHW=torch.from_numpy(room.images_BHWC).permute(0, 3, 1, 2),
            flips_B=torch.from_numpy(flips_B),
            values_P=torch.from_numpy(values_P),
            offsets=torch.from_numpy(offsets),
            tokens_BT=torch.from_numpy(room.tokens_BT),
            bad=tuple(bad for piece in pieces for bad in piece.bad),
        )

    def positives(self) -> Positives:
        """Where the dense target, which never exists, would hold ones."""
        rows = torch.arange(len(self.images_BCHW), device=self.offsets.device)
        counts = self.offsets.diff()
        return Positives(
            torch.repeat_interleave(rows, counts, output_size=len(self.values_P)), self.values_P.to(torch.int64)
        )

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; from pinned memory the copy overlaps with computation."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """A copy in page-locked memory."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "Batch":
        return Batch(
            images_BCHW=change(self.images_BCHW),
            flips_B=change(self.flips_B),
            values_P=change(self.values_P),
            offsets=change(self.offsets),
            tokens_BT=change(self.tokens_BT),
            bad=self.bad,
        )
