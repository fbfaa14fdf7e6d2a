"""Rows of pieces → their classes: sums over the learnt table, for all pieces at once."""

import numpy as np

from labelgen.arrays.growing import Growing
from labelgen.arrays.numbers import Numbers
from labelgen.distill.features import Describer
from labelgen.distill.pieces import Pieces
from labelgen.distill.tagset import NUM_CLASSES
from labelgen.distill.weights import Weights

# Where the features of a piece speak: to itself, to the pieces beside it, and to those next to these.
OWN, BESIDE, NEAR = (0,), (-1, 1), (-2, 2)
BEFORE, AFTER = PAIRS = ("-1 0", "0 1")


class Tagger:
    """What the table says. A piece's features are summed once, when it first comes."""

    def __init__(self, weights: Weights, describer: Describer, pieces: Pieces) -> None:
        self._weights = weights
        self._describer = describer
        self._pieces = pieces
        self._sums = {offset: Growing(np.int16, (NUM_CLASSES,)) for offset in (*OWN, *BESIDE, *NEAR)}
        self._kinds = Growing(np.int64)
        self._kind_numbers = Numbers[str]()
        # [kinds, kinds] → row of the two tables below it, which hold what pairs of kinds speak for; -1: not asked yet.
        self._pairs = np.zeros((0, 0), np.int64)
        self._pair_sums = {pair: Growing(np.int16, (NUM_CLASSES,)) for pair in PAIRS}

    def classes(self, numbers: np.ndarray) -> np.ndarray:
        """int64 [N] pieces, with breaks around the captions → int64 [N] classes; those of breaks mean nothing."""
        self._look_at_new()
        scores = self._sums[0].rows.take(numbers, axis=0)
        for offset in (*BESIDE, *NEAR):
            sums = self._sums[offset].rows.take(numbers, axis=0)
            if offset < 0:
                scores[-offset:] += sums[:offset]
            else:
                scores[:-offset] += sums[offset:]
        kinds = self._kinds.rows[numbers]
        pairs = self._pair_rows(kinds[:-1], kinds[1:])
        scores[1:] += self._pair_sums[BEFORE].rows.take(pairs, axis=0)
        scores[:-1] += self._pair_sums[AFTER].rows.take(pairs, axis=0)
        best: np.ndarray = scores.argmax(axis=1)
        return best

    def _look_at_new(self) -> None:
        new = [self._describer.describe(piece) for piece in self._pieces.texts(len(self._kinds))]
        for offset, sums in self._sums.items():
            spoken = [each.own if offset in OWN else each.beside if offset in BESIDE else each.near for each in new]
            sums.append(self._weights.of(str(offset), spoken))
        self._kinds.append([self._kind_numbers[each.kind] for each in new])

    def _pair_rows(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        kinds = self._kind_numbers.known
        if len(kinds) > len(self._pairs):
            larger = np.full((2 * len(kinds),) * 2, -1, np.int64)
            larger[: len(self._pairs), : len(self._pairs)] = self._pairs
            self._pairs = larger
        found: np.ndarray = self._pairs[left, right]
        new = np.flatnonzero(found < 0)
        if len(new):
            both = sorted(set(zip(left[new].tolist(), right[new].tolist(), strict=True)))
            for number, (a, b) in enumerate(both, len(self._pair_sums[BEFORE])):
                self._pairs[a, b] = number
            features = [(pair_of(kinds[a], kinds[b]),) for a, b in both]
            for pair, sums in self._pair_sums.items():
                sums.append(self._weights.of(pair, features))
            found = self._pairs[left, right]
        return found


def pair_of(left: str, right: str) -> str:
    """The feature of two neighbours' kinds."""
    return f"{left}|{right}"
