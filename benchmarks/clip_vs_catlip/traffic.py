"""What a process sends in a step, counted in two real processes (gloo): every collective, and bytes on its sockets."""

import multiprocessing
import os
import socket
from collections import Counter
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.clip_vs_catlip.cases import batch_of, config_of, made
from trainer.distributed import joined, wait_for_all

SIZE = 32  # pictures do not travel, so the smallest ones do
PAIRS = 8  # of each process


# c10d's operators that carry embeddings, and which of their arguments is this process's own part. What comes back to a
# process was another's to send, so `recv_` is none of them.
_EMBEDDINGS = {"_allgather_base_": 1, "_reduce_scatter_base_": 0, "send": 0}
_GRADIENTS = "allreduce_"


class Traffic(NamedTuple):
    """Of the main process in one step. sent: bytes that it wrote to sockets. gradients: bytes that were summed over
    processes. embeddings: bytes of its own that another process had, forward and backward.
    """

    sent: int
    gradients: int
    embeddings: int


class _Collectives(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes that c10d's operators are given: all that torch.distributed and DDP send goes through them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        if func.namespace == "c10d":
            name = func.__name__.partition(".")[0]
            self.bytes[name] += _num_bytes(args[_EMBEDDINGS.get(name, 0)])
        return func(*args, **(kwargs or {}))


def _num_bytes(value: object) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    return sum(map(_num_bytes, value)) if isinstance(value, list | tuple) else 0


def traffic(objective: str, encoder: str) -> Traffic:
    """Of the third step: in the first ones DDP finds the order of gradients."""
    context = multiprocessing.get_context("spawn")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found: Queue[Traffic] = context.Queue()
    processes = [context.Process(target=_work, args=(rank, port, objective, encoder, found)) for rank in range(2)]
    for process in processes:
        process.start()
    counted = found.get(timeout=1800)
    for process in processes:
        process.join()
    return counted


def _work(rank: int, port: int, objective: str, encoder: str, found: "Queue[Traffic]") -> None:
    os.environ |= {"OMP_NUM_THREADS": "1", "RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    with joined() as world:
        config = config_of(objective, encoder, SIZE, PAIRS * world.size)
        assembly, _ = made(config, world)
        batch = batch_of(config, PAIRS)
        x_BCHW, targets = batch.images_BCHW / 255, assembly.bare.targets(batch)
        for _ in range(3):
            assembly.objective.zero_grad()
            wait_for_all(world)
            before = _sent()
            with _Collectives() as counted:
                assembly.objective(x_BCHW, targets, float(PAIRS)).backward()
            sent = _sent() - before
            wait_for_all(world)
        if world.is_main:
            embeddings = sum(counted.bytes[name] for name in _EMBEDDINGS)
            found.put(Traffic(sent, counted.bytes[_GRADIENTS], embeddings))


def ring(found: Traffic, num_processes: int, pairs: int) -> float:
    """Bytes that each of `num_processes` sends in a step of `pairs` for each, as rings do it.

    Sums pass everything twice, (n - 1) / n of it each time. Embeddings go to every other process, and gradients of
    them come back.
    """
    others = num_processes - 1
    return 2 * found.gradients * others / num_processes + found.embeddings / PAIRS * pairs * others


def _sent() -> int:
    """Bytes that this process has written since it began: gloo writes to its sockets, and nothing else here writes."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))
