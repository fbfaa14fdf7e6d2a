"""Workers on a Ray cluster: that of RAY_ADDRESS, or one that is started on this machine and stopped at the end.

Ray core tasks, one shard each. Ray keeps the processes that run them, so a process loads its labeler once.
"""

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from labelgen.engines import worker
from labelgen.engines.local import num_cores
from labelgen.engines.worker import DIED_TWICE, ONE_THREAD, Failed, Outcome
from labelgen.extract import Extractor
from labelgen.sources.sample import InputShard
from labelshards.errors import CatlipError, first_line
from labelshards.flock import locked

ADDRESS = "RAY_ADDRESS"
# What a worker takes with spaCy's small model and WordNet, so that Ray does not fill a node with more than it holds.
WORKER_MEMORY_BYTES = 1 << 30
# Ray keeps at least so much for objects; what is told of a shard is small and never gets there.
_OBJECT_STORE_BYTES = 80 << 20
_LOST_WORKER = (WorkerCrashedError, OutOfMemoryError, NodeDiedError, ObjectLostError)
# Cores of a cluster come and go; so often they are counted again.
_SECONDS_BETWEEN_COUNTS = 10.0
_KNOCK_SECONDS = 20.0
_SCRATCH_PREFIX = "ray-"  # short, because paths of sockets in there may not be long
_LOCK_NAME = ".catlip.lock"


def run_ray(
    shards: Sequence[InputShard], make_extractor: Callable[[], Extractor], num_workers: int | None
) -> Iterator[Outcome]:
    """Extract `shards` as Ray tasks; yields each once, when it is finished.

    At most `num_workers` tasks are under way; without a number two for each core that the cluster has now, so that
    none waits for this process. A shard whose worker is lost is tried once more. Other exceptions of a worker end the
    run. While it runs, stdout is stderr: Ray prints to both. Raises CatlipError if Ray cannot be reached, or breaks.
    """
    waiting = deque(shards)
    tried: set[InputShard] = set()
    running: dict[Any, InputShard] = {}
    with _cluster(num_workers or num_cores()):
        make = ray.put(make_extractor)
        # Ray's own retries are off: of a worker out of memory it would make new ones without end.
        task = ray.remote(num_cpus=1, memory=WORKER_MEMORY_BYTES, max_retries=0)(worker.extract)
        room = _Room(num_workers)
        try:
            while waiting or running:
                while waiting and len(running) < room.tasks():
                    shard = waiting.popleft()
                    running[task.remote(shard, make)] = shard
                for done in ray.wait(list(running), num_returns=1, timeout=_SECONDS_BETWEEN_COUNTS)[0]:
                    shard = running.pop(done)
                    try:
                        outcome = ray.get(done)
                    except _LOST_WORKER:
                        if shard not in tried:
                            tried.add(shard)
                            waiting.appendleft(shard)
                            continue
                        outcome = Failed(shard, f"{shard.uri}: {DIED_TWICE}")
                    yield outcome
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:
            raise CatlipError(f"Ray failed: {first_line(error)}. Run the same command again.") from error
        finally:
            # A cluster of our own ends in a moment with all that runs there; to cancel besides could break Ray itself.
            if os.environ.get(ADDRESS):
                for left in running:
                    ray.cancel(left, force=True)


class _Room:
    """How many tasks may be under way."""

    def __init__(self, num_workers: int | None) -> None:
        self._fixed = num_workers
        self._counted_at = 0.0
        self._tasks = 0

    def tasks(self) -> int:
        """At least one, so that a cluster that grows on demand has a demand."""
        if self._fixed is not None:
            return self._fixed
        if time.monotonic() - self._counted_at > _SECONDS_BETWEEN_COUNTS:
            self._counted_at = time.monotonic()
            self._tasks = 2 * max(1, int(ray.cluster_resources().get("CPU", 0)))
        return self._tasks


@contextlib.contextmanager
def _cluster(num_workers: int) -> Iterator[None]:
    """A connection to Ray. What Ray says goes to stderr, because stdout is for the result."""
    address = os.environ.get(ADDRESS)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # otherwise Ray reports to its makers
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        try:
            if address:
                _knock(address)
                cluster: dict[str, Any] = {"address": address}
            else:
                os.environ.update({name: value for name, value in ONE_THREAD.items() if name not in os.environ})
                cluster = {
                    "address": "local",
                    "num_cpus": num_workers,
                    "include_dashboard": False,
                    "object_store_memory": _OBJECT_STORE_BYTES,
                    "_memory": num_workers * WORKER_MEMORY_BYTES,
                    "_temp_dir": stack.enter_context(_scratch()),
                }
            with sigterm_kept():
                ray.init(**cluster, **quiet)
        except Exception as error:  # a node that starts too slowly is told with a bare one
            where = f"at {ADDRESS}={address}" if address else "on this machine"
            raise CatlipError(f"No Ray cluster {where}: {first_line(error)}.") from error
        stack.callback(ray.shutdown)
        _refuse_small_nodes()
        yield


@contextlib.contextmanager
def sigterm_kept() -> Iterator[None]:
    """SIGTERM goes where it went before. Ray takes it over as it starts, and would end without a word."""
    if threading.current_thread() is not threading.main_thread():  # there Ray leaves it alone
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as ended:
        if ended.code != signal.SIGTERM:
            raise
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    """A folder for Ray, gone at the end; those of killed leaders, whose locks nobody has, go at the beginning."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_SCRATCH_PREFIX}*/{_LOCK_NAME}"):
        with contextlib.suppress(CatlipError, OSError), locked(lock, "a living leader's"):
            shutil.rmtree(lock.parent)
    with (
        tempfile.TemporaryDirectory(prefix=_SCRATCH_PREFIX, ignore_cleanup_errors=True) as folder,
        locked(Path(folder) / _LOCK_NAME, f"{folder} is another's."),
    ):
        yield folder


def _knock(address: str) -> None:
    """Raise OSError where nobody listens; Ray itself would try for minutes. What has no port is for Ray to find."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCK_SECONDS).close()


def _refuse_small_nodes() -> None:
    """Raise CatlipError where no node could ever take a task: Ray would wait for one without a word."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    memory = max((node.get("memory", 0.0) for node in nodes if node.get("CPU", 0) >= 1), default=None)
    if memory is not None and memory < WORKER_MEMORY_BYTES:
        raise CatlipError(
            f"No Ray node has the {WORKER_MEMORY_BYTES >> 30} GiB of memory that a worker takes; "
            f"the largest has {memory / 2**30:.1f} GiB. Add a larger node."
        )
