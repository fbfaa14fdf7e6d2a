"""Counts add up, shard by shard, into the support of every label; what is frequent becomes the vocabulary."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from labelgen.resolve import COMPOUND_BITS, Produced, Resolved
from labelgen.wordnet import Synset
from labelshards import schema
from labelshards.errors import CatlipError
from labelshards.schema import HYPERNYMS, NOUNS
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

SHOWN_THRESHOLDS = (1, 5, 10, 25, 100, 500)
# Pairs of classes seen together in fewer samples than this say nothing about either.
MIN_PAIR_SUPPORT = 3
_EXAMPLE_CAPTIONS = 3


class Support:
    """In how many samples each label occurs, by family; a sample counts a label once.

    Where hypernyms are labels, what is counted for them is the synset itself or anything below it.
    """

    def __init__(self, families: Iterable[str]) -> None:
        self._tallies = {family: _Tally() for family in families}

    def add(self, resolved: Resolved) -> None:
        """Count one shard."""
        for family, (rows, numbers) in resolved.by_family.items():
            if family == HYPERNYMS:
                own_rows, own = resolved.by_family[NOUNS]
                rows, numbers = np.concatenate([rows, own_rows]), np.concatenate([numbers, own])
                numbers = np.unique(np.stack([rows, numbers]), axis=1)[1]
            self._tallies[family].add(numbers)

    def classes_at(self, thresholds: Sequence[int] = SHOWN_THRESHOLDS) -> dict[int, int]:
        """Threshold → how many nouns have more support than that."""
        counts = self._tallies[NOUNS].counts
        return {threshold: int((counts > threshold).sum()) for threshold in thresholds}

    def kept(self, thresholds: Mapping[str, int]) -> list[tuple[int, str, int]]:
        """(number, family, support) of each label above its family's threshold, most frequent first, then by number."""
        found: dict[int, tuple[str, int]] = {}
        for family, tally in self._tallies.items():
            for number, count in tally.above(thresholds[family]):
                found.setdefault(number, (family, count))
        if HYPERNYMS in self._tallies:
            widened = dict(self._tallies[HYPERNYMS].above(0))
            found = {number: (family, widened.get(number, count)) for number, (family, count) in found.items()}
        return sorted(
            ((number, family, count) for number, (family, count) in found.items()), key=lambda row: (-row[2], row[0])
        )


class _Tally:
    """Counts of numbers. Memory: one row for each number that was seen."""

    def __init__(self) -> None:
        self._numbers = np.empty(0, np.int64)
        self.counts = np.empty(0, np.int64)

    def add(self, numbers: np.ndarray) -> None:
        seen, counts = np.unique(numbers, return_counts=True)
        merged, places = np.unique(np.concatenate([self._numbers, seen]), return_inverse=True)
        self.counts = np.bincount(places, np.concatenate([self.counts, counts]), len(merged)).astype(np.int64)
        self._numbers = merged

    def above(self, threshold: int) -> list[tuple[int, int]]:
        kept = self.counts > threshold
        return list(zip(self._numbers[kept].tolist(), self.counts[kept].tolist(), strict=True))


def vocabulary(support: Support, synsets: Mapping[int, Synset], thresholds: Mapping[str, int]) -> Vocabulary:
    """Labels with more support than their family's threshold, most frequent first. Raises CatlipError without any."""
    kept = support.kept(thresholds)
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

    def __init__(self, numbers: Iterable[int]) -> None:
        """`numbers`: those of the classes, by class id."""
        self._class_of = {int(number): class_id for class_id, number in enumerate(numbers)}
        self._found: dict[tuple[int, str], tuple[int, list[str]]] = {}

    def add(self, produced: Iterable[Produced]) -> None:
        """Add what one shard's terms produced; call it in the order of the shards."""
        for row in produced:
            if (class_id := self._class_of.get(row.label)) is not None:
                count, captions = self._found.get((class_id, row.text), (0, []))
                new = [text for text in row.captions if text not in captions]
                self._found[class_id, row.text] = (count + row.samples, (captions + new)[:_EXAMPLE_CAPTIONS])

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
