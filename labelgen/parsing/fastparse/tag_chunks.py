"""Noun chunks told from tags alone: a run of nouns, with the determiners, numbers and adjectives before it.

Nearly spaCy's chunks at a fraction of the time, since nothing is parsed. Pronouns make no chunk here.
"""

from collections.abc import Sequence

import numpy as np

from labelgen.parsing.parse import Word

_OUTSIDE, _BEFORE, _NOUN, _LINK = range(4)
_KIND_OF = (
    dict.fromkeys(("NN", "NNS", "NNP", "NNPS"), _NOUN)
    | dict.fromkeys(("DT", "PDT", "PRP$", "WP$", "CD", "JJ", "JJR", "JJS", "AFX"), _BEFORE)
    | dict.fromkeys(("POS", "HYPH"), _LINK)
)


def kinds(tags: Sequence[str]) -> np.ndarray:
    """int64 [tags]: what each tag is for a chunk."""
    return np.array([_KIND_OF.get(tag, _OUTSIDE) for tag in tags])


def tag_chunks(kinds: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 [N] kinds of all words, and where each of D texts ends, int64 [D] → (first words, ends) of the chunks.

    A link ("'s", "-") joins what stands on both its sides.
    """
    before = np.concatenate([[_OUTSIDE], kinds[:-1]])
    before[ends[:-1][ends[:-1] < len(kinds)]] = _OUTSIDE
    begins = (before == _OUTSIDE) | ((before == _NOUN) & (kinds == _BEFORE))
    begins &= kinds != _OUTSIDE
    run = np.cumsum(begins)
    (nouns,) = np.nonzero(kinds == _NOUN)
    is_last = np.ones(len(nouns), np.bool_)
    is_last[:-1] = run[nouns[1:]] != run[nouns[:-1]]
    lasts = nouns[is_last]
    return np.flatnonzero(begins)[run[lasts] - 1], lasts + 1


def of_words(words: Sequence[Word]) -> list[tuple[int, int]]:
    """The chunks of one text."""
    if not words:
        return []
    firsts, ends = tag_chunks(kinds([word.tag for word in words]), np.array([len(words)]))
    return list(zip(firsts.tolist(), ends.tolist(), strict=True))
