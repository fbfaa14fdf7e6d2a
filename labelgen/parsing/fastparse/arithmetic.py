"""The few operations that the networks are made of, over rows of float32.

Every row's result depends on that row alone, to the last bit: products are taken in blocks of one fixed shape, and the
rest works row by row. So what a caption gives does not depend on which captions are parsed with it.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from labelgen.parsing.fastparse import layers


class Maxout(NamedTuple):
    """A linear layer of three pieces, of which the largest counts, and layer normalisation.

    W float32 [inputs, 3 · width] and b float32 [3 · width], piece after piece; gain, shift float32 [width].
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
        """float32 [R, 3 · width], bias included → float32 [R, width]: the largest pieces, normalised."""
        return layers.largest(pieces, self.gain, self.shift)


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


def in_groups(lengths: np.ndarray, num_words: int) -> Iterator[tuple[slice, slice]]:
    """Captions of these lengths, int64 [D], in groups of so many words at most → (captions, words) of each.

    A longer caption is a group of its own.
    """
    ends = np.cumsum(lengths)
    first, start = 0, 0
    while first < len(lengths):
        last = max(first + 1, int(np.searchsorted(ends, start + num_words, side="right")))
        end = int(ends[last - 1])
        yield slice(first, last), slice(start, end)
        first, start = last, end
