"""WordNet's relations between synsets as arrays: what the statistics of senses walk over, all synsets at once."""

from collections.abc import Mapping

import numpy as np

from labelgen.ragged import Rows, group, pack
from labelgen.wordnet import Synset


class Relations:
    """Synsets by place, 0 … n-1 in the order of their numbers. All Rows hold places.

    ids: int64 [n]; hypernyms, parts, topics, derived: as in Synset; kinds: the synsets right below; size: float64 [n],
    how many stand below, itself included, each as often as there are ways down to it.
    """

    def __init__(self, synsets: Mapping[int, Synset]) -> None:
        self.ids = np.array(sorted(synsets), np.int64)
        ordered = [synsets[number] for number in self.ids.tolist()]
        self.hypernyms = self._targets([synset.hypernyms for synset in ordered])
        self.parts = self._targets([synset.parts for synset in ordered])
        self.topics = self._targets([synset.topics for synset in ordered])
        self.derived = self._targets([synset.derived for synset in ordered])
        below = np.repeat(np.arange(len(ordered)), self.hypernyms.lengths)
        self.kinds = group(self.hypernyms.values, below, len(ordered))
        self.size = self._sizes(below)

    def places(self, synsets: np.ndarray) -> np.ndarray:
        """int64 [n]: where synsets, given by number, stand."""
        return np.searchsorted(self.ids, synsets)

    def _targets(self, of_synsets: list[tuple[int, ...]]) -> Rows:
        packed = pack(of_synsets)
        return Rows(packed.starts, np.searchsorted(self.ids, packed.values))

    def _sizes(self, below: np.ndarray) -> np.ndarray:
        """From the leaves up, one step a round: what does not change any more is counted."""
        size: np.ndarray = np.ones(len(self.ids))
        while True:
            grown = 1 + np.bincount(self.hypernyms.values, size[below], len(self.ids))
            if np.array_equal(grown, size):
                return size
            size = grown
