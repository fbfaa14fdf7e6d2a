"""The same work in local processes: shards go out, reports come back in any order, and a killed worker is survived."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait as wait_for
from typing import Any, NamedTuple

from labelgen.candidates import Report
from labelgen.extract import Extractor, Seconds
from labelgen.memory import spare_collections
from labelgen.sources.sample import InputShard, SourceError

# Each worker computes on one core; threads of a BLAS below it would only be in each other's way.
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")

_make_extractor: Callable[[], Extractor]
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


def run_local(
    shards: Sequence[InputShard], make_extractor: Callable[[], Extractor], num_workers: int
) -> Iterator[Done | Failed]:
    """Extract `shards` in worker processes; yields each shard once, when it is finished.

    A worker that dies (killed, out of memory) costs the shards then under way one more try. Those are tried alone, so
    that the guilty one is found and only that fails. Other exceptions of a worker end the run.
    """
    pending = list(shards)
    suspects: list[InputShard] = []
    while pending:
        unfinished: dict[Future[tuple[Report, Seconds]], InputShard] = {}
        try:
            for outcome in _run_pool(pending, make_extractor, num_workers, unfinished):
                yield outcome
                pending.remove(outcome.shard)
        except BrokenProcessPool:
            suspects = list(unfinished.values())
            pending = [shard for shard in pending if shard not in suspects]
        for suspect in suspects:
            try:
                yield from _run_pool([suspect], make_extractor, 1, {})
            except BrokenProcessPool:
                yield Failed(suspect, "the worker died on it twice (killed, or out of memory)")
        suspects = []


def _run_pool(
    shards: Sequence[InputShard],
    make_extractor: Callable[[], Extractor],
    num_workers: int,
    unfinished: dict[Future[tuple[Report, Seconds]], InputShard],
) -> Iterator[Done | Failed]:
    """One pool's life. `unfinished` holds at any time the shards that were handed out and have not come back."""
    os.environ.update({name: value for name, value in _ONE_THREAD.items() if name not in os.environ})
    _start_forkserver()
    pool = ProcessPoolExecutor(
        max_workers=min(num_workers, len(shards)),
        mp_context=multiprocessing.get_context("forkserver"),
        initializer=_start_worker,
        initargs=(make_extractor,),
    )
    waiting = iter(shards)
    try:
        while True:
            # As many as there are workers: a dead worker then puts few shards under suspicion.
            while len(unfinished) < num_workers and (shard := next(waiting, None)) is not None:
                unfinished[pool.submit(_extract, shard)] = shard
            if not unfinished:
                return
            for future in wait(unfinished, return_when=FIRST_COMPLETED).done:
                outcome = _outcome(future, unfinished[future])
                del unfinished[future]
                yield outcome
    finally:
        for worker in _processes(pool):
            worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(future: "Future[tuple[Report, Seconds]]", shard: InputShard) -> Done | Failed:
    try:
        return Done(shard, *future.result())
    except SourceError as error:
        return Failed(shard, str(error))


def _processes(pool: ProcessPoolExecutor) -> list[Any]:
    """The pool's workers. They are idle, or the run was broken off: either way nothing of theirs is waited for."""
    return list((getattr(pool, "_processes", None) or {}).values())


def _start_forkserver() -> None:
    """Start the process that starts the workers, deaf to Ctrl-C from its first moment on.

    Ctrl-C reaches the whole group. The leader alone reacts to it; a child that is still importing would print a
    traceback. The mask is inherited, and what is blocked meanwhile reaches the leader right after.
    """
    resource_tracker.ensure_running()  # it changes the mask itself
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _start_worker(make_extractor: Callable[[], Extractor]) -> None:
    global _make_extractor
    threading.Thread(target=_die_with_parent, daemon=True).start()
    # spaCy imports torch wherever it is installed, 2.5 s that nothing here needs.
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
    _make_extractor = make_extractor


def _die_with_parent() -> None:
    """A leader that was killed cannot end its workers: they watch it themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _extract(shard: InputShard) -> tuple[Report, Seconds]:
    global _extractor
    if _extractor is None:  # not in _start_worker: what is raised there is lost
        _extractor = _make_extractor()
        spare_collections()
    return _extractor.extract(shard)
