"""What stands above synsets in WordNet, for all labels of a shard at once."""

from collections.abc import Mapping

import numpy as np

from labelgen.arrays.ragged import distinct_pairs, pack
from labelgen.dictionary.wordnet import Synset


class Hypernyms:
    """Synsets up to `depth` steps above others; what was found is remembered."""

    def __init__(self, synsets: Mapping[int, Synset], depth: int) -> None:
        self._synsets = synsets
        self._depth = depth
        self._above: dict[int, list[int]] = {}

    def of(self, rows: np.ndarray, synsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows, synsets above those given): int64 pairs, each once, by row and then by synset."""
        own, places = np.unique(synsets, return_inverse=True)
        asked, found = pack(self._find(synset) for synset in own.tolist()).expand(places)
        return distinct_pairs(rows[asked], found)

    def _find(self, synset: int) -> list[int]:
        if synset not in self._above:
            found: dict[int, None] = {}
            level: list[int] = [synset]
            for _ in range(self._depth):
                level = [above for at in level for above in self._synsets[at].hypernyms]
                found.update(dict.fromkeys(level))
            self._above[synset] = list(found)
        return self._above[synset]
