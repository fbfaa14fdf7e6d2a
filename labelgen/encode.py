"""Candidate shard + vocabulary → label shard. No language is involved, so it runs at millions of samples a second."""

import numpy as np

from labelgen.candidates import CandidateShard
from labelgen.lexicon import NOUN
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

_DROPPED = -1


class Encoder:
    """Synset ids → class ids of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        ids = np.array([synset_id(wnid) for wnid in vocabulary.wnids], dtype=np.uint32)
        self._classes = np.argsort(ids)
        self._ids = ids[self._classes]

    def encode(self, shard: CandidateShard) -> LabelShard:
        """The same rows with labels instead of synsets; what the vocabulary lacks is dropped, no row is."""
        synsets = shard.flat_synsets()
        places = np.minimum(np.searchsorted(self._ids, synsets), len(self._ids) - 1)
        classes = np.where(self._ids[places] == synsets, self._classes[places], _DROPPED)
        rows = np.repeat(np.arange(len(shard.synsets)), shard.synsets.value_lengths().to_numpy())
        rows, classes = rows[classes != _DROPPED], classes[classes != _DROPPED]
        order = np.lexsort((classes, rows))
        return LabelShard(
            keys=shard.keys,
            offsets=np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(shard.synsets)))]),
            values=classes[order].astype(np.uint32),
            images=shard.images,
            image_files=shard.report.image_files,
            captions=shard.captions,
        )


def synset_id(wnid: str) -> int:
    """`n02084071` → 102084071, the lexicon's number of the synset."""
    return NOUN + int(wnid[1:])
