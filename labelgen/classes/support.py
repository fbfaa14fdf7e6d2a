"""Counts add up, shard by shard, into the support of every label; what is frequent becomes the vocabulary."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from labelgen.arrays.memory import collections_spared
from labelgen.arrays.tally import Tally
from labelgen.dictionary.synsets import Synsets
from labelgen.dictionary.wordnet import wnid_of
from labelgen.meaning.resolve import COMPOUND_BITS
from labelshards import schema
from labelshards.errors import CatlipError
from labelshards.schema import HYPERNYMS, NOUNS
from labelshards.shards import LabelShard
from labelshards.vocabulary import Vocabulary

SHOWN_THRESHOLDS = (1, 5, 10, 25, 100, 500)
# Pairs of classes seen together in fewer samples than this say nothing about either.
MIN_PAIR_SUPPORT = 3
MAX_PAIRS = 1 << 24  # 268 MB in memory
# So many have a table of pairs of 17 MB; twice as many, in 67 MB, took some per cent longer with 23,514 classes.
_FREQUENT_CLASSES = 2_048
# Until there are so many samples, a pair's count fits 32 bits, and the table of frequent pairs is half as large.
_NARROW_SAMPLES = (1 << 32) - 1
# Labels after which loading a compiled loop, a quarter of a second, takes less time than it saves.
_MANY_LABELS = 2_000_000


class Support:
    """In how many samples each label occurs, by family; a sample counts a label once."""

    def __init__(self, families: Iterable[str]) -> None:
        self._tallies = {family: Tally() for family in families}

    def add(self, counted: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """Count one shard: family → (int64 numbers, int64 samples that have each)."""
        for family, (numbers, support) in counted.items():
            self._tallies[family].add(numbers, support)

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
                found.setdefault(number, (family, count))  # in several families, it is of the first
        # A synset counts with all that is below it, also where nouns named it first.
        if HYPERNYMS in self._tallies:
            numbers, counts = self._tallies[HYPERNYMS].above(0)
            widened = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
            found = {number: (family, widened.get(number, count)) for number, (family, count) in found.items()}
        return sorted(
            ((number, family, count) for number, (family, count) in found.items()), key=lambda row: (-row[2], row[0])
        )


@collections_spared()
def vocabulary(
    support: Support, synsets: Synsets, thresholds: Mapping[str, int], max_classes: int | None = None
) -> Vocabulary:
    """Labels with more support than their family's threshold, most frequent first. Raises CatlipError without any.

    max_classes: the first so many of them.
    """
    kept = support.kept(thresholds)[:max_classes]
    if not kept and not support.classes_at((0,))[0]:
        raise CatlipError(
            "No class is left: no sample has any noun that may be a label. `catlip labels explain CAPTION` says why."
        )
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


def _describe(number: int, synsets: Synsets) -> dict[str, Any]:
    """The columns of a class that say what it is; a compound is named by both of its synsets."""
    modifier, head = divmod(number, 1 << COMPOUND_BITS)
    parts = [modifier, head] if modifier else [head]
    lemmas = synsets.lemmas(head)
    return {
        "wnid": "+".join(map(wnid_of, parts)),
        "synset": "+".join(map(synsets.name, parts)),
        "lemmas": [f"{synsets.lemmas(modifier)[0]} {lemma}" for lemma in lemmas] if modifier else lemmas,
        "gloss": " + ".join(map(synsets.gloss, parts)),
        "lexname": synsets.lexname(head),
    }


def _suggestion(support: Support) -> int:
    """The largest shown threshold that leaves at least 100 classes, or else 1 or 0: something that leaves any."""
    counts = support.classes_at()
    return next((at for at in reversed(SHOWN_THRESHOLDS) if counts[at] >= 100), 1 if counts[1] else 0)


class Cooccurrence:
    """In how many samples two classes occur together.

    Pairs of the most frequent classes, which are most of all pairs that occur, have a place each in a table, the pair
    a < b at b·(b-1)/2 + a; the rest is tallied.
    """

    def __init__(
        self, num_classes: int, num_frequent: int = _FREQUENT_CLASSES, many_labels: int = _MANY_LABELS
    ) -> None:
        """`num_frequent`: so many classes, the first ones, have their pairs in the table.

        `many_labels`: so many are counted before a loop is compiled for the others.
        """
        self._num_classes = num_classes
        self._num_frequent = min(num_classes, num_frequent)
        before = np.arange(self._num_frequent)
        self._starts = (before * (before - 1) // 2).astype(np.int32)
        self._frequent = np.zeros(self._num_frequent * (self._num_frequent - 1) // 2, np.uint32)
        # A pair of rare classes in one number.
        self._rest = Tally(many=many_labels, dtype=np.uint32 if num_classes * num_classes <= 1 << 32 else np.int64)
        self._num_samples = self._num_labels = 0
        self._many_labels = many_labels

    def add(self, shard: LabelShard) -> None:
        """Count one label shard."""
        self._num_samples += len(shard)
        self._num_labels += len(shard.values)
        if self._num_samples > _NARROW_SAMPLES:
            self._frequent = self._frequent.astype(np.int64, copy=False)
        if self._num_labels > self._many_labels:
            self._add_compiled(shard)
        else:
            self._add_in_columns(shard)

    def _add_compiled(self, shard: LabelShard) -> None:
        from labelgen.classes.pairs import count_pairs  # it brings numba with it

        lengths = np.diff(shard.offsets)
        counted = (shard.offsets.astype(np.int64), shard.values.astype(np.uint32), self._starts, self._frequent)
        # Room for all pairs: how many are rare the loop tells.
        self._rest.add_written(
            partial(count_pairs, *counted, self._num_classes), int((lengths * (lengths - 1) // 2).sum())
        )

    def _add_in_columns(self, shard: LabelShard) -> None:
        # Samples with most labels first, so that those with an n-th label are the first ones; column n holds these.
        lengths = np.diff(shard.offsets)
        starts = shard.offsets[:-1][np.argsort(-lengths, kind="stable")]
        num_columns = int(lengths.max(initial=0))
        having = len(lengths) - np.cumsum(np.bincount(lengths, minlength=num_columns + 1))
        columns = np.zeros((num_columns, int(having[0])), np.int32)
        values = shard.values.astype(np.int32)
        for number, num_rows in enumerate(having[:num_columns].tolist()):
            columns[number, :num_rows] = values[starts[:num_rows] + number]
            # The labels of a sample rise, so all that stand before are smaller.
            self._count(columns[:number, :num_rows], columns[number, :num_rows])

    def _count(self, a: np.ndarray, b: np.ndarray) -> None:
        """int32 [n, m] and [m]: each of a column with the one below it."""
        if self._num_frequent < self._num_classes:
            is_frequent = b < self._num_frequent
            rare = ~is_frequent
            pairs = a[:, rare] * np.int64(self._num_classes) + b[rare]
            self._rest.add(pairs.ravel())
            a, b = a[:, is_frequent], b[is_frequent]
        np.add.at(self._frequent, (a + self._starts[b]).ravel(), 1)

    def table(self) -> pa.Table:
        """Pairs with support of at least MIN_PAIR_SUPPORT (schema.COOCCURRENCE), by a, then b.

        Of more than MAX_PAIRS, those whose support is at least the smallest that leaves so few.
        """
        frequent = np.flatnonzero(self._frequent >= MIN_PAIR_SUPPORT)
        b = np.searchsorted(self._starts, frequent, side="right") - 1  # place 0 is of b = 1: no class is below class 0
        a = frequent - self._starts[b]
        others, counts = self._rest.above(MIN_PAIR_SUPPORT - 1, at_most=MAX_PAIRS)
        keys = np.concatenate([a * self._num_classes + b, others])
        counts = np.concatenate([self._frequent[frequent].astype(np.int64), counts])
        if len(keys) > MAX_PAIRS:
            kept = counts > np.partition(counts, len(counts) - MAX_PAIRS - 1)[len(counts) - MAX_PAIRS - 1]
            keys, counts = keys[kept], counts[kept]
        order = np.argsort(keys)
        a, b = np.divmod(keys[order], max(1, self._num_classes))
        columns = [pa.array(a, pa.uint32()), pa.array(b, pa.uint32()), pa.array(counts[order], pa.int64())]
        return pa.table(columns, schema.COOCCURRENCE)
