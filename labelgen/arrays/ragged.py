"""Rows of different lengths in two flat arrays, and what is done with all of them at once."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Rows(NamedTuple):
    """Row i is values[starts[i]:starts[i+1]]. starts: int64 [R+1]."""

    starts: np.ndarray
    values: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """int64 [R]."""
        return np.diff(self.starts)

    def row(self, number: int) -> np.ndarray:
        """[n]: the values of one row, a view of them."""
        values: np.ndarray = self.values[self.starts[number] : self.starts[number + 1]]
        return values

    def take(self, rows: np.ndarray) -> "Rows":
        """These rows, int64 [n], in this order; the values are copied."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        return Rows(offsets(lengths), self.values[spans(self.starts[rows], lengths)])

    def transposed(self) -> "Rows":
        """Where values are numbers of rows: the same the other way round. Row i has the rows that hold i, rising."""
        return group(self.values, np.repeat(np.arange(len(self.lengths)), self.lengths), len(self.lengths))

    def expand(self, rows: np.ndarray, at_most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(int64 [n], values [n]): the values of many rows, each with the place in `rows` that asked for it.

        `at_most`: so many of each row, the first ones.
        """
        lengths = self.starts[rows + 1] - self.starts[rows]
        if at_most is not None:
            lengths = np.minimum(lengths, at_most)
        return np.repeat(np.arange(len(rows)), lengths), self.values[spans(self.starts[rows], lengths)]


def pack(rows: Iterable[Sequence[int]], dtype: type[np.generic] = np.int64) -> Rows:
    """Rows of Python's lists."""
    lists = list(rows)
    lengths = np.fromiter((len(row) for row in lists), np.int64, len(lists))
    return Rows(offsets(lengths), np.fromiter((each for row in lists for each in row), dtype, int(lengths.sum())))


def group(keys: np.ndarray, values: np.ndarray, num_rows: int) -> Rows:
    """Values [n] by their keys, int64 [n] of 0 … num_rows-1; those of one key keep their order."""
    order = np.argsort(keys, kind="stable")
    return Rows(offsets(np.bincount(keys, minlength=num_rows)), values[order])


def offsets(lengths: np.ndarray) -> np.ndarray:
    """int64 [R+1]: where rows of these lengths start, and where the last one ends."""
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """int64: starts[i] … starts[i] + lengths[i] - 1 for each i, one after another."""
    before = np.cumsum(lengths) - lengths
    numbers: np.ndarray = np.repeat(starts - before, lengths)
    numbers += np.arange(len(numbers))
    return numbers


def rank_in_row(rows: np.ndarray) -> np.ndarray:
    """int64 [n]: how many of the same row stand before. `rows`: rising."""
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    rank: np.ndarray = np.arange(len(rows)) - np.repeat(first, np.diff(first, append=len(rows)))
    return rank


def distinct(values: np.ndarray) -> np.ndarray:
    """The values [n], each once, rising. By sorting: NumPy's `unique` may hash, which takes several times as long."""
    ordered = np.sort(values)
    once: np.ndarray = ordered[is_first(ordered)]
    return once


def is_first(ordered: np.ndarray) -> np.ndarray:
    """bool: which values differ from the one before."""
    found = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=found[1:])
    return found


def distinct_pairs(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of a row and a value, each once, by row and then by value: int64 both."""
    # A pair becomes one number, which sorts faster; values are numbered first, so that it fits into 64 bits.
    found, places = np.unique(values, return_inverse=True)
    rows, places = np.divmod(distinct(rows * len(found) + places), max(1, len(found)))
    return rows, found[places]


def unique_rows(rows: np.ndarray, values: np.ndarray, num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """(row, value) pairs → (offsets int64 [N+1], values int64): each row's values, unique and rising."""
    width = int(values.max(initial=0)) + 1
    rows, values = np.divmod(distinct(rows * width + values), width)
    return offsets(np.bincount(rows, minlength=num_rows)), values


def any_in(facts: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """bool [n]: whether one of facts[starts[i]:ends[i]] is true."""
    counts = offsets(facts)
    found: np.ndarray = counts[ends] > counts[starts]
    return found


def contains(rising: np.ndarray, values: np.ndarray) -> np.ndarray:
    """bool: which values are among those of a rising array."""
    if not len(rising):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(rising, values), len(rising) - 1)
    found: np.ndarray = rising[places] == values
    return found
