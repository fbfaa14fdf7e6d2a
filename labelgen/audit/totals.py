"""Sums over a label set: labels a sample, what each threshold covers, and why samples have no labels."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from labelgen import candidates
from labelgen.classes.support import SHOWN_THRESHOLDS
from labelgen.meaning import resolved
from labelgen.meaning.resolve import Choice
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from labelshards.vocabulary import Vocabulary

# So many samples tell the shares of any corpus to a tenth of a per cent.
MOST_SAMPLES = 4_000_000

NO_TERM = "WordNet knows none of its words"
NO_LABEL = "all terms are in the stop list or of other families"
PRUNED = "all labels are below the threshold"
PRUNED_OR_NO_LABEL = "all labels are below the threshold, or no labels here"
UNKNOWN = "not known: there are no candidates here"


class AtThreshold(msgspec.Struct, frozen=True):
    """So many classes have more support than `threshold`, and so many samples have one of them or more."""

    threshold: int
    classes: int
    samples: int


class Totals(NamedTuple):
    """Of `samples_read` samples: all of the label set, or those of some of its shards, spread evenly.

    labels_per_sample: int64 [most labels + 1]; support: int64 [K]; without_labels: reason → samples.
    """

    samples_read: int
    labels_per_sample: np.ndarray
    support: np.ndarray
    by_threshold: list[AtThreshold]
    without_labels: dict[str, int]


def read_totals(
    label_set: LabelSet,
    on_step: Callable[[int, int], None] = lambda _done, _total: None,
    at_most: int = MOST_SAMPLES,
) -> Totals:
    """Read label shards of up to `at_most` samples, one in memory at a time. `on_step`: samples done, in all."""
    vocab = label_set.vocabulary
    support = np.zeros(len(vocab), np.int64)
    # Of each sample its most frequent class: what a threshold leaves it depends on that one alone.
    best = np.zeros(len(vocab), np.int64)
    histogram = np.zeros(1, np.int64)
    reasons: Counter[str] = Counter()
    why = _Reasons(label_set)
    chosen = label_set.spread_shards(at_most)
    total = int(label_set.rows_per_shard()[chosen].sum())
    done = 0
    ranks = np.argsort(np.argsort(-vocab.support, kind="stable"), kind="stable")  # of each class, by support
    by_rank = np.argsort(ranks)  # the class of each rank
    for index in chosen.tolist():
        on_step(done, total)
        shard = label_set.read_shard(index)
        lengths = np.diff(shard.offsets)
        support += np.bincount(shard.values, minlength=len(vocab))
        counts = np.bincount(lengths, minlength=len(histogram))
        counts[: len(histogram)] += histogram  # at least as long: `minlength` sees to it
        histogram = counts
        if len(shard.values):
            # Of an empty row reduceat would take its neighbour's first value.
            firsts = np.minimum.reduceat(ranks[shard.values], shard.offsets[:-1][lengths > 0])
            best += np.bincount(by_rank[firsts], minlength=len(vocab))
        if not lengths.all():
            reasons.update(why.of(index, lengths))
        done += len(shard)
    on_step(total, total)
    return Totals(
        samples_read=total,
        labels_per_sample=histogram,
        support=support,
        by_threshold=[
            AtThreshold(at, classes, int(best[vocab.support > at].sum()))
            for at, classes in classes_at(vocab, label_set.manifest.threshold).items()
        ],
        without_labels=dict(reasons.most_common()),
    )


def classes_at(vocab: Vocabulary, threshold: int | None) -> dict[int, int]:
    """Threshold → number of classes with more support, for the thresholds at which the vocabulary is still whole."""
    lowest = threshold or 0
    shown: Sequence[int] = sorted({lowest, *(at for at in (*SHOWN_THRESHOLDS, 1000, 2500, 5000) if at > lowest)})
    return {at: int(np.count_nonzero(vocab.support > at)) for at in shown}


def support_here(label_set: LabelSet, read: Callable[[], Totals]) -> np.ndarray:
    """float64 [K]: samples of this label set with each class.

    `read`: called where the vocabulary's own support is that of another corpus; scaled up if not all was read.
    """
    if label_set.manifest.vocabulary_from is None:
        return label_set.vocabulary.support.astype(np.float64)
    totals = read()
    return totals.support * (label_set.manifest.totals.samples / max(1, totals.samples_read))


class _Reasons:
    """Why samples have no labels, as far as the label set's candidates tell."""

    def __init__(self, label_set: LabelSet) -> None:
        self._names = [entry.name for entry in label_set.manifest.shards]
        self._folder = candidates.folder_of(label_set.root)
        self._keys: dict[str, str] = {}
        settings = label_set.manifest.provenance.settings
        if label_set.manifest.vocabulary_from is None and settings.keys() >= set(Choice.__struct_fields__):
            choice = msgspec.convert({name: settings[name] for name in Choice.__struct_fields__}, Choice)
            self._keys = resolved.keys_of(self._folder, self._names, choice)

    def of(self, index: int, lengths: np.ndarray) -> dict[str, int]:
        """Reason → samples, of one shard whose samples have `lengths` labels."""
        empty = lengths == 0
        name = self._names[index]
        try:
            mentioned = candidates.read_lengths(self._folder, name)
        except CatlipError:  # candidates were not kept
            return {UNKNOWN: int(empty.sum())}
        if len(mentioned) != len(lengths):
            return {UNKNOWN: int(empty.sum())}
        found = {NO_TERM: int((empty & (mentioned == 0)).sum())}
        rest = empty & (mentioned > 0)
        before = [resolved.read_labels(self._folder, name, family, key) for family, key in self._keys.items()]
        of_families = [labels.lengths > 0 for _, labels in filter(None, before)]
        if not before or len(of_families) < len(before):
            found[PRUNED_OR_NO_LABEL] = int(rest.sum())
        else:
            had = np.logical_or.reduce(of_families)
            found[PRUNED] = int((rest & had).sum())
            found[NO_LABEL] = int((rest & ~had).sum())
        return {reason: count for reason, count in found.items() if count}
