"""What has to be looked at to tell what a chunk gives: its words one by one, all of it, or what is around it.

Most chunks ("the two big dogs") have no two neighbours with which a term of several words begins; what they give
follows from their words one by one. Everything here is computed for the chunks of many captions at once.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from labelgen.mending import (
    AFTER_OPENING,
    BEGINS_OF,
    COUNTS,
    DT,
    FOLLOWS_OF,
    HYPHEN,
    MARKED,
    MAY_BE_FIRST,
    MAY_BE_SECOND,
    NOUN,
    OF,
    SPACE,
)
from labelgen.parse import Parses
from labelgen.terms import REACH

# Whether words, by their places int64 [n], are this together with the next one: see Beginnings. bool [n].
Asked: TypeAlias = Callable[[np.ndarray], np.ndarray]


class ChunkKinds(NamedTuple):
    """Of C chunks; all bool [C], but for firsts and lasts, int64 [C]: where the caption of each begins and ends.

    opens: as in TermFinder.part. by_hyphen: what stands before it matters. before_of: an "of" follows. amid: more than
    the chunk and that "of" is to be looked at. wordwise: its words give what they give one by one. counted, determined:
    a word of it counts, or is a determiner.
    """

    firsts: np.ndarray
    lasts: np.ndarray
    opens: np.ndarray
    by_hyphen: np.ndarray
    before_of: np.ndarray
    amid: np.ndarray
    wordwise: np.ndarray
    counted: np.ndarray
    determined: np.ndarray


def kinds_of(
    mended: Parses, facts: np.ndarray, captions: np.ndarray, may_begin: Asked, is_written_as_one: Asked
) -> ChunkKinds:
    """facts: int64 [N], of each word; captions: int64 [C], that each chunk is in."""
    starts, stops = mended.chunks[:, 0], mended.chunks[:, 1]
    firsts, lasts = mended.starts[captions], mended.ends[captions]
    facts = np.append(facts, (0, 0))
    is_last = stops == lasts
    opens = (starts == firsts) & (stops == starts + 1) & ~is_last & (facts[stops] & AFTER_OPENING != 0)
    is_hyphen = facts & HYPHEN != 0
    by_hyphen = is_hyphen[starts] | (is_hyphen & (facts & SPACE == 0))[starts - 1] & (starts > firsts + 1)
    before_of = (facts[stops] & OF != 0) & ~is_last
    goes_on = before_of & (facts[stops + 1] & FOLLOWS_OF != 0) & _any_in(facts & BEGINS_OF != 0, starts, stops)
    amid = opens | by_hyphen | goes_on
    # A term that goes on may take words of chunks that follow.
    reach = np.maximum.accumulate(np.where(goes_on, stops + REACH, 0))
    may_be_taken = starts < np.append(0, reach)[: len(starts)]
    several = _begins_several(facts, starts, stops, may_begin, is_written_as_one)
    return ChunkKinds(
        firsts=firsts,
        lasts=lasts,
        opens=opens,
        by_hyphen=by_hyphen,
        before_of=before_of,
        amid=amid,
        wordwise=~(amid | may_be_taken | _any_in(several, starts, stops)),
        counted=_any_in(facts & COUNTS != 0, starts, stops),
        determined=_any_in(facts & DT != 0, starts, stops),
    )


def _begins_several(
    facts: np.ndarray, starts: np.ndarray, stops: np.ndarray, may_begin: Asked, is_written_as_one: Asked
) -> np.ndarray:
    """bool [N + 2]: words of a chunk that may begin a term of several, or of which only the whole chunk tells."""
    (before,) = np.nonzero(_before_another(len(facts), starts, stops))
    own, following = facts[before], facts[before + 1]
    is_odd = (own & SPACE == 0) | ((own | following) & MARKED != 0)
    several = np.zeros(len(facts), np.bool_)
    several[before[is_odd]] = True
    may_be = (own & MAY_BE_FIRST != 0) & (following & MAY_BE_SECOND != 0)
    are_nouns = own & following & NOUN != 0
    for asked, ask in ((may_be, may_begin), (are_nouns, is_written_as_one)):
        places = before[asked & ~several[before]]
        several[places] = ask(places)
    return several


def _before_another(num_words: int, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """bool [N]: words of a chunk with another one behind."""
    steps = np.zeros(num_words, np.int64)
    steps[starts] += 1
    steps[stops - 1] -= 1  # at most one chunk starts at a word, and at most one ends
    found: np.ndarray = np.cumsum(steps) > 0
    return found


def _any_in(words: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """bool [C]: chunks in which one of the words is true."""
    counts = np.append(0, np.cumsum(words))
    found: np.ndarray = counts[stops] > counts[starts]
    return found
