"""Which classes come together more often than chance has it."""

from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow.compute as pc

from labelgen.arrays.ragged import rank_in_row
from labelshards.labelset import LabelSet


class Associate(msgspec.Struct, frozen=True):
    """A class seen in `support` samples with another one, `lift` times as often as if they were independent.

    pmi: the lift's logarithm, in nats.
    """

    class_id: int
    support: int
    lift: float
    pmi: float


class Associates(NamedTuple):
    """Of each of K classes its N closest: classes: uint32 [K, N], K where there are fewer; support, lift: [K, N]."""

    classes: np.ndarray
    support: np.ndarray
    lift: np.ndarray


class Pairs(NamedTuple):
    """Pairs of classes: a, b: int64 [P], a < b; support: int64 [P]; lift, sure: float32 [P].

    sure: the lift if the pair had been seen one standard error less often; what closeness is ordered by, so that three
    samples by chance do not come before three hundred.
    """

    a: np.ndarray
    b: np.ndarray
    support: np.ndarray
    lift: np.ndarray
    sure: np.ndarray


def read_pairs(label_set: LabelSet, support: np.ndarray, class_id: int | None = None) -> Pairs:
    """All pairs, or those with one class. `support`: int64 or float64 [K], of totals.support_here."""
    table = label_set.cooccurrence()
    if class_id is not None:
        table = table.filter((pc.field("a") == class_id) | (pc.field("b") == class_id))
    a, b = table["a"].to_numpy().astype(np.int64), table["b"].to_numpy().astype(np.int64)
    together = table["support"].to_numpy()
    by_chance = support[a] * (support[b] / max(1, label_set.manifest.totals.samples))
    lift = together / np.maximum(by_chance, 1e-9)  # a class that no sample has is no division by zero
    # Less a standard deviation of the count, or pairs of a few samples would stand first by luck.
    sure = (together - np.sqrt(together)) / np.maximum(by_chance, 1e-9)
    return Pairs(a, b, together, lift.astype(np.float32), sure.astype(np.float32))


def associates(label_set: LabelSet, class_id: int, support: np.ndarray, at_most: int) -> list[Associate]:
    """The classes closest to one, closest first. `support`: int64 or float64 [K], as `read_pairs` takes it."""
    pairs = read_pairs(label_set, support, class_id)
    others = np.where(pairs.a == class_id, pairs.b, pairs.a)
    best = np.argsort(-pairs.sure, kind="stable")[:at_most]
    return [
        Associate(int(others[at]), int(pairs.support[at]), float(pairs.lift[at]), float(np.log(pairs.lift[at])))
        for at in best.tolist()
        if pairs.lift[at] > 1
    ]


def all_associates(pairs: Pairs, num_classes: int, at_most: int) -> Associates:
    """The same for all K classes at once, `at_most` of each, out of all pairs."""
    found = Associates(
        np.full((num_classes, at_most), num_classes, np.uint32),
        np.zeros((num_classes, at_most), np.int64),
        np.zeros((num_classes, at_most), np.float32),
    )
    kept = np.flatnonzero(pairs.lift > 1)
    kept = kept[np.argsort(-pairs.sure[kept], kind="stable")]
    classes = np.concatenate([pairs.a[kept], pairs.b[kept]]).astype(np.uint32)
    others = np.concatenate([pairs.b[kept], pairs.a[kept]])
    # Closest first within each class: both halves are, and the sort keeps the order in which they are dealt together.
    mixed = np.arange(2 * len(kept)).reshape(2, -1).T.ravel()
    order = mixed[np.argsort(classes[mixed], kind="stable")]
    ranks = rank_in_row(classes[order].astype(np.int64))
    near = ranks < at_most
    rows, places, at = classes[order[near]], ranks[near], order[near]
    of_pair = np.concatenate([kept, kept])[at] if len(kept) else at
    found.classes[rows, places] = others[at]
    found.support[rows, places] = pairs.support[of_pair]
    found.lift[rows, places] = pairs.lift[of_pair]
    return found


def top_matrix(pairs: Pairs, size: int) -> np.ndarray:
    """float32 [size, size]: the lift of the most frequent classes; NaN on the diagonal, 0 where a pair is too rare."""
    top = np.flatnonzero((pairs.a < size) & (pairs.b < size))
    a, b = pairs.a[top], pairs.b[top]
    matrix = np.zeros((size, size), np.float32)
    matrix[a, b] = matrix[b, a] = pairs.lift[top]
    np.fill_diagonal(matrix, np.nan)
    return matrix
