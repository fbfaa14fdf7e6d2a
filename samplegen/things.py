"""One object in a picture: where it is, how it stands, and which part of the picture it really covers.

Lengths are fractions of the picture's side; x runs right, y runs down, angles are degrees counter-clockwise.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from samplegen.emoji_nouns import Noun
from samplegen.glyphs import pose

GRID = 96  # cells a side in which shapes are compared; of the default picture size, so that poses are made once
_OPAQUE = 128  # of 255: what is drawn, without the soft edges
_MAX_SINKING = 0.4  # of its own height, into a hollow of what it stands on


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """(x, y) is the centre; width and height are those of the upright picture; depth 0 is drawn first."""

    noun: Noun
    x: float
    y: float
    width: float
    height: float
    angle: float
    flipped: bool
    tint: tuple[float, float, float]  # factors of red, green and blue
    depth: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of what is drawn."""
        left, top, right, bottom = self._shape()[1]
        return self.x + left, self.y + top, self.x + right, self.y + bottom

    def mask(self) -> npt.NDArray[np.bool_]:
        """bool [3 · GRID, 3 · GRID]: cells that the thing covers, of the picture and a margin of its size around it."""
        opaque, _ = self._shape()
        height, width = opaque.shape
        mask = np.zeros((3 * GRID, 3 * GRID), dtype=np.bool_)
        top, left = GRID + round(self.y * GRID - height / 2), GRID + round(self.x * GRID - width / 2)
        mask[top : top + height, left : left + width] = opaque
        return mask

    def _shape(self) -> tuple[npt.NDArray[np.bool_], tuple[float, float, float, float]]:
        return _shape(self.noun.emoji, self.width, self.height, self.angle, self.flipped)


@lru_cache(maxsize=64)
def _shape(
    emoji: str, width: float, height: float, angle: float, flipped: bool
) -> tuple[npt.NDArray[np.bool_], tuple[float, float, float, float]]:
    """Which cells around its centre a thing covers, and the left, top, right and bottom of them from the centre."""
    opaque = np.asarray(pose(emoji, width, height, angle, flipped, GRID).getchannel("A")) >= _OPAQUE
    rows, columns = np.flatnonzero(opaque.any(axis=1)), np.flatnonzero(opaque.any(axis=0))
    middle_row, middle_column = opaque.shape[0] / 2, opaque.shape[1] / 2
    return opaque, (
        float(columns[0] - middle_column) / GRID,
        float(rows[0] - middle_row) / GRID,
        float(columns[-1] + 1 - middle_column) / GRID,
        float(rows[-1] + 1 - middle_row) / GRID,
    )


def box_overlap(a: Thing, b: Thing) -> float:
    """The part of the smaller box that both boxes share, 0 to 1."""
    (a_left, a_top, a_right, a_bottom), (b_left, b_top, b_right, b_bottom) = a.box, b.box
    width = min(a_right, b_right) - max(a_left, b_left)
    height = min(a_bottom, b_bottom) - max(a_top, b_top)
    smaller = min((a_right - a_left) * (a_bottom - a_top), (b_right - b_left) * (b_bottom - b_top))
    return max(width, 0) * max(height, 0) / smaller


def covered(back: Thing, front: Thing) -> float:
    """The part of `back` that `front` would hide, 0 to 1."""
    mask = back.mask()
    return float((mask & front.mask()).sum() / mask.sum())


def gap_below(upper: Thing, lower: Thing) -> float | None:
    """How far `upper` could fall before it touched `lower`; negative if it is in it; None if it would miss it."""
    above, below = upper.mask(), lower.mask()
    shared = above.any(axis=0) & below.any(axis=0)
    if not shared.any():
        return None
    last_above = len(above) - 1 - above[::-1, shared].argmax(axis=0)  # argmax finds the first one, here from below
    return float((below[:, shared].argmax(axis=0) - last_above - 1).min()) / GRID


def drop(upper: Thing, lower: Thing) -> Thing | None:
    """`upper`, fallen onto `lower`; None if it would miss it or sink too deep into a hollow of it."""
    gap = gap_below(upper, lower)
    if gap is None or gap > _MAX_SINKING * upper.height:
        return None
    return replace(upper, y=upper.y + gap)
