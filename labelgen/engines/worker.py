"""What a worker process does, whoever started it: it loads a labeler once, and then extracts shard after shard."""

import os
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from typing import NamedTuple, TypeAlias

from labelgen.candidates import Report
from labelgen.extract import Extractor, Seconds
from labelgen.memory import spare_collections
from labelgen.sources.sample import InputShard, SourceError

# Each worker computes on one core; threads of a BLAS below it would only be in each other's way.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
DIED_TWICE = "the worker died on it twice (killed, or out of memory)"

_extractor: Extractor | None = None


class Done(NamedTuple):
    """A shard that was committed."""

    shard: InputShard
    report: Report
    seconds: Seconds


class Failed(NamedTuple):
    """A shard that yields nothing, and why."""

    shard: InputShard
    reason: str


Outcome: TypeAlias = Done | Failed


class _WithoutTorch(MetaPathFinder):
    """Finds no torch. An entry of None in sys.modules would do that, too, but SciPy takes it for torch itself."""

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        if fullname == "torch":
            raise ModuleNotFoundError("No module named 'torch', so that spaCy does not load it", name=fullname)


def do_without_torch() -> None:
    """spaCy imports torch wherever it is installed, 2.5 s that nothing here needs."""
    if not any(isinstance(finder, _WithoutTorch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithoutTorch())


def extract(shard: InputShard, make_extractor: Callable[[], Extractor]) -> Outcome:
    """Extract one shard in this process. A process out of memory ends, as the kernel would have ended it."""
    global _extractor
    try:
        if _extractor is None:
            do_without_torch()
            _extractor = make_extractor()
            spare_collections()
        return Done(shard, *_extractor.extract(shard))
    except SourceError as error:
        return Failed(shard, str(error))
    except MemoryError:
        os._exit(1)
