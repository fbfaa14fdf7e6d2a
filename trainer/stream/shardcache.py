"""Remote tars as local files: fetched as a whole, kept within bounds, shared by all processes of a machine."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from labelshards import storage
from labelshards.images import other_size

_SUFFIX = ".shard"


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
                    self._make_room(num_bytes)
                fs, remote = storage.filesystem(uri)
                with storage.whole_file(path) as temporary, storage.told(uri):
                    fs.get_file(remote, str(temporary))
                    if (found := temporary.stat().st_size) != num_bytes:
                        raise other_size(uri, found, num_bytes)
            now = time.time()
            with contextlib.suppress(FileNotFoundError):  # it may leave at any moment
                os.utime(path, (now, now))  # when it was last asked for; many systems note no time of reading
        return path

    def _make_room(self, num_bytes: int) -> None:
        found = [(path, path.stat()) for path in self._folder.glob(f"*{_SUFFIX}")]
        total = sum(stat.st_size for _, stat in found) + num_bytes
        for path, stat in sorted(found, key=lambda each: each[1].st_mtime):
            if total <= self.max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= stat.st_size


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    # Lock files stay: were one deleted, two processes could hold locks of one name.
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
