"""What happens to rows between the products of the encoder: sums of neighbours, the largest piece, normalisation.

A caption of n words has n + 6 rows: three before its first word and three behind its last, for the layers see that
far. A convolution over three rows is computed for two neighbouring rows at once, with four products instead of six
(Winograd's F(2, 3), "Arithmetic complexity of computations", 1980): `spread` makes their inputs out of rows, and
`settle` the two results out of the products. Pairs are counted from the first row that a layer needs of a caption, so
they do not depend on what other captions there are.
"""

import numpy as np

from labelgen.arrays.native import native

MARGIN = 3
# Inputs and results of the products of a pair of rows.
NUM_PRODUCTS = 4
_VARIANCE_FLOOR = np.float32(1e-8)  # as in thinc


def for_pairs(weights: np.ndarray) -> np.ndarray:
    """float32 [3 · width, N] of a convolution over [left, itself, right] → [NUM_PRODUCTS, width, N]."""
    left, itself, right = np.split(weights.astype(np.float64), 3)
    return np.stack([left, (left + itself + right) / 2, (left - itself + right) / 2, right]).astype(np.float32)


@native
def _normalise(row: np.ndarray, gain: np.ndarray, shift: np.ndarray) -> None:
    """float32 [width], a multiple of eight, in place. Eight sums side by side, since each waits for itself."""
    width = len(row)
    s = np.zeros(8, np.float32)
    for start in range(0, width, 8):
        for lane in range(8):
            s[lane] += row[start + lane]
    mean = (((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))) / np.float32(width)
    s[:] = 0
    for start in range(0, width, 8):
        for lane in range(8):
            value = row[start + lane] - mean
            row[start + lane] = value
            s[lane] += value * value
    variance = (((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))) / np.float32(width)
    scale = np.float32(1) / np.sqrt(variance + _VARIANCE_FLOOR)
    for at in range(width):
        row[at] = row[at] * scale * gain[at] + shift[at]


@native
def largest(pieces: np.ndarray, gain: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """float32 [R, 3 · width], piece after piece, bias included → float32 [R, width]: the largest, normalised."""
    width = len(gain)
    result = np.empty((len(pieces), width), np.float32)
    for row in range(len(pieces)):
        for at in range(width):
            result[row, at] = max(pieces[row, at], pieces[row, width + at], pieces[row, 2 * width + at])
        _normalise(result[row], gain, shift)
    return result


@native
def first_convolution(
    words: np.ndarray,
    lengths: np.ndarray,
    embeddings: np.ndarray,
    by_place: np.ndarray,
    beside_nothing: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
) -> np.ndarray:
    """All rows of captions after the first convolution, float32 [N + 2 · MARGIN · D, width].

    words int64 [N], rows of the tables; lengths int64 [D]. embeddings [words, width]; by_place [words, 3, 3 · width]:
    what a word adds as left neighbour, itself and right neighbour; beside_nothing [width]: a row with no word around.
    """
    width = len(gain)
    rows = np.empty((len(words) + 2 * MARGIN * len(lengths), width), np.float32)
    pieces = np.empty(3 * width, np.float32)
    first = 0
    at = 0
    for length in lengths:
        for empty in (0, 1, MARGIN + length + 1, MARGIN + length + 2):
            rows[at + empty] = beside_nothing
        for place in range(-1, length + 1):
            left = words[first + place - 1] if place >= 1 else 0
            itself = words[first + place] if 0 <= place < length else 0
            right = words[first + place + 1] if place + 1 < length else 0
            as_left, as_itself, as_right = by_place[left, 0], by_place[itself, 1], by_place[right, 2]
            for each in range(3 * width):
                pieces[each] = as_itself[each] + as_left[each] + as_right[each]
            row = rows[at + MARGIN + place]
            for each in range(width):
                row[each] = max(pieces[each], pieces[width + each], pieces[2 * width + each])
            _normalise(row, gain, shift)
            embedding = embeddings[itself]
            for each in range(width):
                row[each] += embedding[each]
        first += length
        at += length + 2 * MARGIN
    return rows


@native
def spread(rows: np.ndarray, lengths: np.ndarray, beyond: int, inputs: np.ndarray) -> int:
    """Write the inputs of all pairs, float32 [NUM_PRODUCTS, pairs or more, width]; how many pairs there are.

    beyond: so many rows before the first word and behind the last one are needed.
    """
    width = rows.shape[1]
    pair = 0
    at = 0
    for length in lengths:
        start = at + MARGIN - beyond - 1
        for first in range(start, start + length + 2 * beyond, 2):
            a, b, c = rows[first], rows[first + 1], rows[first + 2]
            d = rows[min(first + 3, at + length + 2 * MARGIN - 1)]
            for each in range(width):
                inputs[0, pair, each] = a[each] - c[each]
                inputs[1, pair, each] = b[each] + c[each]
                inputs[2, pair, each] = c[each] - b[each]
                inputs[3, pair, each] = b[each] - d[each]
            pair += 1
        at += length + 2 * MARGIN
    return pair


@native
def settle(
    products: np.ndarray,
    bias: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
    rows: np.ndarray,
    lengths: np.ndarray,
    beyond: int,
) -> None:
    """Add to the rows what a convolution makes of them. products: float32 [NUM_PRODUCTS, pairs or more, 3 · width]."""
    width = rows.shape[1]
    one = np.empty(3 * width, np.float32)
    other = np.empty(3 * width, np.float32)
    result = np.empty(width, np.float32)
    pair = 0
    at = 0
    for length in lengths:
        start = at + MARGIN - beyond
        end = start + length + 2 * beyond
        for first in range(start, end, 2):
            a, b, c, d = products[0, pair], products[1, pair], products[2, pair], products[3, pair]
            for each in range(3 * width):
                one[each] = a[each] + b[each] + c[each] + bias[each]
            for each in range(3 * width):
                other[each] = b[each] - c[each] - d[each] + bias[each]
            for row in range(first, min(first + 2, end)):
                pieces = one if row == first else other
                for each in range(width):
                    result[each] = max(pieces[each], pieces[width + each], pieces[2 * width + each])
                _normalise(result, gain, shift)
                for each in range(width):
                    rows[row, each] += result[each]
            pair += 1
        at += length + 2 * MARGIN
