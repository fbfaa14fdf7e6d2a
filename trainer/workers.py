"""Processes that work ahead of this one, and end with it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Dataset

MAX_WORKERS = 16


def worker_count(setting: int | Literal["auto"], device: torch.device, ranks_here: int) -> int:
    """`data.num_workers`, with "auto" resolved for a device and the number of ranks on this machine."""
    if setting != "auto":
        return setting
    if device.type == "cpu":
        return 0
    return min(MAX_WORKERS, max(1, num_cores() // ranks_here))


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def context(*modules: str) -> ForkServerContext:
    """How workers start: not by fork, as this process has threads, but by a server that imported torch once.

    modules: what else it imports, if it does not run yet.
    """
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["trainer.stream.loader", *modules])
    # Deaf to Ctrl-C from its first moment on: interrupted while it imports, it would print a traceback.
    resource_tracker.ensure_running()  # it changes the mask itself
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return found


def settle() -> None:
    """What a worker does first: leave Ctrl-C to the main process, end when that does, and compute on one core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)


def parallel(dataset: Dataset[Any], items: Iterable[Any], device: torch.device, ranks_here: int = 1) -> Iterator[Any]:
    """`dataset[item]` for each item, in order, computed ahead by as many processes as "auto" stands for."""
    num_workers = worker_count("auto", device, ranks_here)
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_size=None,
        sampler=items,
        num_workers=num_workers,
        multiprocessing_context=context() if num_workers else None,
        worker_init_fn=_settle if num_workers else None,
    )
    return iter(loader)


def _settle(_index: int) -> None:
    settle()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "runs in a worker"
    parent.join()
    os._exit(1)  # nothing to save, and a thread cannot end its process in any gentler way
