"""Many captions at once → one row of numbered pieces: words, marks, and the breaks between captions.

Pieces are nearly spaCy's tokens. What stands between two spaces is cut into pieces once and looked up from then on.
The space stays with the piece after it, so a text is a space less than its pieces, joined.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from labelgen.arrays.growing import Growing
from labelgen.arrays.numbers import Numbers
from labelgen.arrays.ragged import spans

BREAK = "\n"
# Pieces between two captions, and at both ends: as many as the neighbours on one side that count (tagger.py).
_NUM_BREAKS = 2
_BETWEEN = f" {BREAK} "
_HEADLINE_WORDS = 4  # as in nouns.py

_PIECE = re.compile(
    r" ?(?:[^\W_]+(?:[.,]\d+)*"  # a word, a number
    r"|['\u2019](?:s|S|re|ve|ll|d|m|t)(?![^\W_])"  # "'s"
    r"|[^\s])"  # a mark
)


class Row(NamedTuple):
    """N pieces of D captions. numbers: int64 [N]; firsts, ends: int64 [D], where each caption's pieces lie."""

    numbers: np.ndarray
    firsts: np.ndarray
    ends: np.ndarray


def cut(text: str) -> list[str]:
    """The pieces of one clean text."""
    found: list[str] = _PIECE.findall(f" {text}")
    return found


class Pieces:
    """Numbers pieces as they come; 0 is the break. Which number a piece has depends on what was read before."""

    def __init__(self) -> None:
        self._words = Numbers[str]()
        self._pieces = Numbers[str]()
        # Of each word: where its pieces stand in _of_words, how many there are, and what it begins with.
        self._starts, self._lengths = Growing(np.int64), Growing(np.int64)
        self._is_alpha, self._is_upper = Growing(np.int64), Growing(np.int64)  # as numbers, for they are added up
        self._lower = Growing(np.int64)
        self._of_words = Growing(np.int64)
        assert self._words[BREAK] == self._pieces[BREAK] == 0
        self._note([BREAK], [[0] * _NUM_BREAKS])

    def __len__(self) -> int:
        """Words known, which are more than pieces."""
        return len(self._words)

    def texts(self, start: int = 0) -> list[str]:
        """The pieces from number `start` on, each with the space before it."""
        return self._pieces.known[start:]

    def read(self, texts: Sequence[str]) -> Row:
        """The pieces of clean texts. A headline is read in lower case, as spaCy is given it (nouns.py)."""
        # One text to split: a break before, between and behind the captions. The spaces at its ends belong to none.
        joined = _BETWEEN.join(["", *texts, ""])
        words = np.fromiter(map(self._words.__getitem__, joined[1:-1].split(" ")), np.int64)
        self._cut_new()
        breaks = np.flatnonzero(words == 0)
        assert len(breaks) == len(texts) + 1, "a clean text has no line feed"
        self._lower_headlines(words, breaks)
        lengths = self._lengths.rows[words]
        ends = np.cumsum(lengths)
        numbers = self._of_words.rows[spans(self._starts.rows[words], lengths)]
        return Row(numbers, ends[breaks[:-1]], ends[breaks[1:]] - _NUM_BREAKS)

    def _cut_new(self) -> None:
        new = self._words.known[len(self._lengths) :]
        self._note(new, [[self._pieces[piece] for piece in cut(word)] for word in new])

    def _note(self, words: list[str], pieces: list[list[int]]) -> None:
        """The pieces of words that were just numbered."""
        lengths = [len(each) for each in pieces]
        self._starts.append(len(self._of_words) + np.cumsum([0, *lengths[:-1]])[: len(words)])
        self._lengths.append(lengths)
        self._of_words.append([piece for each in pieces for piece in each])
        self._is_alpha.append([word[:1].isalpha() for word in words])
        self._is_upper.append([word[:1].isalpha() and word[:1].isupper() for word in words])
        self._lower.append(np.full(len(words), -1))

    def _lower_headlines(self, words: np.ndarray, breaks: np.ndarray) -> None:
        """In place; see nouns.py."""
        num_alpha = np.add.reduceat(self._is_alpha.rows[words], breaks)
        num_upper = np.add.reduceat(self._is_upper.rows[words], breaks)
        is_headline = (num_alpha == num_upper) & ((num_alpha >= _HEADLINE_WORDS) | (num_alpha == 1))
        if not is_headline.any():
            return
        at = np.flatnonzero(np.repeat(is_headline, np.diff(breaks, append=len(words))))
        lower = self._lower.rows[words[at]]
        new = np.unique(words[at][lower < 0])
        of_new = [self._words[self._words.known[number].lower()] for number in new.tolist()]
        self._cut_new()
        self._lower.rows[new] = of_new  # now: words that were just added have made the arrays grow
        words[at] = self._lower.rows[words[at]]
