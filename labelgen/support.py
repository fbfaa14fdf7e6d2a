"""Counts add up, shard by shard, into the support of every synset; what is frequent becomes the vocabulary."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from labelgen.candidates import CandidateShard
from labelgen.lexicon import Synset
from labelshards import schema
from labelshards.errors import CatlipError
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

SHOWN_THRESHOLDS = (1, 5, 10, 25, 100, 500)
# Pairs of classes seen together in fewer samples than this say nothing about either.
MIN_PAIR_SUPPORT = 3
_EXAMPLE_CAPTIONS = 3


class Support:
    """In how many samples each synset occurs; a sample counts a synset once. Memory: one number per synset known."""

    def __init__(self, synset_ids: Iterable[int]) -> None:
        self.ids = np.array(sorted(synset_ids), dtype=np.uint32)
        self.counts = np.zeros(len(self.ids), dtype=np.int64)

    def add(self, shard: CandidateShard) -> None:
        """Count one candidate shard."""
        places = np.searchsorted(self.ids, shard.flat_synsets())
        self.counts += np.bincount(places, minlength=len(self.ids))

    def classes_at(self, thresholds: Sequence[int] = SHOWN_THRESHOLDS) -> dict[int, int]:
        """Threshold → number of synsets with more support than that."""
        return {threshold: int((self.counts > threshold).sum()) for threshold in thresholds}


def vocabulary(support: Support, synsets: Mapping[int, Synset], threshold: int) -> Vocabulary:
    """Synsets with support > threshold, most frequent first, equals by id. Raises CatlipError if none is left."""
    kept = np.flatnonzero(support.counts > threshold)
    if not len(kept):
        table = ", ".join(f"{count:,} at {at}" for at, count in support.classes_at().items())
        raise CatlipError(
            f"No synset occurs in more than {threshold:,} samples, so the vocabulary would be empty. Classes by "
            f"threshold: {table}.\nChoose a lower one, for example --threshold {_suggestion(support)}; "
            "no caption is parsed again."
        )
    kept = kept[np.lexsort((support.ids[kept], -support.counts[kept]))]
    chosen = [synsets[int(synset)] for synset in support.ids[kept]]
    columns = {
        "class_id": range(len(chosen)),
        "wnid": [synset.wnid for synset in chosen],
        "synset": [synset.name for synset in chosen],
        "lemmas": [list(synset.lemmas) for synset in chosen],
        "gloss": [synset.gloss for synset in chosen],
        "lexname": [synset.lexname for synset in chosen],
        "support": support.counts[kept],
    }
    return Vocabulary(
        pa.table([pa.array(columns[field.name], field.type) for field in schema.VOCABULARY], schema.VOCABULARY)
    )


def _suggestion(support: Support) -> int:
    """The largest shown threshold that leaves at least 100 classes, or else 1 or 0: something that leaves any."""
    counts = support.classes_at()
    return next((at for at in reversed(SHOWN_THRESHOLDS) if counts[at] >= 100), 1 if counts[1] else 0)


class Cooccurrence:
    """In how many samples two classes occur together. Memory: one row per pair that was seen."""

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self._pairs = np.empty(0, dtype=np.int64)
        self._counts = np.empty(0, dtype=np.int64)

    def add(self, shard: LabelShard) -> None:
        """Count one label shard; pair (a, b), a < b, is the number a · K + b."""
        lengths = np.diff(shard.offsets)
        values = shard.values.astype(np.int64)
        pairs = []
        for distance in range(1, int(lengths.max(initial=0))):
            # Labels `distance` apart in the same sample; those are sorted, so the first is the smaller.
            firsts = np.arange(len(values) - distance)
            row_ends = np.repeat(shard.offsets[1:], lengths)
            firsts = firsts[firsts + distance < row_ends[: len(firsts)]]
            pairs.append(values[firsts] * self._num_classes + values[firsts + distance])
        found, counts = np.unique(np.concatenate([np.empty(0, np.int64), *pairs]), return_counts=True)
        merged, places = np.unique(np.concatenate([self._pairs, found]), return_inverse=True)
        self._counts = np.bincount(places, np.concatenate([self._counts, counts]), len(merged)).astype(np.int64)
        self._pairs = merged

    def table(self) -> pa.Table:
        """Pairs with support of at least MIN_PAIR_SUPPORT (schema.COOCCURRENCE), by a, then b."""
        kept = self._counts >= MIN_PAIR_SUPPORT
        a, b = np.divmod(self._pairs[kept], self._num_classes)
        columns = [pa.array(a, pa.uint32()), pa.array(b, pa.uint32()), pa.array(self._counts[kept], pa.int64())]
        return pa.table(columns, schema.COOCCURRENCE)


class Examples:
    """The terms that produced each class, with counts and a few captions. Memory: one entry per (class, term)."""

    def __init__(self, class_of: Mapping[int, int]) -> None:
        self._class_of = class_of
        self._found: dict[tuple[int, str], tuple[int, list[str]]] = {}

    def add(self, terms: pa.Table) -> None:
        """Add the terms of one candidate shard; call it in the order of the shards."""
        for row in terms.to_pylist():
            if (class_id := self._class_of.get(row["synset"])) is not None:
                count, captions = self._found.get((class_id, row["term"]), (0, []))
                captions += [text for text in row["captions"] if text not in captions][
                    : _EXAMPLE_CAPTIONS - len(captions)
                ]
                self._found[class_id, row["term"]] = (count + row["count"], captions)

    def table(self) -> pa.Table:
        """All of them (schema.EXAMPLES), by class, then by falling count."""
        rows = sorted(self._found.items(), key=lambda item: (item[0][0], -item[1][0], item[0][1]))
        columns = [
            pa.array([class_id for (class_id, _), _ in rows], pa.uint32()),
            pa.array([term for (_, term), _ in rows], pa.string()),
            pa.array([count for _, (count, _) in rows], pa.int64()),
            pa.array([captions for _, (_, captions) in rows], schema.EXAMPLES.field("captions").type),
        ]
        return pa.table(columns, schema.EXAMPLES)
