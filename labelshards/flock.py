"""The kernel's lock on a file: one process has it, and loses it when it ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labelshards.errors import CatlipError


@contextmanager
def awaited(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, which is made if need be, as soon as no other process has it."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Hold the lock file `path`, which is made if need be. Raises CatlipError(`taken`) if another process has it."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CatlipError(taken) from error
        # Who had it may have put it away, with the folder that it stands for, between our opening and our locking it.
        if not path.exists() or os.fstat(file.fileno()).st_ino != path.stat().st_ino:
            raise CatlipError(taken)
        yield
