"""Remote tars as local files: fetched as a whole, kept within bounds, shared by all processes of a machine."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelshards import storage
from labelshards.errors import LabelSetError
from labelshards.images import other_size

_SUFFIX = ".shard"
_STAMPS = ("ETag", "etag", "md5Hash", "mtime", "created")


class ShardCache:
    """A folder of at most `max_bytes` of tars, the least recently opened leaving first.

    One that is larger is alone in it. A file that a process has open stays readable when it leaves.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._folder = folder

    def local(self, uri: str, num_bytes: int) -> Path:
        """Where the bytes of `uri` lie on this machine; fetches them first if need be, once for all processes.

        Raises the OSErrors of its file system, naming the URI, and LabelSetError if it has another size.
        """
        name = storage.digest(f"{num_bytes} {uri}".encode())
        path = self._folder / f"{name}{_SUFFIX}"
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder / f"{name}.lock"):
            if not path.exists():
                with _locked(self._folder / "room.lock"):
                    self._clear(name)
                    self._make_room(num_bytes)
                with storage.whole_file(path) as temporary:
                    _fetch(uri, temporary, num_bytes)
            now = time.time()
            with contextlib.suppress(FileNotFoundError):  # it may leave at any moment
                os.utime(path, (now, now))
        return path

    def _make_room(self, num_bytes: int) -> None:
        found = [(path, path.stat()) for path in self._folder.glob(f"*{_SUFFIX}")]
        total = sum(stat.st_size for _, stat in found) + num_bytes
        now = time.time()
        # What was opened "tomorrow" was so before a clock was set back: it leaves first, or it would stay for a day.
        for path, stat in sorted(found, key=lambda each: (each[1].st_mtime <= now, each[1].st_mtime)):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size

    def _clear(self, mine: str) -> None:
        """Delete what killed processes had fetched half: nobody has the lock of such a file, or we have it (`mine`)."""
        for half in self._folder.glob(f"*{_SUFFIX}.*"):
            name = half.name.partition(".")[0]
            with contextlib.suppress(BlockingIOError), (self._folder / f"{name}.lock").open("w") as lock:
                if name != mine:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                half.unlink(missing_ok=True)


def _fetch(uri: str, to: Path, num_bytes: int) -> None:
    """Raises LabelSetError if the file has not `num_bytes`, or becomes another one while it is fetched.

    Its parts come one by one; of two files of one size, as a store may be given them, there would be some of each.
    """
    fs, path = storage.filesystem(uri)
    with storage.told(uri):
        before = _version(fs, path)
        fs.get_file(path, str(to))
        if (found := to.stat().st_size) != num_bytes:
            raise other_size(uri, found, num_bytes)
        if _version(fs, path) != before:
            raise LabelSetError(f"{uri} changed while it was fetched. Run the same command again when it is whole.")


def _version(fs: Any, path: str) -> object:  # noqa: ANN401
    """What a store says of the content of a file now, where it says anything."""
    fs.invalidate_cache(path)
    found = fs.info(path)
    return next((found[name] for name in _STAMPS if found.get(name)), None)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
