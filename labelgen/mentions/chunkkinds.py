"""What has to be looked at to tell what a chunk gives: its last words alone, or what is around it, too.

Most chunks ("the two big dogs") have no two neighbours with which a term of several words begins. Words before such two
give what each gives by itself, and the words from there to the chunk's end the same whatever stands before them. All
is computed for the chunks of many captions at once.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from labelgen.arrays.ragged import any_in
from labelgen.mentions.mending import (
    AFTER_OPENING,
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
from labelgen.mentions.terms import REACH
from labelgen.parsing.parse import Parses

# What of the rest of the caption matters to the last words of a chunk: a word of it counts, or is a determiner; "of"
# follows; it opens the caption (as in TermFinder.part).
COUNTED, DETERMINED, BEFORE_OF, OPENS = 1, 2, 4, 8
NUM_AROUND = 16  # of all four together

# Asks something of pairs of words, by their places int64 [n] and [n]: bool [n].
Asked: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Asks(NamedTuple):
    """The questions of beginnings.Beginnings."""

    may_begin: Asked
    is_written_as_one: Asked
    may_go_on: Asked


class ChunkKinds(NamedTuple):
    """Of C chunks. firsts, lasts: int64 [C], where the caption of each begins and ends.

    by_hyphen: bool [C], whether what stands before it matters. alone: bool [C], whether nothing around it does but for
    what `around` says: int64 [C], of the bits above. tails: int64 [C], the first word of which it may have a term of
    several words, else its last word.
    """

    firsts: np.ndarray
    lasts: np.ndarray
    by_hyphen: np.ndarray
    alone: np.ndarray
    around: np.ndarray
    tails: np.ndarray


def look_at(mended: Parses, facts: np.ndarray, captions: np.ndarray, asks: Asks) -> ChunkKinds:
    """What has to be looked at for each chunk of `mended`.

    facts: int64 [N], of each word, as in mending.FACTS; captions: int64 [C], that each chunk is in.
    """
    starts, stops = mended.chunks[:, 0], mended.chunks[:, 1]
    firsts, lasts = mended.starts[captions], mended.ends[captions]
    # Nothing, twice: `stops + 1` may lie behind the last word, and the word before the first is taken from the end.
    facts = np.append(facts, (0, 0))
    is_last = stops == lasts
    opens = (starts == firsts) & (stops == starts + 1) & ~is_last & (facts[stops] & AFTER_OPENING != 0)
    is_hyphen = facts & HYPHEN != 0
    by_hyphen = is_hyphen[starts] | (is_hyphen & (facts & SPACE == 0))[starts - 1] & (starts > firsts + 1)
    before_of = (facts[stops] & OF != 0) & ~is_last
    goes_on = before_of & (facts[stops + 1] & FOLLOWS_OF != 0)
    # Pairs of words cannot tell of a word that goes on without a space ("jack-of-all-trades"): there it stays a yes.
    (likely,) = np.nonzero(goes_on & (facts[stops + 1] & SPACE != 0))
    goes_on[likely] = asks.may_go_on(stops[likely] - 1, stops[likely] + 1)
    # A term that goes on may take words of chunks that follow. If that reaches into the next caption, it costs a look.
    reach = np.maximum.accumulate(np.where(goes_on, stops + REACH, 0))
    may_be_taken = starts < np.append(0, reach)[: len(starts)]
    (several,) = np.nonzero(_begins_several(facts, starts, stops, asks))
    next_several = np.append(several, len(facts))[np.searchsorted(several, starts)]  # len(facts): none follows
    counted, determined = (any_in(facts & bit != 0, starts, stops) for bit in (COUNTS, DT))
    return ChunkKinds(
        firsts=firsts,
        lasts=lasts,
        by_hyphen=by_hyphen,
        alone=~(by_hyphen | goes_on | may_be_taken),
        around=COUNTED * counted + DETERMINED * determined + BEFORE_OF * before_of + OPENS * opens,
        tails=np.minimum(next_several, stops - 1),
    )


def _begins_several(facts: np.ndarray, starts: np.ndarray, stops: np.ndarray, asks: Asks) -> np.ndarray:
    """bool [N + 2]: words of a chunk that may begin a term of several, or of which only the whole chunk tells."""
    (before,) = np.nonzero(_before_another(len(facts), starts, stops))
    own, following = facts[before], facts[before + 1]
    # Hyphens and marks have spellings of which two words do not tell.
    is_odd = (own & SPACE == 0) | ((own | following) & MARKED != 0)
    several = np.zeros(len(facts), np.bool_)
    several[before[is_odd]] = True
    may_be = (own & MAY_BE_FIRST != 0) & (following & MAY_BE_SECOND != 0)
    are_nouns = own & following & NOUN != 0
    for asked, ask in ((may_be, asks.may_begin), (are_nouns, asks.is_written_as_one)):
        places = before[asked & ~several[before]]
        several[places] = ask(places, places + 1)
    return several


def _before_another(num_words: int, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """bool [N]: words of a chunk with another one behind."""
    steps = np.zeros(num_words, np.int64)
    steps[starts] += 1
    steps[stops - 1] -= 1  # at most one chunk starts at a word, and at most one ends
    found: np.ndarray = np.cumsum(steps) > 0
    return found
