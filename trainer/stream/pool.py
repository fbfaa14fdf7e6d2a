"""Loader processes that write pixels straight into memory which they share with the trainer.

The memory is a ring of batches, made once. Every process writes its part of each batch; labels, which are few bytes,
come through a pipe. So pixels and tokens are never copied, pickled or allocated anew, and the first batch is there as
soon as all processes together can make it.
"""

import contextlib
import mmap
import os
import tempfile
import traceback
from collections import deque
from collections.abc import Generator
from multiprocessing.connection import Connection
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np

from labelshards.errors import CatlipError
from trainer import workers
from trainer.stream.batch import Batch, Piece
from trainer.stream.reader import StepReader

# One that is trained on, one that is ready, one that is being written.
_NUM_SLOTS = 3
_JOIN_SECONDS = 5


class Ring:
    """`num_slots` buffers of `slot_bytes` in shared memory that no file system knows; it can be sent to a new process.

    /dev/shm would do, but containers often have 64 MB of it.
    """

    def __init__(self, num_slots: int, slot_bytes: int) -> None:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("catlip-batches")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, num_slots * slot_bytes)
        self._map(descriptor, slot_bytes)

    def slot(self, number: int) -> np.ndarray:
        """uint8 array of a whole slot."""
        return np.frombuffer(self._memory, np.uint8, self._slot_bytes, number * self._slot_bytes)

    def __getstate__(self) -> dict[str, Any]:
        return {"descriptor": DupFd(self._descriptor), "slot_bytes": self._slot_bytes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._map(state["descriptor"].detach(), state["slot_bytes"])

    def _map(self, descriptor: int, slot_bytes: int) -> None:
        self._descriptor, self._slot_bytes = descriptor, slot_bytes
        self._memory = mmap.mmap(descriptor, 0)  # stays as long as an array shows into it

    def close(self) -> None:
        """Let the memory go, once no array shows into it."""
        os.close(self._descriptor)


def pooled(reader: StepReader, steps: range, *, num_workers: int) -> Generator[Batch, None, None]:
    """The batches of `steps`, in order; one is valid until the next is asked for.

    Raises the CatlipError that a worker met, and one that says so if a worker died.
    """
    ring = Ring(_NUM_SLOTS, reader.most_bytes())
    started = [_start(reader, ring, number, num_workers) for number in range(num_workers)]
    try:
        ahead = iter(steps)
        waiting: deque[tuple[int, int]] = deque()
        free = deque(range(_NUM_SLOTS))
        while True:
            while free and (step := next(ahead, None)) is not None:
                waiting.append((step, free.popleft()))
                for _, pipe in started:
                    _tell(pipe, waiting[-1])
            if not waiting:
                return
            step, slot = waiting.popleft()
            pieces = [_receive(process, pipe) for process, pipe in started]
            yield Batch.of(reader.room(step, ring.slot(slot)), pieces)
            free.append(slot)
    finally:
        for process, pipe in started:
            pipe.close()
            process.join(_JOIN_SECONDS)
            if process.exitcode is None:
                process.kill()
        ring.close()


def _start(reader: StepReader, ring: Ring, number: int, num_workers: int) -> tuple[Any, Connection]:
    context = workers.context(*(["open_clip"] if reader.tokenizer else []))
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(reader, ring, theirs, number, num_workers), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _tell(pipe: Connection, task: tuple[int, int]) -> None:
    with contextlib.suppress(ConnectionError):  # it died; who waits for its answer will say so
        pipe.send(task)


def _receive(process: Any, pipe: Connection) -> Piece:  # noqa: ANN401  (a process of whatever context)
    try:
        answer = pipe.recv()
    except (EOFError, ConnectionError) as error:
        process.join(_JOIN_SECONDS)
        raise CatlipError(
            f"A loader process died (exit code {process.exitcode}); -9 often means that memory ran out. "
            "Run the same command to go on from the last checkpoint, with fewer: --set data.num_workers=N."
        ) from error
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, Piece)
    return answer


def _work(reader: StepReader, ring: Ring, pipe: Connection, number: int, num_workers: int) -> None:
    """A worker: answer each (step, slot) with the piece that was written there, or the error that it met."""
    workers.settle()
    while True:
        try:
            step, slot = pipe.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer: Piece | Exception = reader.read(step, reader.room(step, ring.slot(slot)), number, num_workers)
        except Exception as error:  # goes to the main process as it is
            error.add_note("".join(traceback.format_exception(error)))
            answer = error
        try:
            pipe.send(answer)
        except ConnectionError:
            return
