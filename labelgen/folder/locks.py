"""One build a folder: a second one is refused. Slices of a job array share it with each other, and with no build.

On this machine's file systems the kernel keeps the locks, and frees those of a killed process. Object stores have none,
nor have some cluster file systems; there a lease, a small file that its holder renews, does the same.
"""

import errno
import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from labelgen.folder.lease import awaited, leased
from labelshards import storage
from labelshards.errors import CatlipError

NAME = ".build.lock"
_SECONDS_BETWEEN_TRIES = 1.0
_NOT_SUPPORTED = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}


@contextmanager
def held(out: str, slice_name: str | None = None) -> Iterator[None]:
    """Hold the folder `out` for a build, or for one slice of an array. Raises CatlipError if somebody else has it."""
    with ExitStack() as stack:
        if storage.is_local(out):
            folder = Path(storage.absolute(out))
            folder.mkdir(parents=True, exist_ok=True)
            try:
                if slice_name is None:
                    stack.enter_context(_locked(folder / NAME, out))
                else:
                    stack.enter_context(_locked(folder / NAME, out, shared=True))
                    stack.enter_context(_locked(folder / f".build-slice-{slice_name}.lock", out))
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise
                stack.enter_context(leased(out, slice_name))
        else:
            stack.enter_context(leased(out, slice_name))
        yield


@contextmanager
def turn(out: str, task: str, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a task in the folder `out`, which is held for a slice: what one of them does for all.

    While another one has it, `on_wait` is called again and again. That of a killed process is free.
    """
    with ExitStack() as stack:
        if storage.is_local(out):
            file = stack.enter_context((Path(storage.absolute(out)) / f".build-{task}.lock").open("a+b"))
            try:
                while not _got(file, fcntl.LOCK_EX):
                    on_wait()
                    time.sleep(_SECONDS_BETWEEN_TRIES)
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise
                stack.enter_context(awaited(out, task, on_wait))
        else:
            stack.enter_context(awaited(out, task, on_wait))
        yield


@contextmanager
def _locked(path: Path, out: str, *, shared: bool = False) -> Iterator[None]:
    with path.open("a+b") as file:
        if not _got(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX):
            raise CatlipError(f"Another build is writing to {out}. Wait for it, or choose another --out.")
        yield


def _got(file: BinaryIO, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
