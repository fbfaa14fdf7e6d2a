"""Words → vectors: the embedding, and four convolutions over a word and its neighbours, the first of them tabulated.

What the first convolution makes of a word's embedding does not depend on the word's neighbours, so it is kept in a
table with a row for each distinct word; its sum over three neighbours is all that is left to do. Row 0 is no word.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from labelgen.arrays.ragged import spans
from labelgen.parsing.fastparse import layers
from labelgen.parsing.fastparse.arithmetic import Maxout, in_groups, product

_BLOCK = 32
# Words that are taken through the layers together: their activations fit into a core's caches.
_WORDS_AT_ONCE = 512
# There is room for so many words from the start; the system gives memory to those rows that are written.
_ROOM = 48_000


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
        first, *others = weights.convolutions
        width = self._width = weights.mix.width
        self._by_place = np.concatenate([first.W[:width], first.W[width : 2 * width], first.W[2 * width :]], axis=1)
        self._beside_nothing = first.settle(first.b[None])[0]
        self._for_pairs = [layers.for_pairs(layer.W) for layer in others]
        self._inputs = np.zeros((layers.NUM_PRODUCTS, 0, width), np.float32)
        self._products = np.zeros((layers.NUM_PRODUCTS, 0, len(first.b)), np.float32)
        self._embeddings = np.zeros((_ROOM, width), np.float32)
        self._places = np.zeros((_ROOM, 3, len(first.b)), np.float32)  # as left neighbour, as itself, as right one
        self._places[0, 1] = first.b
        self.forget()

    def forget(self) -> None:
        """Empty the table."""
        self.num_words = 1

    def learn(self, features: np.ndarray) -> None:
        """Add a row for each of uint64 [R, F]: a word's hashed features."""
        mix = self._weights.mix
        embedded = product(self._weights.embed(features), mix.W, _BLOCK)
        embedded += mix.b
        embedded = mix.settle(embedded)
        end = self.num_words + len(features)
        while end > len(self._embeddings):
            self._embeddings, self._places = _doubled(self._embeddings), _doubled(self._places)
        rows = slice(self.num_words, end)
        self._embeddings[rows] = embedded
        self._places[rows] = product(embedded, self._by_place, _BLOCK).reshape(len(features), 3, -1)
        self._places[rows, 1] += self._weights.convolutions[0].b
        self.num_words = end

    def encode(self, words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Rows of the table, int64 [N], of D captions, and their lengths, int64 [D] → float32 [N, width]."""
        vectors = np.empty((len(words), self._width), np.float32)
        for captions, own in in_groups(lengths, _WORDS_AT_ONCE):
            vectors[own] = self._encode(words[own], lengths[captions])
        return vectors

    def _encode(self, words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The same for a few captions. Only rows that some word sees through the layers above are computed."""
        first, *others = self._weights.convolutions
        rows = layers.first_convolution(
            words, lengths, self._embeddings, self._places, self._beside_nothing, first.gain, first.shift
        )
        self._make_room(len(rows))
        for beyond, layer, weights in zip((2, 1, 0), others, self._for_pairs, strict=True):
            pairs = layers.spread(rows, lengths, beyond, self._inputs)
            pairs += -pairs % _BLOCK
            inputs, products = self._inputs[:, :pairs], self._products[:, :pairs]
            np.matmul(_blocks(inputs), weights[:, None], out=_blocks(products))
            layers.settle(self._products, layer.b, layer.gain, layer.shift, rows, lengths, beyond)
        before = layers.MARGIN * np.arange(1, 2 * len(lengths), 2)
        vectors: np.ndarray = rows[spans(np.cumsum(lengths) - lengths + before, lengths)]
        return vectors

    def _make_room(self, num_rows: int) -> None:
        """For the inputs and products of these rows in pairs, and to fill the last block."""
        width, pieces = self._width, self._products.shape[2]
        if num_rows > self._inputs.shape[1]:
            room = num_rows + -num_rows % _BLOCK
            self._inputs = np.zeros((layers.NUM_PRODUCTS, room, width), np.float32)
            self._products = np.zeros((layers.NUM_PRODUCTS, room, pieces), np.float32)


def _blocks(rows: np.ndarray) -> np.ndarray:
    """[NUM_PRODUCTS, R, width] → [NUM_PRODUCTS, R / _BLOCK, _BLOCK, width], without a copy."""
    return rows.reshape(len(rows), -1, _BLOCK, rows.shape[2])


def _doubled(table: np.ndarray) -> np.ndarray:
    return np.concatenate([table, np.zeros_like(table)])
