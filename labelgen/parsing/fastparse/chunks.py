"""Noun chunks, read off tags and arcs: spaCy's rule for English, over all captions of a batch at once."""

from typing import NamedTuple

import numpy as np

from labelgen.parsing.fastparse.transitions import Arcs


class ChunkRule(NamedTuple):
    """nominal bool [tags, labels + 1]: whether a word with such a tag and label (the last: a root) may end a chunk.

    chunk_labels, conjunct: bool [labels + 1]: labels that make a chunk, and those that take the head's for their own.
    """

    nominal: np.ndarray
    chunk_labels: np.ndarray
    conjunct: np.ndarray


def noun_chunks(tags: np.ndarray, arcs: Arcs, rule: ChunkRule) -> tuple[np.ndarray, np.ndarray]:
    """int64 [N] tags, and arcs → (first words, ends), int64 [C] each, of the chunks, counted through all texts."""
    heads, labels = arcs.heads, arcs.labels
    (candidates,) = np.nonzero(rule.nominal[tags, labels])
    sources = candidates
    if len(conjuncts := np.flatnonzero(rule.conjunct[labels[candidates]])):
        above = heads[candidates[conjuncts]]
        while (climbs := rule.conjunct[labels[above]] & (heads[above] < above)).any():
            above = np.where(climbs, heads[above], above)
        sources = candidates.copy()
        sources[conjuncts] = above
    lasts = candidates[rule.chunk_labels[labels[sources]]]
    firsts = arcs.edges[lasts]
    kept = []
    end = 0
    for number, (first, last) in enumerate(zip(firsts.tolist(), lasts.tolist(), strict=True)):
        if first >= end:  # else it would lie inside the chunk before
            end = last + 1
            kept.append(number)
    return firsts[kept], lasts[kept] + 1
