"""WordNet's relations between synsets as arrays: what the statistics of senses walk over, all synsets at once."""

import numpy as np

from labelgen.arrays.ragged import Rows
from labelgen.dictionary.synsets import RELATIONS, Synsets


class Relations:
    """Synsets by place, 0 … n-1 in the order of their numbers. All Rows hold places.

    ids: int64 [n]; hypernyms, parts, topics, derived: as in Synset; kinds: the synsets right below; size: float64 [n],
    how many stand below, itself included, each as often as there are ways down to it.
    """

    def __init__(self, synsets: Synsets) -> None:
        self.ids = synsets.ids
        self.hypernyms, self.parts, self.topics, self.derived = (
            Rows(related.starts, self.places(related.values)) for related in map(synsets.related, RELATIONS)
        )
        below = np.repeat(np.arange(len(self.ids)), self.hypernyms.lengths)
        self.kinds = self.hypernyms.transposed()
        self.size = self._sizes(below)

    def places(self, synsets: np.ndarray) -> np.ndarray:
        """int64 [n]: where synsets, given by number, stand."""
        return np.searchsorted(self.ids, synsets)

    def _sizes(self, below: np.ndarray) -> np.ndarray:
        """From the leaves up, one step a round: what does not change any more is counted."""
        size: np.ndarray = np.ones(len(self.ids))
        while True:  # it ends, because nothing in WordNet stands above itself
            grown = 1 + np.bincount(self.hypernyms.values, size[below], len(self.ids))
            if np.array_equal(grown, size):
                return size
            size = grown
