"""Relatives of a sense among the words of a corpus: what stands in for it when statistics are asked."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from labelgen.arrays.ragged import Rows, group, offsets
from labelgen.dictionary.relations import Relations

_MAX_FAMILY = 100  # kinds; of more, one says little of another
_SPECIFIC = 3_000  # kinds below a synset, beyond which it is too general to be company

# How near relatives are.
_ITSELF, _KIND, _ABOVE, _KIN, _PART, _OF_ABOVE = 1.0, 0.9, 0.8, 0.7, 0.8, 0.4


class Weighted(NamedTuple):
    """Words with weights, packed: row i is words[starts[i]:starts[i+1]], with weights[…]. starts: int64 [n+1]."""

    starts: np.ndarray
    words: np.ndarray
    weights: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """int64 [n]."""
        return np.diff(self.starts)

    def row(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(words [n], weights [n]) of one row, views both."""
        span = slice(int(self.starts[number]), int(self.starts[number + 1]))
        return self.words[span], self.weights[span]


class Relatives:
    """Knows the main sense of some words of a corpus: synsets[i] is that of words[i], and shares[i] how likely."""

    def __init__(self, relations: Relations, words: np.ndarray, synsets: np.ndarray, shares: np.ndarray) -> None:
        self._relations = relations
        self._words, self._shares = words, shares
        self._by_main_sense = group(relations.places(synsets), np.arange(len(words)), len(relations.ids))

    def of_synsets(self, synsets: np.ndarray) -> Weighted:
        """Words whose main sense is near each synset, int64 [n]: kinds, siblings, parts, what it is a kind of.

        Words are int64, weights float64.
        A word that is related in two ways is as near as the nearer one says.
        """
        places = self._relations.places(synsets)
        found = []
        for rows, others, weight in self._near(places):
            asked, number = self._by_main_sense.expand(others)
            found.append((rows[asked], self._words[number], weight * self._shares[number]))
        rows, words, weights = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.lexsort((-weights, words, rows))
        rows, words, weights = rows[order], words[order], weights[order]
        nearest = (np.diff(rows, prepend=-1) != 0) | (np.diff(words, prepend=-1) != 0)
        starts = offsets(np.bincount(rows[nearest], minlength=len(synsets)))
        return Weighted(starts, words[nearest], weights[nearest])

    def _near(self, places: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
        """(rows of `places`, places of synsets near them, how near)."""
        relations = self._relations
        yield np.arange(len(places)), places, _ITSELF
        rows, above = relations.hypernyms.expand(places)
        specific = relations.size[above] < _SPECIFIC
        yield rows[specific], above[specific], _ABOVE
        small = relations.kinds.lengths[above] <= _MAX_FAMILY
        asked, siblings = relations.kinds.expand(above[small])
        yield rows[small][asked], siblings, _KIN
        below, kinds = relations.kinds.expand(places)
        yield below, kinds, _KIND
        asked, kinds_of_kinds = relations.kinds.expand(kinds, _MAX_FAMILY)
        yield below[asked], kinds_of_kinds, _KIN
        of_synset: Rows
        for of_synset in (relations.parts, relations.topics, relations.derived):
            asked, others = of_synset.expand(above)
            yield rows[asked], others, _OF_ABOVE
            yield *of_synset.expand(places), _PART
