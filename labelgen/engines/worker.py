"""What a worker process does, whoever started it: it loads a labeler once, and then extracts shard after shard."""

import os
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from labelgen.arrays.memory import collections_spared, spare_collections
from labelgen.candidates import Report
from labelgen.extract import Extractor, Seconds
from labelgen.parsing.torchless import do_without_torch
from labelgen.sources.sample import InputShard, SourceError

# Each worker computes on one core; threads of a BLAS below it would only be in each other's way.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
DIED_TWICE = "the worker died on it twice (killed, or out of memory)"

_extractor: Extractor | None = None


class Done(NamedTuple):
    """A shard that was committed. slow: as in its report."""

    shard: InputShard
    captions: int
    slow: str | None
    seconds: Seconds

    @classmethod
    def of(cls, shard: InputShard, report: Report, seconds: Seconds) -> "Done":
        """What is told of it. Not the report itself, which lists every picture of a folder."""
        return cls(shard, report.captions, report.slow, seconds)


class Failed(NamedTuple):
    """A shard that yields nothing, and why."""

    shard: InputShard
    reason: str


Outcome: TypeAlias = Done | Failed


def extract(shard: InputShard, make_extractor: Callable[[], Extractor]) -> Outcome:
    """Extract one shard in this process. A process out of memory ends, as the kernel would have ended it."""
    global _extractor
    try:
        if _extractor is None:
            do_without_torch()
            with collections_spared():
                _extractor = make_extractor()
            spare_collections()
        return Done.of(shard, *_extractor.extract(shard))
    except SourceError as error:
        return Failed(shard, str(error))
    except MemoryError:
        os._exit(1)
