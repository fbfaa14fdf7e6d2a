"""Which samples a step takes: the stream of a run, over one list of samples."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from labelshards.errors import CatlipError
from trainer.probes.features import UNREADABLE, reason_of
from trainer.stream.plan import Plan, make_plan, rank_share
from trainer.stream.steps import Steps

_MAX_REPLACEMENTS = 100

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Shuffled anew in every epoch; a sample's randomness is that of (seed, its place), whoever loads it."""

    num_samples: int
    steps: Steps
    seed: int
    rank: int = 0
    world_size: int = 1

    def load(
        self, step: int, read: Callable[[int, np.random.Generator], T]
    ) -> tuple[list[T], tuple[tuple[str, str], ...]]:
        """This rank's samples of a step, as `read(number, random numbers)` gives them, and what is broken and why.

        A broken picture gives its place to the next sample of the stream. Raises CatlipError where too many in a row
        are broken.
        """
        first, batch_size, _ = self.steps[step]
        found: list[T] = []
        bad: list[tuple[str, str]] = []
        for place in (first + rank_share(np.zeros(batch_size), rank=self.rank, world_size=self.world_size)).tolist():
            for candidate in range(place, place + _MAX_REPLACEMENTS):
                number = int(self._plan.locate(candidate, candidate + 1)[0, 1])
                try:
                    found.append(read(number, np.random.default_rng((self.seed, place, 1))))
                    break
                except UNREADABLE as error:
                    bad.append((str(number), reason_of(error)))
            else:
                raise CatlipError(f"{_MAX_REPLACEMENTS} training pictures in a row cannot be read ({bad[-1][1]}).")
        return found, tuple(bad)

    @cached_property
    def _plan(self) -> Plan:
        return make_plan([np.array([self.num_samples])], seed=self.seed, window_shards=1)
