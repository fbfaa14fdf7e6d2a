"""Which sample stands at which place of the training stream: a pure function of the seed.

The stream is epoch 0, then epoch 1, and so on. Within an epoch every sample stands exactly once, shuffled at two
levels: the order of the shards, then the samples within a window of consecutive shards. So reading stays local to a
few files, nothing but one window is ever held in memory, and any place of the stream can be computed directly, which
is what makes resuming exact. Step s trains on places [s·B, (s+1)·B) whatever the number of ranks: the world size
decides who computes, never what is computed.
"""

import math
from typing import Annotated, Literal

import msgspec
import numpy as np

from labelshards.errors import CatlipError


class PlanConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[plan]`: what is trained on, in which portions, for how long.

    batch_size: samples per step over all ranks together. epochs: passes over the data; may be a fraction. steps: if
    given, decides the length instead of `epochs`. window_shards: shards that are shuffled together. unlabelled:
    whether samples with an image but without labels are trained on (as all-negative, like the paper) or left out.
    """

    batch_size: Annotated[int, msgspec.Meta(ge=1)] = 1024
    epochs: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    steps: Annotated[int, msgspec.Meta(ge=1)] | None = None
    window_shards: Annotated[int, msgspec.Meta(ge=1)] = 8
    unlabelled: Literal["keep", "drop"] = "keep"

    def num_steps(self, num_samples: int) -> int:
        """Steps of the whole run; an epoch's last samples share their step with the next epoch's first."""
        return self.steps or max(1, math.ceil(self.epochs * num_samples / self.batch_size))


class Plan:
    """The stream over shards with `counts` usable samples each; see the module's docstring.

    counts: int64 [number of shards]. Raises CatlipError if there is no sample at all.
    """

    def __init__(self, counts: np.ndarray, *, seed: int, window_shards: int) -> None:
        self.num_samples = int(counts.sum())
        if not self.num_samples:
            raise CatlipError("There is nothing to train on: no sample of the label set has an image and labels.")
        self._counts = counts
        self._seed = seed
        self._window_shards = window_shards
        # The last of each that was computed: places are asked for in order, so one is enough.
        self._epoch: tuple[int, np.ndarray, np.ndarray] | None = None
        self._window: tuple[int, int, np.ndarray] | None = None

    def locate(self, start: int, stop: int) -> np.ndarray:
        """Samples at places [start, stop) of the stream: int64 [stop-start, 2] of (shard, n-th usable sample in it)."""
        pieces = [np.empty((0, 2), dtype=np.int64)]
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
        if self._epoch is None or self._epoch[0] != epoch:
            num_shards = len(self._counts)
            order = np.random.default_rng((self._seed, epoch)).permutation(num_shards)
            last = np.minimum(np.arange(0, num_shards, self._window_shards) + self._window_shards, num_shards) - 1
            self._epoch = (epoch, order, np.cumsum(self._counts[order])[last])
        return self._epoch[1:]

    def _samples_of_window(self, epoch: int, window: int, order: np.ndarray) -> np.ndarray:
        if self._window is None or self._window[:2] != (epoch, window):
            shards = order[window * self._window_shards :][: self._window_shards]
            counts = self._counts[shards]
            firsts = np.cumsum(counts) - counts
            samples = np.empty((int(counts.sum()), 2), dtype=np.int64)
            samples[:, 0] = np.repeat(shards, counts)
            samples[:, 1] = np.arange(len(samples)) - np.repeat(firsts, counts)
            np.random.default_rng((self._seed, epoch, window)).shuffle(samples)
            self._window = (epoch, window, samples)
        return self._window[2]


def rank_places(step: int, *, batch_size: int, rank: int, world_size: int) -> range:
    """Places of the stream that `rank` computes in `step`.

    Raises CatlipError if the ranks cannot share a batch evenly.
    """
    share, rest = divmod(batch_size, world_size)
    if rest:
        raise CatlipError(
            f"plan.batch_size = {batch_size} cannot be shared evenly by {world_size} processes. "
            f"Try --set plan.batch_size={(share + 1) * world_size}."
        )
    first = step * batch_size + rank * share
    return range(first, first + share)
