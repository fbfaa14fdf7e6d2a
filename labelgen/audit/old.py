"""What is in a label set, in numbers and words. Reads the contract only: it needs neither spaCy nor WordNet."""

from collections.abc import Sequence

import msgspec
import numpy as np

from labelgen.support import SHOWN_THRESHOLDS
from labelshards.labelset import LabelSet
from labelshards.vocabulary import Vocabulary


class ClassRow(msgspec.Struct, frozen=True, kw_only=True):
    """One class. `rank` counts from 1; `share` is the part of all samples that carry it.

    Support, and so the rank, is of the corpus that the vocabulary was counted on; where that is another one (the
    vocabulary was taken over), there is no share.
    """

    rank: int
    class_id: int
    family: str
    synset: str
    wnid: str
    lemmas: list[str]
    support: int
    share: float | None
    gloss: str


def classes(label_set: LabelSet, word: str | None = None) -> list[ClassRow]:
    """All classes, most frequent first; with `word`, those that have it in a lemma, the synset's name or the wnid."""
    vocab = label_set.vocabulary
    samples = max(1, label_set.manifest.totals.samples)
    return [
        ClassRow(
            rank=class_id + 1,
            class_id=class_id,
            family=vocab.families[class_id],
            synset=vocab.synsets[class_id],
            wnid=vocab.wnids[class_id],
            lemmas=vocab.lemmas[class_id],
            support=int(vocab.support[class_id]),
            share=int(vocab.support[class_id]) / samples if label_set.manifest.vocabulary_from is None else None,
            gloss=vocab.glosses[class_id],
        )
        for class_id in range(len(vocab))
        if word is None or _mentions(vocab, class_id, word.lower().replace("_", " "))
    ]


def classes_at(vocab: Vocabulary, threshold: int | None) -> dict[int, int]:
    """Threshold → number of classes with more support, for the thresholds at which the vocabulary is still whole."""
    lowest = threshold or 0
    shown: Sequence[int] = sorted({lowest, *(at for at in (*SHOWN_THRESHOLDS, 1000, 2500, 5000) if at > lowest)})
    return {at: int(np.count_nonzero(vocab.support > at)) for at in shown}


def labels_per_sample(label_set: LabelSet) -> dict[int, int]:
    """Number of labels → number of samples that have so many. Reads all label shards, one at a time."""
    histogram = np.zeros(1, dtype=np.int64)
    for index in range(len(label_set.manifest.shards)):
        counts = np.bincount(np.diff(label_set.read_shard(index).offsets))
        histogram = np.pad(histogram, (0, max(0, len(counts) - len(histogram))))
        histogram[: len(counts)] += counts
    return {number: int(samples) for number, samples in enumerate(histogram) if samples}


def _mentions(vocab: Vocabulary, class_id: int, word: str) -> bool:
    names = [*(lemma.lower() for lemma in vocab.lemmas[class_id]), vocab.synsets[class_id].replace("_", " ")]
    return vocab.wnids[class_id] == word or any(word in name for name in names)
