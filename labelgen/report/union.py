"""The classes of several label sets as one list: what has the same ImageNet id is the same class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from labelshards.vocabulary import Vocabulary


class Union(NamedTuple):
    """K classes of S label sets, by falling support in all of them.

    first: of each class, the (label set, class id) that describes it; ids: int64 [S, K], its class id in each label
    set, or -1; places: for each label set int64 [its classes], where they stand here.
    """

    first: list[tuple[int, int]]
    ids: np.ndarray
    places: list[np.ndarray]


def union(vocabularies: Sequence[Vocabulary]) -> Union:
    """Put vocabularies together."""
    known: dict[str, tuple[int, int]] = {}
    total: dict[str, int] = {}
    for number, vocab in enumerate(vocabularies):
        for class_id, (wnid, support) in enumerate(zip(vocab.wnids, vocab.support.tolist(), strict=True)):
            known.setdefault(wnid, (number, class_id))
            total[wnid] = total.get(wnid, 0) + support
    ordered = sorted(known, key=lambda wnid: -total[wnid])  # equal ones in the order in which they were met
    place = {wnid: at for at, wnid in enumerate(ordered)}
    places = [np.array([place[wnid] for wnid in vocab.wnids], np.int64) for vocab in vocabularies]
    ids = np.full((len(vocabularies), len(ordered)), -1)
    for mine, of_set in zip(ids, places, strict=True):
        mine[of_set] = np.arange(len(of_set))
    return Union([known[wnid] for wnid in ordered], ids, places)
