"""Remote tars as local files: fetched as a whole, kept within bounds, shared by all processes of a machine."""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from labelshards import storage
from labelshards.errors import LabelSetError
from labelshards.flock import awaited
from labelshards.images import other_size

_SUFFIX = ".shard"
_BLOCK_BYTES = 16 << 20
_BLOCKS_AT_ONCE = 8  # in memory, and asked of the store together


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
        with awaited(self._folder / f"{name}.lock"):
            if not path.exists():
                with storage.whole_file(path) as temporary:
                    with awaited(self._folder / "room.lock"):
                        self._clear(name)
                        self._make_room(num_bytes)
                        with temporary.open("xb") as file:
                            file.truncate(num_bytes)  # its room is taken from now on
                    _fetch(uri, temporary, num_bytes)
            now = time.time()
            with contextlib.suppress(FileNotFoundError):  # it may leave at any moment
                os.utime(path, (now, now))  # when it was last asked for; many systems note no time of reading
        return path

    def _make_room(self, num_bytes: int) -> None:
        there = []
        for path in self._folder.glob(f"*{_SUFFIX}*"):
            with contextlib.suppress(FileNotFoundError):  # one that is whole by now has another name
                there.append((path, path.stat()))
        found = [(path, stat) for path, stat in there if storage.is_finished(path)]
        total = sum(stat.st_size for _, stat in there) + num_bytes
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
    """Copy a file into `to`, which has its size already, block by block.

    Raises LabelSetError if it is not `num_bytes` long, if a block comes short (its place would keep zeros, as with
    fsspec's own `get_file`), or if it is another file at the end.
    """
    fs, path = storage.filesystem(uri)
    with storage.told(uri), to.open("rb+") as file:
        before = _look_at(fs, path)
        if before.size != num_bytes:
            raise other_size(uri, before.size, num_bytes)
        starts = range(0, num_bytes, _BLOCK_BYTES)
        for first in range(0, len(starts), _BLOCKS_AT_ONCE):
            some = starts[first : first + _BLOCKS_AT_ONCE]
            ends = [min(start + _BLOCK_BYTES, num_bytes) for start in some]
            blocks = fs.cat_ranges([path] * len(some), list(some), ends, on_error="raise")
            for start, end, data in zip(some, ends, blocks, strict=True):
                if len(data) != end - start:
                    raise LabelSetError(
                        f"{uri} gave {len(data):,} of {end - start:,} bytes at {start:,}. Run the same command again."
                    )
                file.write(data)
        if _look_at(fs, path) != before:
            raise LabelSetError(f"{uri} changed while it was fetched. Run the same command again when it is whole.")


class _Look(NamedTuple):
    """What a store says of a file: its bytes, and what tells its content, where there is such a thing."""

    size: int
    stamp: str


def _look_at(fs: Any, path: str) -> _Look:  # noqa: ANN401
    fs.invalidate_cache(path)
    found = fs.info(path)
    return _Look(int(found["size"]), storage.stamp(found))
