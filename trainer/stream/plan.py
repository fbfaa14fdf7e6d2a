"""Which sample stands at which place of the training stream: a pure function of the seed.

The stream of a label set is epoch 0, then epoch 1, and so on. Within an epoch every sample stands exactly once,
shuffled at two levels: the order of the shards, then the samples within a window of consecutive shards. So reading
stays local to a few files, nothing but one window is ever held in memory, and any place of the stream can be computed
directly, which is what makes resuming exact. Several label sets are dealt into one stream by their weights (`Mixture`).

Step s trains on the places that `trainer.stream.steps` gives it, whatever the number of ranks: the world size decides
who computes, never what is computed.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from labelshards.errors import CatlipError

# Places that are dealt to the label sets together. A tag keeps its random numbers apart from others of the same seed.
_DEAL = 4_096
_DEAL_TAG = 0x6D6978


class Plan(Protocol):
    """A stream of samples. num_samples: places of an epoch."""

    num_samples: int

    def locate(self, start: int, stop: int) -> np.ndarray:
        """Samples at places [start, stop): int64 [stop - start, 2] of (shard, n-th usable sample in it)."""


class Shuffled:
    """The stream over shards with `counts` usable samples each; see the module's docstring.

    counts: int64 [number of shards]. seed: one number or several. Raises CatlipError if there is no sample at all.
    """

    def __init__(self, counts: np.ndarray, *, seed: int | tuple[int, ...], window_shards: int) -> None:
        self.num_samples = int(counts.sum())
        if not self.num_samples:
            raise CatlipError(
                "There is nothing to train on: no sample of the label set has an image and labels. Build it from "
                "image-text shards, or with a lower --threshold."
            )
        self._counts = counts
        self._seed = seed if isinstance(seed, tuple) else (seed,)
        self._window_shards = window_shards
        # The last of each that was computed: places are asked for in order, so one is enough. Another thread may put
        # its own there at any moment; so each is read once, and returned as it was read or made.
        self._epoch: tuple[int, np.ndarray, np.ndarray] | None = None
        self._window: tuple[int, int, np.ndarray] | None = None

    def locate(self, start: int, stop: int) -> np.ndarray:
        """See `Plan`."""
        pieces = [np.empty((0, 2), dtype=np.int64)]  # concatenate wants one at least
        while start < stop:
            epoch, offset = divmod(start, self.num_samples)
            order, ends = self._epoch_windows(epoch)
            window = int(np.searchsorted(ends, offset, side="right"))
            samples = self._samples_of_window(epoch, window, order)
            inside = offset - int(ends[window]) + len(samples)
            pieces.append(samples[inside : inside + stop - start])
            start += len(pieces[-1])
        return np.concatenate(pieces)

    def _epoch_windows(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """An epoch's shards in order, and for each window the offset in the epoch at which it ends."""
        known = self._epoch
        if known is None or known[0] != epoch:
            num_shards = len(self._counts)
            order = np.random.default_rng((*self._seed, epoch)).permutation(num_shards)
            last = np.minimum(np.arange(0, num_shards, self._window_shards) + self._window_shards, num_shards) - 1
            self._epoch = known = (epoch, order, np.cumsum(self._counts[order])[last])
        return known[1:]

    def _samples_of_window(self, epoch: int, window: int, order: np.ndarray) -> np.ndarray:
        known = self._window
        if known is None or known[:2] != (epoch, window):
            shards = order[window * self._window_shards :][: self._window_shards]
            counts = self._counts[shards]
            firsts = np.cumsum(counts) - counts
            samples = np.empty((int(counts.sum()), 2), dtype=np.int64)
            samples[:, 0] = np.repeat(shards, counts)
            samples[:, 1] = np.arange(len(samples)) - np.repeat(firsts, counts)
            np.random.default_rng((*self._seed, epoch, window)).shuffle(samples)
            self._window = known = (epoch, window, samples)
        return known[2]


class Mixture:
    """Streams dealt into one: of every so many places each stream gets its weight's share, in an order by chance.

    Shards are counted through, stream after stream. num_shards: of each stream. weights: their shares, of any sum.
    """

    def __init__(
        self, streams: Sequence[Plan], num_shards: Sequence[int], weights: Sequence[float], *, seed: int
    ) -> None:
        self.num_samples = sum(stream.num_samples for stream in streams)
        self._streams = streams
        self._first_shards = np.cumsum([0, *num_shards])[:-1]
        self._rates = _DEAL * np.array(weights, dtype=np.float64) / sum(weights)
        self._seed = seed
        self._dealt: tuple[int, np.ndarray] | None = None

    def locate(self, start: int, stop: int) -> np.ndarray:
        """See `Plan`."""
        located = np.empty((stop - start, 2), dtype=np.int64)
        done = 0
        deal = start // _DEAL
        while done < stop - start:
            before, after = self._before(deal), self._before(deal + 1)
            first, last = start + done - int(before.sum()), stop - int(before.sum())
            owners = self._owners(deal, after - before)
            chosen = owners[first:last]  # empty, where rounding let the deal before end later
            for number, stream in enumerate(self._streams):
                mine = chosen == number
                if mine.any():
                    skipped = int(before[number]) + int((owners[:first] == number).sum())
                    found = stream.locate(skipped, skipped + int(mine.sum()))
                    located[done : done + len(chosen)][mine] = found + np.array([self._first_shards[number], 0])
            done += len(chosen)
            deal += 1
        return located

    def _before(self, deal: int) -> np.ndarray:
        """int64 [streams]: places that each has before a deal."""
        return np.floor(deal * self._rates).astype(np.int64)

    def _owners(self, deal: int, counts: np.ndarray) -> np.ndarray:
        known = self._dealt  # once, as in `Shuffled`
        if known is None or known[0] != deal:
            owners = np.repeat(np.arange(len(counts)), counts)
            np.random.default_rng((self._seed, deal, _DEAL_TAG)).shuffle(owners)
            self._dealt = known = (deal, owners)
        return known[1]


def make_plan(counts: Sequence[np.ndarray], *, seed: int, window_shards: int, weights: Sequence[float] = ()) -> Plan:
    """The stream over one label set or several. counts: of each one int64 [its shards], usable samples in them.

    Without weights their shards are shuffled together, so that an epoch is every sample once; with weights each label
    set has epochs of its own. Raises CatlipError if there is nothing to train on.
    """
    if not weights:
        return Shuffled(np.concatenate(counts), seed=seed, window_shards=window_shards)
    streams = [Shuffled(each, seed=(seed, number), window_shards=window_shards) for number, each in enumerate(counts)]
    return Mixture(streams, [len(each) for each in counts], weights, seed=seed)


def share_sizes(batch_size: int, world_size: int) -> list[int]:
    """How many samples of a step each rank has; `rank_share` says which."""
    return [batch_size * (rank + 1) // world_size - batch_size * rank // world_size for rank in range(world_size)]


def rank_share(shards_B: np.ndarray, *, rank: int, world_size: int) -> np.ndarray:
    """Which samples of a step `rank` computes: int64 [its share], rising positions in the batch.

    They are cut by shard, not by place, so that a rank reads few of the window's files: with many machines each
    fetches a part of them. Shares differ by one sample at most.
    """
    num = len(shards_B)
    order = np.argsort(shards_B, kind="stable") if world_size > 1 else np.arange(num)
    return np.sort(order[num * rank // world_size : num * (rank + 1) // world_size])
