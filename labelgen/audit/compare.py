"""What differs between two label sets: their classes, how frequent they are, and what terms mean in them."""

from collections import defaultdict

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelgen.audit.classes import terms_of
from labelshards.labelset import LabelSet
from labelshards.vocabulary import Vocabulary


class Only(msgspec.Struct, frozen=True):
    """A class that one of them has."""

    class_id: int
    synset: str
    wnid: str
    support: int


class Both(msgspec.Struct, frozen=True):
    """A class that both have. ratio: of its share of the samples in B to that in A; null where A has none of it, or
    where one of them has no samples.
    """

    synset: str
    wnid: str
    class_id_a: int
    class_id_b: int
    support_a: int
    support_b: int
    ratio: float | None


class Meanings(msgspec.Struct, frozen=True):
    """What a term gave: synset → count, most frequent first, in A and in B."""

    term: str
    a: dict[str, int]
    b: dict[str, int]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """added, removed: by falling support; both: in A's order; senses: terms that mean something else."""

    samples_a: int
    samples_b: int
    added: list[Only]
    removed: list[Only]
    both: list[Both]
    senses: list[Meanings]

    @property
    def moved(self) -> list[Both]:
        """Classes with another class id."""
        return [each for each in self.both if each.class_id_a != each.class_id_b]


def compare(a: LabelSet, b: LabelSet) -> Difference:
    """All differences from A to B. Support is that of the corpus on which each vocabulary was counted."""
    in_a = {wnid: number for number, wnid in enumerate(a.vocabulary.wnids)}
    in_b = {wnid: number for number, wnid in enumerate(b.vocabulary.wnids)}
    samples_a, samples_b = a.manifest.totals.samples, b.manifest.totals.samples
    support_a, support_b = a.vocabulary.support.tolist(), b.vocabulary.support.tolist()
    synsets = a.vocabulary.synsets
    scale = samples_a / samples_b if samples_a and samples_b else None
    both = [
        Both(
            synset=synsets[at],
            wnid=wnid,
            class_id_a=at,
            class_id_b=in_b[wnid],
            support_a=support_a[at],
            support_b=support_b[in_b[wnid]],
            ratio=support_b[in_b[wnid]] * scale / support_a[at] if scale and support_a[at] else None,
        )
        for wnid, at in in_a.items()
        if wnid in in_b
    ]
    return Difference(
        samples_a=samples_a,
        samples_b=samples_b,
        added=_only(b.vocabulary, [at for wnid, at in in_b.items() if wnid not in in_a]),
        removed=_only(a.vocabulary, [at for wnid, at in in_a.items() if wnid not in in_b]),
        both=both,
        senses=_other_senses(a, b),
    )


def meanings(a: LabelSet, b: LabelSet, term: str) -> Meanings:
    """What one term gave in both; nothing where it gave no class."""
    return Meanings(term, _meanings_of(a, {term}).get(term, {}), _meanings_of(b, {term}).get(term, {}))


def _only(vocab: Vocabulary, class_ids: list[int]) -> list[Only]:
    order = sorted(class_ids, key=lambda at: (-int(vocab.support[at]), at))
    return [Only(at, vocab.synsets[at], vocab.wnids[at], int(vocab.support[at])) for at in order]


def _other_senses(a: LabelSet, b: LabelSet) -> list[Meanings]:
    """Terms that give another class than before, most frequent first. Classes that the other lacks count, too."""
    of_a, of_b = _meanings_of(a), _meanings_of(b)
    found = [
        Meanings(term, of_a[term], of_b[term])
        for term in of_a.keys() & of_b.keys()
        if next(iter(of_a[term])) != next(iter(of_b[term]))  # what it means most often
    ]
    return sorted(found, key=lambda each: (-sum(each.a.values()) - sum(each.b.values()), each.term))


def _meanings_of(label_set: LabelSet, only: set[str] | None = None) -> dict[str, dict[str, int]]:
    """Term → synset → count, most frequent first; of a label set without examples, nothing."""
    given = terms_of(label_set)
    if not given.are_told:
        return {}
    rows = np.argsort(-given.counts, kind="stable")
    if only is not None:
        rows = rows[pc.is_in(given.texts, value_set=pa.array(sorted(only))).to_numpy(zero_copy_only=False)[rows]]
    synsets = label_set.vocabulary.synsets
    found: dict[str, dict[str, int]] = defaultdict(dict)
    texts = given.texts.take(rows).to_pylist()
    for term, class_id, count in zip(texts, given.classes[rows].tolist(), given.counts[rows].tolist(), strict=True):
        found[term][synsets[class_id]] = count
    return found
