"""Worker processes of this machine; one that is killed is survived."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait as wait_for
from types import FrameType
from typing import Any, TypeVar

from labelgen.engines import worker
from labelgen.engines.worker import DIED_TWICE, ONE_THREAD, Failed, Outcome
from labelgen.extract import Extractor
from labelgen.parsing.torchless import do_without_torch
from labelgen.sources.sample import InputShard
from labelshards.errors import CatlipError

_PRELOADED = "labelgen.preloaded"

_make_extractor: Callable[[], Extractor]
_Result = TypeVar("_Result")


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start(*, parses: bool) -> None:
    """Start the process that workers are forked from; it imports what they share, and nobody waits for that here."""
    if parses:
        forkserver.set_forkserver_preload(["__main__", _PRELOADED])
    _start_forkserver()


def run_local(
    shards: Sequence[InputShard], make_extractor: Callable[[], Extractor], num_workers: int | None
) -> Iterator[Outcome]:
    """Extract `shards` in worker processes; yields each shard once, when it is finished.

    A worker that dies (killed, out of memory) costs the shards then under way one more try. Those are tried alone, so
    that the guilty one is found and only that fails. Other exceptions of a worker end the run.
    """
    num_workers = num_workers or num_cores()
    pending = list(shards)
    while pending:
        unfinished: dict[Future[Outcome], InputShard] = {}
        suspects: list[InputShard] = []
        try:
            # A copy, for what comes back is taken off the list meanwhile.
            for outcome in _run_pool(tuple(pending), make_extractor, num_workers, unfinished):
                yield outcome
                pending.remove(outcome.shard)
        except BrokenProcessPool:
            suspects = list(unfinished.values())
            pending = [shard for shard in pending if shard not in suspects]
        for suspect in suspects:
            try:
                yield from _run_pool([suspect], make_extractor, 1, {})
            except BrokenProcessPool:
                yield Failed(suspect, f"{suspect.uri}: {DIED_TWICE}")


def run_alone(function: Callable[..., _Result], *arguments: object) -> _Result:
    """Call a function in a process like the workers', on one core. Raises CatlipError if the process dies."""
    _start_forkserver()
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_start_alone)
    try:
        with signals_later():
            called = pool.submit(function, *arguments)
        return called.result()
    except BrokenProcessPool as error:
        raise CatlipError("A process of the build died (killed, or out of memory). Run the build again.") from error
    finally:
        for process in _processes(pool):
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _run_pool(
    shards: Sequence[InputShard],
    make_extractor: Callable[[], Extractor],
    num_workers: int,
    unfinished: dict[Future[Outcome], InputShard],
) -> Iterator[Outcome]:
    """One pool's life. `unfinished` holds at any time the shards that were handed out and have not come back."""
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
                with signals_later():
                    unfinished[pool.submit(_extract, shard)] = shard
            if not unfinished:
                return
            for future in wait(unfinished, return_when=FIRST_COMPLETED).done:
                outcome = future.result()
                del unfinished[future]
                yield outcome
    finally:
        for process in _processes(pool):
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def signals_later() -> Iterator[None]:
    """Ctrl-C and SIGTERM that come meanwhile are heard at the end; a second one at once.

    For what starts workers: a worker whose start is broken off would be known to nobody, and would look in vain for the
    locks of a pool that has gone.
    """
    if threading.current_thread() is not threading.main_thread():  # no other one hears them
        yield
        return
    came: list[int] = []

    def later(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1 and callable(heard := before[signal.Signals(number)]):
            heard(number, frame)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, later)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if len(came) == 1:
            signal.raise_signal(came[0])


def _processes(pool: ProcessPoolExecutor) -> list[Any]:
    """The pool's workers. They are idle, or the run was broken off: either way nothing of theirs is waited for."""
    return list((getattr(pool, "_processes", None) or {}).values())


def _start_forkserver() -> None:
    """Start the process that starts the workers, deaf to Ctrl-C from its first moment on.

    Ctrl-C reaches the whole group. The leader alone reacts to it; a child that is still importing would print a
    traceback. The mask is inherited, and what is blocked meanwhile reaches the leader right after.
    """
    os.environ.update({name: value for name, value in ONE_THREAD.items() if name not in os.environ})
    resource_tracker.ensure_running()  # it changes the mask itself
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _start_worker(make_extractor: Callable[[], Extractor]) -> None:
    """Nothing is loaded here: what is raised here is lost."""
    global _make_extractor
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _make_extractor = make_extractor


def _start_alone() -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    do_without_torch()


def _die_with_parent() -> None:
    """A leader that was killed cannot end its workers: they watch it themselves."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)  # not sys.exit, which would end this thread alone


def _extract(shard: InputShard) -> Outcome:
    return worker.extract(shard, _make_extractor)
