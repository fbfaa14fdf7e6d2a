"""How often numbers occur, exactly and in bounded memory, whatever the number of different ones.

A log-structured merge: what comes in waits until there is much of it, becomes a sorted run, and runs of like size are
merged, so that each number is moved some few times and not once for every shard. When the runs outgrow memory they go
to a temporary file, and are read back block by block. Whatever is merged is merged in blocks: of what is counted there
are at most two copies, and nothing else is as large. The result does not depend on the order in which things came.
"""

import os
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce
from typing import IO, Literal, NamedTuple

import numpy as np

from labelgen.arrays.ragged import is_first

_WAITING_BYTES = 1 << 25  # of numbers that are not sorted yet: the more, the more of them are equal
_IN_MEMORY = 1 << 23  # different numbers, 16 bytes each
_BLOCK = 1 << 18  # numbers; 4 MB of each source that is merged
_MAX_FILES = 8  # while they are merged, a block of each is in memory
_BYTES_EACH = 16  # a number beside its count, int64 both
# Numbers after which loading compiled loops, a quarter of a second, takes less time than they save.
_MANY = 1 << 23


class Run(NamedTuple):
    """numbers: int64 [n], rising, each once; counts: int64 [n]."""

    numbers: np.ndarray
    counts: np.ndarray


class Tally:
    """Adds up counts of numbers ≥ 0.

    `in_memory`: so many different ones are held before they go to a file. `many`: so many may come before compiled
    loops are loaded for the others. `dtype`: of numbers that come without counts; 32 bits are sorted in half the time
    of 64.
    """

    def __init__(self, in_memory: int = _IN_MEMORY, many: int = _MANY, dtype: type[np.integer] = np.int64) -> None:
        self._in_memory, self._many = in_memory, many
        self._waiting = min(_WAITING_BYTES // np.dtype(dtype).itemsize, in_memory)
        self._num_added = 0
        # Numbers that count once, and how many there are: their place is taken again and again.
        self._once, self._num_once = np.empty(0, dtype), 0
        self._counted: list[Run] = []
        self._num_waiting = 0  # of both
        self._runs: list[Run] = []
        self._files: list[IO[bytes]] = []
        # A build that ends early closes nothing, and the space of a file without a name is free when it is closed.
        weakref.finalize(self, _close, self._files)

    def add(self, numbers: np.ndarray, counts: np.ndarray | None = None) -> None:
        """Count each of `numbers` [n] once, or as often as `counts` [n] says; they may repeat, in any order.

        Whole numbers ≥ 0. With counts they are kept, not copied.
        """
        if counts is None:

            def copy(room: np.ndarray) -> int:
                room[:] = numbers
                return len(numbers)

            self.add_written(copy, len(numbers))
        else:
            self._counted.append(Run(numbers, counts))
            self._came(len(numbers))

    def add_written(self, write: Callable[[np.ndarray], int], at_most: int) -> None:
        """Count each number once that `write` puts into an array [at_most] of this tally's type; it says how many."""
        if self._num_once + at_most > len(self._once):
            self._settle()
        if at_most > len(self._once):
            self._once = np.empty(max(at_most, self._waiting), self._once.dtype)
        num_written = write(self._once[self._num_once : self._num_once + at_most])
        self._num_once += num_written
        self._came(num_written)

    def _came(self, num_numbers: int) -> None:
        self._num_added += num_numbers
        self._num_waiting += num_numbers
        if self._num_waiting >= self._waiting:
            self._settle()

    def above(self, threshold: int, at_most: int | None = None) -> Run:
        """The numbers that occur more often, rising.

        `at_most`: where there are more than so many, those above the smallest threshold that leaves no more.
        """
        self._settle()
        # At the most: the same number may be in several runs and files.
        size = sum(len(run.numbers) for run in self._runs) + sum(
            os.fstat(file.fileno()).st_size // _BYTES_EACH for file in self._files
        )
        if at_most is not None and size > at_most:
            # All is gone through twice, since neither the numbers nor their counts are ever held together.
            threshold, size = max(threshold, self._threshold(at_most)), at_most
        over = ((block, block.counts > threshold) for block in self._blocks())
        return _gathered((Run(block.numbers[kept], block.counts[kept]) for block, kept in over), size)

    def _threshold(self, at_most: int) -> int:
        """The smallest one that leaves at most so many numbers."""
        how_many: Counter[int] = Counter()
        for block in self._blocks():
            counts, times = np.unique(block.counts, return_counts=True)
            how_many.update(dict(zip(counts.tolist(), times.tolist(), strict=True)))
        left = 0
        for count in sorted(how_many, reverse=True):
            left += how_many[count]
            if left > at_most:
                return count
        return 0

    def _blocks(self) -> Iterator[Run]:
        """All that was counted, in rising blocks."""
        return self._merged([*map(_read, self._files), *map(_cut, self._runs)])

    def _settle(self) -> None:
        """Make a run of what waits, and merge runs of like size."""
        if not self._num_waiting:
            return
        new = [_summed(self._counted, "quicksort")] if self._counted else []
        if self._num_once:
            once = self._once[: self._num_once]
            once.sort()
            new.append(self._of_equal(once))
        self._runs.append(new[0] if len(new) == 1 else self._added(new))
        self._counted, self._num_once, self._num_waiting = [], 0, 0
        # Each run is more than twice as long as the next one: so there are few, and a number is seldom moved.
        while len(self._runs) > 1 and len(self._runs[-2].numbers) <= 2 * len(self._runs[-1].numbers):
            last = self._runs[-2:]
            self._runs[-2:] = [_gathered(self._merged(map(_cut, last)), sum(len(run.numbers) for run in last))]
        if sum(len(run.numbers) for run in self._runs) > self._in_memory:
            self._spill()

    def _spill(self) -> None:
        """Write the runs to a file; merge the files when there are many."""
        sources = [_cut(run) for run in self._runs]
        if len(self._files) == _MAX_FILES:
            sources += map(_read, self._files)
        file = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the tally)
        for block in self._merged(sources):
            # Numbers beside their counts, so that a block of both is read in one piece.
            np.stack(block, axis=1).tofile(file)
        self._runs = []
        if len(self._files) == _MAX_FILES:  # not before: they were read while the new one was written
            _close(self._files)
        self._files.append(file)

    def _merged(self, sources: Iterable[Iterator[Run]]) -> Iterator[Run]:
        """One rising sequence of many, in blocks, equal numbers added up."""
        held = [(source, block) for source in sources if (block := next(source, None)) is not None]
        while held:
            # Up to the smallest last number that is in memory, nothing is missing.
            bound = min(block.numbers[-1] for _, block in held)
            parts, left = [], []
            for source, block in held:
                end = int(np.searchsorted(block.numbers, bound, side="right"))
                parts.append(Run(block.numbers[:end], block.counts[:end]))
                rest = Run(block.numbers[end:], block.counts[end:]) if end < len(block.numbers) else next(source, None)
                if rest is not None:
                    left.append((source, rest))
            yield self._added(parts)
            held = left

    def _of_equal(self, rising: np.ndarray) -> Run:
        """How often each number of a rising sequence occurs."""
        if self._num_added < self._many:
            first = np.flatnonzero(is_first(rising))
            return Run(rising[first].astype(np.int64), np.diff(first, append=len(rising)))
        from labelgen.arrays.merging import count_equal  # it brings numba with it

        return _filled(partial(count_equal, rising), len(rising))

    def _added(self, runs: list[Run]) -> Run:
        """The sum of runs."""
        if self._num_added < self._many:
            return _summed(runs, "stable")
        from labelgen.arrays.merging import add_runs

        def add(left: Run, right: Run) -> Run:
            return _filled(partial(add_runs, *left, *right), len(left.numbers) + len(right.numbers))

        return reduce(add, runs)


def _summed(runs: list[Run], kind: Literal["stable", "quicksort"]) -> Run:
    """The sum of runs whose numbers need neither rise nor be different. `kind` of sort: stable is fast if they rise."""
    numbers = np.concatenate([run.numbers for run in runs])
    counts = np.concatenate([run.counts for run in runs])
    order = np.argsort(numbers, kind=kind)
    numbers = numbers[order]
    first = np.flatnonzero(is_first(numbers))
    return Run(numbers[first], np.add.reduceat(counts[order], first) if len(first) else counts)


def _filled(write: Callable[[np.ndarray, np.ndarray], int], at_most: int) -> Run:
    """What is written to numbers and counts, with room for so many."""
    numbers, counts = np.empty(at_most, np.int64), np.empty(at_most, np.int64)
    end = write(numbers, counts)
    return Run(numbers[:end], counts[:end])


def _gathered(blocks: Iterable[Run], at_most: int) -> Run:
    """One run of many blocks, with `at_most` so many numbers; of memory that is never written to, none is taken."""
    numbers, counts = np.empty(at_most, np.int64), np.empty(at_most, np.int64)
    end = 0
    for block in blocks:
        start, end = end, end + len(block.numbers)
        numbers[start:end], counts[start:end] = block
    return Run(numbers[:end], counts[:end])


def _cut(run: Run) -> Iterator[Run]:
    for at in range(0, len(run.numbers), _BLOCK):
        yield Run(run.numbers[at : at + _BLOCK], run.counts[at : at + _BLOCK])


def _read(file: IO[bytes]) -> Iterator[Run]:
    file.seek(0)
    while len(block := np.fromfile(file, np.int64, 2 * _BLOCK)):
        yield Run(*np.ascontiguousarray(block.reshape(-1, 2).T))


def _close(files: list[IO[bytes]]) -> None:
    while files:
        files.pop().close()
