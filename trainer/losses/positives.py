"""Where the ones of a dense target would stand, and the pieces in which logits are worked through.

Shapes: B samples, K classes, P positives.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

# A piece's temporaries stay in a core's cache, or are enough work for one launch on a GPU.
_CPU_ELEMENTS = 1 << 18
_GPU_ELEMENTS = 1 << 24


class Positives(NamedTuple):
    """Coordinates of the positives, int64 [P] each; a pair stands at most once. None at all is fine."""

    rows_P: torch.Tensor
    columns_P: torch.Tensor


def row_blocks(logits_BK: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Views of the rows, [some, K] at a time."""
    elements = _CPU_ELEMENTS if logits_BK.device.type == "cpu" else _GPU_ELEMENTS
    return torch.split(logits_BK, max(1, elements // max(1, logits_BK.shape[1])))


def wide(dtype: torch.dtype) -> torch.dtype:
    """What sums run in: float32, or more if the logits have more."""
    return torch.promote_types(dtype, torch.float32)


@contextmanager
def without(positives: Positives, logits_BK: torch.Tensor) -> Iterator[None]:
    """Logits in which the positives are -inf, for as long as the negatives are summed.

    To sum all and subtract would lose a small loss in the rounding of its well-recognised positives.
    """
    x_P = logits_BK[positives]
    logits_BK[positives] = -torch.inf
    try:
        yield
    finally:
        logits_BK[positives] = x_P
