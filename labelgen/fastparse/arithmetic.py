"""The few operations that the networks are made of, over rows of float32.

Every row's result depends on that row alone, to the last bit: products are taken in blocks of one fixed shape, and the
rest works row by row. So what a caption gives does not depend on which captions are parsed with it.
"""

from typing import NamedTuple

import numpy as np

_VARIANCE_FLOOR = np.float32(1e-8)  # as in thinc


class Maxout(NamedTuple):
    """A linear layer of several pieces, of which the largest counts, and layer normalisation.

    W float32 [inputs, pieces · width] and b float32 [pieces · width], piece after piece; gain, shift float32 [width].
    """

    W: np.ndarray
    b: np.ndarray
    gain: np.ndarray
    shift: np.ndarray

    @property
    def width(self) -> int:
        """Of what comes out."""
        return len(self.gain)

    def settle(self, pieces: np.ndarray) -> np.ndarray:
        """float32 [R, pieces · width], bias included → float32 [R, width]: the largest pieces, normalised."""
        width = self.width
        largest: np.ndarray = np.maximum(pieces[:, :width], pieces[:, width : 2 * width])
        for start in range(2 * width, pieces.shape[1], width):
            np.maximum(largest, pieces[:, start : start + width], out=largest)
        largest -= largest.mean(axis=1, keepdims=True)
        scale = np.einsum("rw,rw->r", largest, largest)
        scale /= np.float32(width)
        scale += _VARIANCE_FLOOR
        np.sqrt(scale, out=scale)
        np.divide(np.float32(1), scale, out=scale)
        largest *= scale[:, None]
        largest *= self.gain
        largest += self.shift
        return largest


def product(rows: np.ndarray, weights: np.ndarray, block: int) -> np.ndarray:
    """float32 [R, K] times float32 [K, N], `block` rows at a time; the last block is filled up with zeros.

    A BLAS chooses its kernel, and with it the order of its sums, by the shape that it is given.
    """
    result = np.empty((len(rows), weights.shape[1]), np.float32)
    whole = len(rows) - len(rows) % block
    if whole:
        blocks = rows[:whole].reshape(-1, block, rows.shape[1])
        np.matmul(blocks, weights, out=result[:whole].reshape(-1, block, weights.shape[1]))
    if whole < len(rows):
        last = np.zeros((1, block, rows.shape[1]), np.float32)
        last[0, : len(rows) - whole] = rows[whole:]
        result[whole:] = np.matmul(last, weights)[0, : len(rows) - whole]
    return result
