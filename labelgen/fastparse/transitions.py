"""The arc-eager parser, many captions at once: NumPy moves all of them by one transition after the other.

A word is known by its number, counted through all captions of a batch from 1 on; 0 is no word. Stack and buffer are
linked lists over words: `below[w]` is the word under w on the stack, `after[w]` the one behind w in the buffer.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from labelgen.fastparse.arithmetic import product

_BLOCK = 32
_BLOCK_OF_TABLE = 128
# Words that a state is judged by: the first two of the buffer, the upper three of the stack, and children of both tops.
NUM_FEATURES = 8


class Move(IntEnum):
    """What a transition does; the letters are spaCy's."""

    SHIFT = 0  # S: the buffer's first word goes onto the stack
    REDUCE = 1  # D: the stack's top goes, or back to the buffer if it has no head yet
    LEFT = 2  # L-label: the stack's top becomes a child of the buffer's first word
    RIGHT = 3  # R-label: the buffer's first word becomes a child of the stack's top, and goes onto the stack
    BREAK = 4  # B-label: a sentence begins at the buffer's second word


# As plain numbers: looking up an enumeration's member takes as long as comparing a few hundred moves with it.
_SHIFT, _REDUCE, _LEFT, _RIGHT, _BREAK = map(int, Move)


class ParserWeights(NamedTuple):
    """float32. narrow: [width, H], its bias [H]; features: [H, NUM_FEATURES · 2 · H'], for each feature two pieces;
    padding: the same for no word [NUM_FEATURES · 2 · H']; hidden_bias [2 · H']; scores: [H', T], its bias [T].

    moves int64 [T], labels int64 [T]: what each of T transitions does, and the number of its label.
    """

    narrow: np.ndarray
    narrow_bias: np.ndarray
    features: np.ndarray
    padding: np.ndarray
    hidden_bias: np.ndarray
    scores: np.ndarray
    scores_bias: np.ndarray
    moves: np.ndarray
    labels: np.ndarray


class Arcs(NamedTuple):
    """For N words, numbered from 0 on: heads int64 [N], a root is its own; labels int64 [N], -1 for a root; edges int64
    [N], the leftmost word below each."""

    heads: np.ndarray
    labels: np.ndarray
    edges: np.ndarray


class TransitionParser:
    """The network that chooses transitions, and the machine that makes them."""

    def __init__(self, weights: ParserWeights) -> None:
        self._weights = weights
        allowed = [[code >> _BIT_OF[Move(move)] & 1 for move in weights.moves] for code in range(16)]
        self._forbidden = np.where(allowed, np.float32(0), np.float32(-np.inf)).astype(np.float32)

    def parse(self, vectors: np.ndarray, lengths: np.ndarray) -> Arcs:
        """float32 [N, width] of all words, and int64 [D]: how many of them each caption has, none of them empty."""
        state = _State(lengths)
        table = self._table(vectors)
        while len(state.tops):
            best = (self._judge(table, state.features()) + self._forbidden[state.allowed()]).argmax(axis=1)
            state.advance(self._weights.moves[best], self._weights.labels[best])
        return state.arcs()

    def _table(self, vectors: np.ndarray) -> np.ndarray:
        """float32 [(N + 1) · NUM_FEATURES, 2 · H']: what each word, and no word, adds to a state as each feature."""
        weights = self._weights
        narrow = product(vectors, weights.narrow, _BLOCK_OF_TABLE)
        narrow += weights.narrow_bias
        of_words = product(narrow, weights.features, _BLOCK_OF_TABLE)
        return np.concatenate([weights.padding[None], of_words]).reshape(-1, len(weights.hidden_bias))

    def _judge(self, table: np.ndarray, features: np.ndarray) -> np.ndarray:
        """int64 [NUM_FEATURES, D] → float32 [D, T]: how good each transition would be."""
        weights = self._weights
        hidden = table.take(features[0] * NUM_FEATURES, axis=0)
        part = np.empty_like(hidden)
        for number in range(1, NUM_FEATURES):  # one after the other, as spaCy adds them
            table.take(features[number] * NUM_FEATURES + number, axis=0, out=part, mode="clip")
            hidden += part
        hidden += weights.hidden_bias
        half = hidden.shape[1] // 2
        scores = product(np.maximum(hidden[:, :half], hidden[:, half:]), weights.scores, _BLOCK)
        scores += weights.scores_bias
        return scores


# A move's bit in the code of what a state allows; both arcs are allowed together.
_BIT_OF = {Move.SHIFT: 0, Move.REDUCE: 1, Move.LEFT: 2, Move.RIGHT: 2, Move.BREAK: 3}


class _State:
    """D captions on their way. `tops` int64 [D]: the top of each stack, `fronts` int64 [D]: the first word of each
    buffer. A caption that is finished drops out of both."""

    def __init__(self, lengths: np.ndarray) -> None:
        ends = np.cumsum(lengths)
        words = int(ends[-1]) + 1
        self.tops = np.zeros(len(lengths), np.int64)
        self.fronts = ends - lengths + 1
        self._after = np.arange(1, words + 1)
        self._after[0] = 0
        self._after[ends] = 0
        self._below = np.zeros(words, np.int64)
        self._heads = np.zeros(words, np.int64)
        self._labels = np.full(words, -1)
        self._last_left = np.zeros(words, np.int64)  # the child that was attached last, on either side
        self._last_right = np.zeros(words, np.int64)
        self._sibling = np.zeros(words, np.int64)  # the right child that was attached to a word's head before it
        self._returned = np.zeros(words, np.bool_)  # went back to the buffer: it may not be shifted again
        self._begins = np.zeros(words, np.bool_)  # a sentence

    def features(self) -> np.ndarray:
        """int64 [NUM_FEATURES, D], in spaCy's order."""
        second = self._below[self.tops]
        return np.stack(
            [
                self.fronts,
                self._after[self.fronts],
                self.tops,
                second,
                self._below[second],
                self._last_left[self.fronts],
                self._last_left[self.tops],
                self._last_right[self.tops],
            ]
        )

    def allowed(self) -> np.ndarray:
        """int64 [D]: for each caption the bits (_BIT_OF) of the moves that it may make."""
        fronts, following = self.fronts, self._after[self.fronts]
        has_top = self.tops > 0
        goes_on = ~self._begins[fronts]
        shift = ~has_top | ((following > 0) & goes_on & ~self._returned[fronts])
        arc = has_top & (fronts > 0) & goes_on
        may_break = (following == fronts + 1) & ~self._begins[following]
        code: np.ndarray = shift + 2 * has_top + 4 * arc + 8 * may_break
        return code

    def advance(self, moves: np.ndarray, labels: np.ndarray) -> None:
        """Make one transition in each caption: int64 [D] moves and the labels of their arcs."""
        tops, fronts = self.tops, self.fronts
        (left,) = np.nonzero(moves == _LEFT)
        (right,) = np.nonzero(moves == _RIGHT)
        (reduce,) = np.nonzero(moves == _REDUCE)
        (shift,) = np.nonzero((moves == _SHIFT) | (moves == _RIGHT))
        self._begins[self._after[fronts[moves == _BREAK]]] = True
        if len(left):
            self._attach_left(tops[left], fronts[left], labels[left])
            tops[left] = self._below[tops[left]]
        if len(right):
            self._attach_right(fronts[right], tops[right], labels[right])
        if len(reduce):
            self._reduce(reduce)
        if len(shift):
            pushed = fronts[shift]
            self._below[pushed] = tops[shift]
            tops[shift] = pushed
            fronts[shift] = self._after[pushed]
        unfinished = (tops > 0) | (fronts > 0)
        if not unfinished.all():
            self.tops, self.fronts = tops[unfinished], fronts[unfinished]

    def _attach_left(self, children: np.ndarray, heads: np.ndarray, labels: np.ndarray) -> None:
        given_up = children[self._heads[children] > 0]  # each the last right child of its former head
        self._last_right[self._heads[given_up]] = self._sibling[given_up]
        self._heads[children] = heads
        self._labels[children] = labels
        self._last_left[heads] = children
        self._returned[heads] = False

    def _attach_right(self, children: np.ndarray, heads: np.ndarray, labels: np.ndarray) -> None:
        self._heads[children] = heads
        self._labels[children] = labels
        self._sibling[children] = self._last_right[heads]
        self._last_right[heads] = children

    def _reduce(self, which: np.ndarray) -> None:
        tops = self.tops[which]
        under = self._below[tops]
        self.tops[which] = under
        back = (self._heads[tops] == 0) & (under > 0)
        returned = tops[back]
        self._returned[returned] = True
        self._after[returned] = self.fronts[which[back]]
        self.fronts[which[back]] = returned

    def arcs(self) -> Arcs:
        """What was found, once all captions are finished."""
        edges = np.arange(len(self._heads))
        while (further := self._last_left[edges]).any():  # the last left child is the leftmost
            edges = np.where(further > 0, further, edges)
        heads = np.where(self._heads > 0, self._heads, np.arange(len(self._heads)))
        return Arcs(heads[1:] - 1, self._labels[1:], edges[1:] - 1)
