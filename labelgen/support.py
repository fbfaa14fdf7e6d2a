"""Counts add up, shard by shard, into the support of every label; what is frequent becomes the vocabulary."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from labelgen.resolve import COMPOUND_BITS
from labelgen.resolved import ResolvedShard
from labelgen.tally import Tally
from labelgen.wordnet import Synset
from labelshards import schema
from labelshards.errors import CatlipError
from labelshards.schema import FAMILIES, HYPERNYMS, NOUNS
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

SHOWN_THRESHOLDS = (1, 5, 10, 25, 100, 500)
# Pairs of classes seen together in fewer samples than this say nothing about either.
MIN_PAIR_SUPPORT = 3
MAX_PAIRS = 1 << 24
# So many have a table of pairs of 134 MB.
_FREQUENT_CLASSES = 4_096


class Support:
    """In how many samples each label occurs, by family; a sample counts a label once."""

    def __init__(self, families: Iterable[str]) -> None:
        self._tallies = {family: Tally() for family in families}

    def add(self, shard: ResolvedShard) -> None:
        """Count one shard."""
        for number, family in enumerate(FAMILIES):
            mine = shard.families == number
            if mine.any():
                self._tallies[family].add(shard.numbers[shard.counted[mine]], shard.support[mine])

    def classes_at(self, thresholds: Sequence[int] = SHOWN_THRESHOLDS) -> dict[int, int]:
        """Threshold → how many nouns have more support than that."""
        counts = self._tallies[NOUNS].above(0)[1]
        return {threshold: int((counts > threshold).sum()) for threshold in thresholds}

    def kept(self, thresholds: Mapping[str, int]) -> list[tuple[int, str, int]]:
        """(number, family, support) of each label above its family's threshold, most frequent first, then by number."""
        found: dict[int, tuple[str, int]] = {}
        for family, tally in self._tallies.items():
            numbers, counts = tally.above(thresholds[family])
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
                found.setdefault(number, (family, count))
        if HYPERNYMS in self._tallies:
            numbers, counts = self._tallies[HYPERNYMS].above(0)
            widened = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
            found = {number: (family, widened.get(number, count)) for number, (family, count) in found.items()}
        return sorted(
            ((number, family, count) for number, (family, count) in found.items()), key=lambda row: (-row[2], row[0])
        )


def vocabulary(
    support: Support, synsets: Mapping[int, Synset], thresholds: Mapping[str, int], max_classes: int | None = None
) -> Vocabulary:
    """Labels with more support than their family's threshold, most frequent first. Raises CatlipError without any.

    max_classes: the first so many of them.
    """
    kept = support.kept(thresholds)[:max_classes]
    if not kept and not support.classes_at((0,))[0]:
        raise CatlipError("No class is left: no sample has any noun that may be a label.")
    if not kept:
        table = ", ".join(f"{count:,} at {at}" for at, count in support.classes_at().items())
        raise CatlipError(
            f"No synset occurs in more than {thresholds[NOUNS]:,} samples, so the vocabulary would be empty. Classes "
            f"by threshold: {table}.\nChoose a lower one, for example --threshold {_suggestion(support)}; "
            "no caption is parsed again."
        )
    classes = [_describe(number, synsets) for number, _, _ in kept]
    columns = {
        "class_id": range(len(kept)),
        "family": [family for _, family, _ in kept],
        "support": [count for _, _, count in kept],
        **{name: [described[name] for described in classes] for name in classes[0]},
    }
    return Vocabulary(
        pa.table([pa.array(columns[field.name], field.type) for field in schema.VOCABULARY], schema.VOCABULARY)
    )


def _describe(number: int, synsets: Mapping[int, Synset]) -> dict[str, Any]:
    """The columns of a class that say what it is; a compound is named by both of its synsets."""
    modifier, head = (synsets.get(part) for part in divmod(number, 1 << COMPOUND_BITS))
    assert head is not None, f"{number} is the number of a synset or of a compound"
    parts = [synset for synset in (modifier, head) if synset is not None]
    return {
        "wnid": "+".join(synset.wnid for synset in parts),
        "synset": "+".join(synset.name for synset in parts),
        "lemmas": list(head.lemmas) if modifier is None else [f"{modifier.lemmas[0]} {lemma}" for lemma in head.lemmas],
        "gloss": " + ".join(synset.gloss for synset in parts),
        "lexname": head.lexname,
    }


def _suggestion(support: Support) -> int:
    """The largest shown threshold that leaves at least 100 classes, or else 1 or 0: something that leaves any."""
    counts = support.classes_at()
    return next((at for at in reversed(SHOWN_THRESHOLDS) if counts[at] >= 100), 1 if counts[1] else 0)


class Cooccurrence:
    """In how many samples two classes occur together.

    Pairs of the most frequent classes, which are most of all pairs that occur, have a place each in a table; the rest
    is tallied.
    """

    def __init__(self, num_classes: int, num_frequent: int = _FREQUENT_CLASSES) -> None:
        """`num_frequent`: so many classes, the first ones, have their pairs in the table."""
        self._num_classes = num_classes
        self._num_frequent = min(num_classes, num_frequent)
        self._frequent = np.zeros(self._num_frequent**2, np.int64)
        self._waiting: list[np.ndarray] = []
        self._rest = Tally()

    def add(self, shard: LabelShard) -> None:
        """Count one label shard."""
        lengths = np.diff(shard.offsets)
        values = shard.values.astype(np.int64)
        ends = np.repeat(shard.offsets[1:], lengths)
        for distance in range(1, int(lengths.max(initial=0))):
            # Labels `distance` apart in the same sample; those are sorted, so the first is the smaller.
            firsts = np.flatnonzero(np.arange(distance, len(values)) < ends[: len(values) - distance])
            a, b = values[firsts], values[firsts + distance]
            frequent = b < self._num_frequent
            self._waiting.append(a[frequent] * self._num_frequent + b[frequent])
            self._rest.add(a[~frequent] * self._num_classes + b[~frequent])
        if sum(map(len, self._waiting)) >= len(self._frequent) // 4:
            self._count()

    def _count(self) -> None:
        found = np.concatenate([np.empty(0, np.int64), *self._waiting])
        self._frequent += np.bincount(found, minlength=len(self._frequent))
        self._waiting = []

    def table(self) -> pa.Table:
        """Pairs with support of at least MIN_PAIR_SUPPORT (schema.COOCCURRENCE), by a, then b.

        Of more than MAX_PAIRS, those whose support is at least the smallest that leaves so few.
        """
        self._count()
        frequent = np.flatnonzero(self._frequent >= MIN_PAIR_SUPPORT)
        a, b = np.divmod(frequent, max(1, self._num_frequent))
        others, counts = self._rest.above(MIN_PAIR_SUPPORT - 1, at_most=MAX_PAIRS)
        keys = np.concatenate([a * self._num_classes + b, others])
        counts = np.concatenate([self._frequent[frequent], counts])
        if len(keys) > MAX_PAIRS:
            kept = counts > np.partition(counts, len(counts) - MAX_PAIRS - 1)[len(counts) - MAX_PAIRS - 1]
            keys, counts = keys[kept], counts[kept]
        order = np.argsort(keys)
        a, b = np.divmod(keys[order], max(1, self._num_classes))
        columns = [pa.array(a, pa.uint32()), pa.array(b, pa.uint32()), pa.array(counts[order], pa.int64())]
        return pa.table(columns, schema.COOCCURRENCE)
