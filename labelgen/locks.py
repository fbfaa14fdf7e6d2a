"""One build a folder: a second one is refused. Slices of a job array share it with each other, and with no build.

On this machine's file systems the kernel keeps the locks, and frees those of a killed process. Object stores have none,
nor have some cluster file systems; there a lease, a small file that its holder renews, does the same.
"""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from labelgen.lease import leased
from labelshards import storage
from labelshards.errors import CatlipError

NAME = ".build.lock"
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
def _locked(path: Path, out: str, *, shared: bool = False) -> Iterator[None]:
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CatlipError(f"Another build is writing to {out}. Wait for it, or choose another --out.") from error
        yield
