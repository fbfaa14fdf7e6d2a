"""How often words occur in a corpus, and with which others: each counted once per sample."""

from collections.abc import Iterable

import numpy as np

from labelgen.arrays.ragged import Rows, offsets, rank_in_row, spans
from labelgen.arrays.tally import Tally
from labelgen.dictionary.wordnet import Pos
from labelgen.mentions.terms import Form, Term

Word = tuple[str, Pos]

_MAX_PAIRS = 1 << 23  # 128 MB as a matrix
_BLOCK = 1 << 20  # pairs; what is made of them on the way is no larger


def word_of(term: Term) -> Word | None:
    """The word that a term counts as in statistics, whatever its form; None for "a group of", which says nothing."""
    return None if term.form is Form.PARTITIVE else (term.text, term.pos)


class Pairs:
    """A symmetric sparse matrix [W, W] of counts. rows: for each word those seen with it, int32, rising; counts: int32.

    That is 16 bytes for two words, and making it takes little besides: pairs are what memory is needed for.
    """

    def __init__(self, rows: Rows, counts: np.ndarray) -> None:
        self.rows = rows
        self.counts = counts

    @classmethod
    def of_halves(cls, keys: np.ndarray, counts: np.ndarray, num_words: int) -> "Pairs":
        """`keys`: int64 [P], a · W + b with a < b, each once, rising; `counts`: int64 [P]."""
        blocks = [slice(at, at + _BLOCK) for at in range(0, len(keys), _BLOCK)]
        smaller, larger = np.zeros(num_words, np.int64), np.zeros(num_words, np.int64)
        for block in blocks:
            a, b = np.divmod(keys[block], num_words)
            smaller += np.bincount(b, minlength=num_words)
            larger += np.bincount(a, minlength=num_words)
        starts = offsets(smaller + larger)
        columns, of_both = np.empty(2 * len(keys), np.int32), np.empty(2 * len(keys), np.int32)
        # Of a row come first the smaller words, then the larger ones; both rise, as the keys do.
        free = starts[:-1].copy(), starts[:-1] + smaller  # both move on while rows fill; `starts` stays
        for block in blocks:
            a, b = np.divmod(keys[block], num_words)
            for rows, words, next_free in ((b, a, free[0]), (a, b, free[1])):
                order = np.argsort(rows, kind="stable")
                places = next_free[rows[order]] + rank_in_row(rows[order])
                columns[places], of_both[places] = words[order], counts[block][order]
                next_free += np.bincount(rows, minlength=num_words)
        return cls(Rows(starts, columns), of_both)

    def row(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """(int32 [n] words seen with `word`, int32 [n] in how many samples)."""
        return self.rows.row(word), Rows(self.rows.starts, self.counts).row(word)

    def counts_of(self, words: np.ndarray) -> np.ndarray:
        """int32: the counts of many rows, one row after another."""
        return Rows(self.rows.starts, self.counts).expand(words)[1]

    def weighted(self, words: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """float64 [W]: the sum of the rows of `words`, each times its weight."""
        starts, lengths = self.rows.starts[words], self.rows.starts[words + 1] - self.rows.starts[words]
        within = spans(starts, lengths)
        told = np.repeat(weights, lengths) * self.counts[within]
        return np.bincount(self.rows.values[within], told, len(self.rows.starts) - 1)

    def of_frequent(self, kept: np.ndarray) -> "Pairs":
        """The columns of some words alone. `kept`: bool [W]."""
        inside = kept[self.rows.values]
        # How many are kept before a row is where it starts from now on.
        lengths = offsets(inside)[self.rows.starts]
        return Pairs(Rows(lengths, self.rows.values[inside]), self.counts[inside])


class Corpus:
    """Counts over N samples. words: the W words, numbered; support: int64 [W], samples that have each."""

    def __init__(self, words: Iterable[Word]) -> None:
        self.words = {word: number for number, word in enumerate(dict.fromkeys(words))}
        self.num_samples = 0
        self.support = np.zeros(len(self.words), np.int64)
        self._pairs = Tally()

    def add(self, offsets: np.ndarray, words: np.ndarray) -> None:
        """Count samples. Sample i has words[offsets[i]:offsets[i+1]], unique numbers, rising; offsets: int64 [N+1]."""
        num_words = len(self.words)
        lengths = np.diff(offsets)
        self.num_samples += len(lengths)
        self.support += np.bincount(words, minlength=num_words)
        ends = np.repeat(offsets[1:], lengths)
        # All words so far apart in their samples: as many steps as the longest sample has words, whatever their number.
        for distance in range(1, int(lengths.max(initial=0))):
            firsts = np.flatnonzero(np.arange(distance, len(words)) < ends[: len(words) - distance])
            self._pairs.add(words[firsts].astype(np.int64) * num_words + words[firsts + distance])

    def pairs(self) -> Pairs:
        """Which words occur together, as far as it was counted; of very many pairs, the most frequent ones.

        Ask once: they are handed over.
        """
        halves = self._pairs.above(0, _MAX_PAIRS)
        self._pairs = Tally()
        return Pairs.of_halves(*halves, len(self.words))
