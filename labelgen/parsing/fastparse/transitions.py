"""The arc-eager parser: one caption after the other, each word by word, as a compiled loop.

A word is known by its number, counted through all captions of a batch from 1 on; 0 is no word. Stack and buffer are
linked lists over words: `below[w]` is the word under w on the stack, `after[w]` the one behind w in the buffer.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from labelgen.arrays.native import native
from labelgen.parsing.fastparse.arithmetic import in_groups, product

_BLOCK = 32
# Words whose features are tabulated together: half a megabyte, which stays in a core's second-level cache.
_WORDS_AT_ONCE = 128
# Words that a state is judged by: the first two of the buffer, the upper three of the stack, and children of both tops.
NUM_FEATURES = 8


class Move(IntEnum):
    """What a transition does; the letters are spaCy's."""

    SHIFT = 0  # S: the buffer's first word goes onto the stack
    REDUCE = 1  # D: the stack's top goes, or back to the buffer if it has no head yet
    LEFT = 2  # L-label: the stack's top becomes a child of the buffer's first word
    RIGHT = 3  # R-label: the buffer's first word becomes a child of the stack's top, and goes onto the stack
    BREAK = 4  # B-label: a sentence begins at the buffer's second word


# As plain numbers, which a compiled loop knows.
_SHIFT, _REDUCE, _LEFT, _RIGHT, _BREAK = map(int, Move)


class ParserWeights(NamedTuple):
    """float32. narrow: [width, H], its bias [H]; features: [NUM_FEATURES, H, 2 · H'], two pieces one after the other;
    padding: the same for no word [NUM_FEATURES, 2 · H']; hidden_bias [2 · H']; scores: [H', T], its bias [T].

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
        self._table = weights.padding[:, None]

    def parse(self, vectors: np.ndarray, lengths: np.ndarray) -> Arcs:
        """float32 [N, width] of all words, and int64 [D]: how many of them each caption has, none of them empty."""
        weights = self._weights
        arcs = Arcs(*np.empty((3, len(vectors)), np.int64))
        narrow = product(vectors, weights.narrow, _BLOCK)
        narrow += weights.narrow_bias
        for captions, words in in_groups(lengths, _WORDS_AT_ONCE):
            table = self._features(narrow[words])
            best = (weights.hidden_bias, weights.scores, weights.scores_bias, weights.moves, weights.labels)
            _parse(table, lengths[captions], *best, *(column[words] for column in arcs))
            arcs.heads[words] += words.start
            arcs.edges[words] += words.start
        return arcs

    def _features(self, narrow: np.ndarray) -> np.ndarray:
        """float32 [N, H] → [NUM_FEATURES, N + 1 or more, 2 · H']: what no word, and each word, adds as each feature.

        It lies where the one before lay.
        """
        room = len(narrow) + -len(narrow) % _BLOCK
        rows = np.zeros((room, narrow.shape[1]), np.float32)
        rows[: len(narrow)] = narrow
        if self._table.shape[1] <= room:
            self._table = np.empty((NUM_FEATURES, room + 1, self._table.shape[2]), np.float32)
            self._table[:, 0] = self._weights.padding
        blocks = self._table[:, 1 : room + 1].reshape(NUM_FEATURES, -1, _BLOCK, self._table.shape[2])
        np.matmul(rows.reshape(-1, _BLOCK, narrow.shape[1]), self._weights.features[:, None], out=blocks)
        return self._table


@native
def _judge(
    table: np.ndarray,
    words: tuple[int, ...],
    hidden_bias: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    hidden: np.ndarray,
    scores: np.ndarray,
) -> None:
    """How good each transition would be, float32 [T], for a state's words. `hidden`: room for [2 · H']."""
    a, b, c, d = table[0, words[0]], table[1, words[1]], table[2, words[2]], table[3, words[3]]
    for each in range(len(hidden)):  # one after the other, as spaCy adds them
        hidden[each] = a[each] + b[each] + c[each] + d[each]
    a, b, c, d = table[4, words[4]], table[5, words[5]], table[6, words[6]], table[7, words[7]]
    for each in range(len(hidden)):
        hidden[each] = hidden[each] + a[each] + b[each] + c[each] + d[each] + hidden_bias[each]
    half = len(hidden) // 2
    for each in range(half):
        hidden[each] = max(hidden[each], hidden[half + each])
    scores[:] = bias
    for row in range(0, half, 4):
        one, two, three, four = hidden[row], hidden[row + 1], hidden[row + 2], hidden[row + 3]
        a, b, c, d = weights[row], weights[row + 1], weights[row + 2], weights[row + 3]
        for each in range(len(scores)):
            scores[each] = scores[each] + one * a[each] + two * b[each] + three * c[each] + four * d[each]


@native
def _parse(
    table: np.ndarray,
    lengths: np.ndarray,
    hidden_bias: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    moves: np.ndarray,
    labels: np.ndarray,
    heads_found: np.ndarray,
    labels_found: np.ndarray,
    edges_found: np.ndarray,
) -> None:
    """All captions, with the table of their words; what is found is written to the last three."""
    num_words = len(heads_found) + 1
    after = np.arange(1, num_words + 1)
    below = np.zeros(num_words, np.int64)
    heads = np.zeros(num_words, np.int64)
    arc_labels = np.full(num_words, -1)
    last_left = np.zeros(num_words, np.int64)  # the child that was attached last, on either side
    last_right = np.zeros(num_words, np.int64)
    sibling = np.zeros(num_words, np.int64)  # the right child that was attached to a word's head before it
    returned = np.zeros(num_words, np.bool_)  # went back to the buffer: it may not be shifted again
    begins = np.zeros(num_words, np.bool_)  # a sentence
    scores = np.empty_like(bias)
    hidden = np.empty_like(hidden_bias)
    allowed = np.empty(5, np.bool_)
    end = 0
    for length in lengths:
        front = end + 1
        end += length
        after[0] = after[end] = 0
        top = 0
        while top > 0 or front > 0:
            following = after[front]
            goes_on = not begins[front]
            allowed[_SHIFT] = top == 0 or (following > 0 and goes_on and not returned[front])
            allowed[_REDUCE] = top > 0
            allowed[_LEFT] = allowed[_RIGHT] = top > 0 and front > 0 and goes_on
            allowed[_BREAK] = following == front + 1 and not begins[following]
            if top == 0 and not allowed[_BREAK]:
                move, label = _SHIFT, 0
            elif front == 0:
                move, label = _REDUCE, 0
            else:
                second = below[top]
                words = (
                    front,
                    following,
                    top,
                    second,
                    below[second],
                    last_left[front],
                    last_left[top],
                    last_right[top],
                )
                _judge(table, words, hidden_bias, weights, bias, hidden, scores)
                best = -1
                for transition in range(len(scores)):
                    if allowed[moves[transition]] and (best < 0 or scores[transition] > scores[best]):
                        best = transition
                move, label = moves[best], labels[best]

            if move == _BREAK:
                begins[following] = True
            elif move == _LEFT:
                if heads[top] > 0:  # it was the last right child of its former head
                    last_right[heads[top]] = sibling[top]
                heads[top] = front
                arc_labels[top] = label
                last_left[front] = top
                returned[front] = False
                top = below[top]
            elif move == _REDUCE:
                under = below[top]
                if heads[top] == 0 and under > 0:
                    returned[top] = True
                    after[top] = front
                    front = top
                top = under
            else:
                if move == _RIGHT:
                    heads[front] = top
                    arc_labels[front] = label
                    sibling[front] = last_right[top]
                    last_right[top] = front
                below[front] = top
                top = front
                front = following
    for word in range(1, num_words):
        heads_found[word - 1] = (heads[word] if heads[word] > 0 else word) - 1
        labels_found[word - 1] = arc_labels[word]
        edge = word
        while last_left[edge] > 0:  # the last left child is the leftmost
            edge = last_left[edge]
        edges_found[word - 1] = edge - 1
