"""Resolved shard + vocabulary → label shard. No language is involved, so it runs at millions of samples a second."""

import numpy as np

from labelgen.candidates import CandidateShard
from labelgen.resolve import COMPOUND_BITS, Resolved
from labelgen.wordnet import id_of
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

_DROPPED = -1


class Encoder:
    """Numbers of synsets and compounds → class ids of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.numbers = np.array([number_of(wnid) for wnid in vocabulary.wnids], dtype=np.int64)
        self._classes = np.argsort(self.numbers)
        self._sorted = self.numbers[self._classes]

    def encode(self, shard: CandidateShard, resolved: Resolved) -> LabelShard:
        """The shard's rows with class ids; what the vocabulary lacks is dropped, no row is."""
        num_rows = len(shard.keys)
        found = [self._encode(rows, numbers) for rows, numbers in resolved.by_family.values()]
        rows = np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in found)])
        classes = np.concatenate([np.empty(0, np.int64), *(classes for _, classes in found)])
        # A class may come from two families: as a noun of the caption and from above another noun.
        keys = np.unique(rows * len(self.numbers) + classes)
        rows, classes = np.divmod(keys, max(1, len(self.numbers)))
        return LabelShard(
            keys=shard.keys,
            offsets=np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=num_rows))]),
            values=classes.astype(np.uint32),
            images=shard.images,
            image_files=shard.report.image_files,
            captions=shard.captions,
        )

    def _encode(self, rows: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        classes = np.where(self._sorted[places] == numbers, self._classes[places], _DROPPED)
        return rows[classes != _DROPPED], classes[classes != _DROPPED]


def number_of(wnid: str) -> int:
    """`n02084071` → 102084071, the project's number of the synset; `a00381097+n02958343` → that of the compound."""
    modifier, plus, head = wnid.partition("+")
    return (id_of(modifier) << COMPOUND_BITS) | id_of(head) if plus else id_of(modifier)
