"""Words → vectors: the embedding, and four convolutions over a word and its neighbours, the first of them tabulated.

What the first convolution makes of a word's embedding does not depend on the word's neighbours, so it is kept in a
table with a row for each distinct word; its sum over three neighbours is all that is left to do. Row 0 is no word.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from labelgen.fastparse.arithmetic import Maxout, product
from labelgen.fastparse.ranges import ranges

_BLOCK = 64
_BLOCK_OF_TABLE = 32
# Words that are taken through the layers together: their activations fit into a core's second-level cache.
_WORDS_AT_ONCE = 512
_FIRST_ROWS = 4_096


class EncoderWeights(NamedTuple):
    """embed: hashed features uint64 [R, F] → float32 [R, E]; mix: that → [R, width]; convolutions: four, each over
    [left, word, right] of the layer below, and each added to it."""

    embed: Callable[[np.ndarray], np.ndarray]
    mix: Maxout
    convolutions: tuple[Maxout, ...]


class Encoder:
    """The network, and its table of the words that it met: 4 · (width + 3 · 3 · width) bytes each."""

    def __init__(self, weights: EncoderWeights) -> None:
        self._weights = weights
        first = weights.convolutions[0]
        width = self._width = weights.mix.width
        self._by_place = np.concatenate([first.W[:width], first.W[width : 2 * width], first.W[2 * width :]], axis=1)
        self._beside_nothing = first.settle(first.b[None].copy())[0]
        self.forget()

    def forget(self) -> None:
        """Empty the table."""
        pieces = len(self._weights.convolutions[0].b)
        self.num_words = 1
        self._embeddings = np.zeros((_FIRST_ROWS, self._width), np.float32)
        self._as_left, self._as_itself, self._as_right = np.zeros((3, _FIRST_ROWS, pieces), np.float32)
        self._as_itself[0] = self._weights.convolutions[0].b

    def learn(self, features: np.ndarray) -> None:
        """Add a row for each of uint64 [R, F]: a word's hashed features."""
        mix = self._weights.mix
        embedded = product(self._weights.embed(features), mix.W, _BLOCK_OF_TABLE)
        embedded += mix.b
        embedded = mix.settle(embedded)
        by_place = product(embedded, self._by_place, _BLOCK_OF_TABLE)
        end = self.num_words + len(features)
        while end > len(self._embeddings):
            self._embeddings = _doubled(self._embeddings)
            self._as_left, self._as_itself, self._as_right = map(
                _doubled, (self._as_left, self._as_itself, self._as_right)
            )
        rows = slice(self.num_words, end)
        self._embeddings[rows] = embedded
        self._as_left[rows], itself, self._as_right[rows] = np.split(by_place, 3, axis=1)
        self._as_itself[rows] = itself + self._weights.convolutions[0].b
        self.num_words = end

    def encode(self, words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Rows of the table, int64 [N], of D captions, and their lengths, int64 [D] → float32 [N, width]."""
        vectors = np.empty((len(words), self._width), np.float32)
        ends = np.cumsum(lengths)
        first, done = 0, 0
        while first < len(lengths):
            last = max(first + 1, int(np.searchsorted(ends, done + _WORDS_AT_ONCE, side="right")))
            end = int(ends[last - 1])
            vectors[done:end] = self._encode(words[done:end], lengths[first:last])
            first, done = last, end
        return vectors

    def _encode(self, words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The same for a few captions.

        They stand in one array of rows with as many empty ones before, between and after them as there are layers.
        Only rows that some word sees through the layers above are computed.
        """
        gap = len(self._weights.convolutions)
        first_rows = np.cumsum(lengths) - lengths + gap * np.arange(1, len(lengths) + 1)
        at = ranges(first_rows, lengths)
        near = ranges(first_rows - 1, lengths + 2)
        around = ranges(first_rows - 2, lengths + 4)
        numbers = np.zeros(len(words) + gap * (len(lengths) + 1), np.int64)
        numbers[at] = words

        convolved = self._as_itself.take(numbers[near], axis=0)
        convolved += self._as_left.take(numbers[near - 1], axis=0)
        convolved += self._as_right.take(numbers[near + 1], axis=0)
        convolved = self._weights.convolutions[0].settle(convolved)
        convolved += self._embeddings.take(numbers[near], axis=0)
        rows = np.empty((len(numbers), self._width), np.float32)
        rows[:] = self._beside_nothing
        rows[near] = convolved
        for layer, seen in zip(self._weights.convolutions[1:], (around, near, at), strict=True):
            windows = as_strided(rows, (len(rows) - 2, 3 * self._width), (rows.strides[0], rows.strides[1]))
            convolved = product(windows[seen - 1], layer.W, _BLOCK)
            convolved += layer.b
            rows[seen] += layer.settle(convolved)
        vectors: np.ndarray = rows[at]
        return vectors


def _doubled(table: np.ndarray) -> np.ndarray:
    return np.concatenate([table, np.zeros_like(table)])
