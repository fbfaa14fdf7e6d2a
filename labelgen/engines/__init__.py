"""The same work in local processes or on a Ray cluster: shards go out, outcomes come back in any order.

An engine takes shards, what makes a worker's Extractor, and how many workers there may be (None: one a core).
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from labelgen.engines.worker import Outcome
from labelgen.extract import Extractor
from labelgen.sources.sample import InputShard

_Result = TypeVar("_Result")

NAMES = LOCAL, RAY = ("local", "ray")


def require(engine: str) -> None:
    """Raise ModuleNotFoundError at once if what the engine needs is not installed."""
    if engine == RAY:
        importlib.import_module("ray")


def start(engine: str, *, parses: bool) -> None:
    """Begin to load what workers share; there is time for other things until `run`, which does it otherwise.

    `parses`: whether they need spaCy.
    """
    if engine == LOCAL:
        from labelgen.engines import local

        local.start(parses=parses)


def run_alone(function: Callable[..., _Result], *arguments: object) -> _Result:
    """Call a function in a process of its own on this machine, and wait for it."""
    from labelgen.engines import local

    return local.run_alone(function, *arguments)


def run(
    engine: str, shards: Sequence[InputShard], make_extractor: Callable[[], Extractor], num_workers: int | None
) -> Iterator[Outcome]:
    """Extract `shards`; yields each once, when it is finished. Exceptions other than SourceError end the run."""
    if engine == RAY:
        from labelgen.engines.on_ray import run_ray

        return run_ray(shards, make_extractor, num_workers)
    from labelgen.engines.local import run_local

    return run_local(shards, make_extractor, num_workers)
