"""A table of features on disk that is filled bit by bit and knows how far it is.

NAME.npy holds float16 [N, D], NAME.status.npy int8 [N]: 0 where nothing is yet, DONE, or more where there
never will be.
Rows are written before their status, so whatever ends the process, what has a status is right.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from labelshards.errors import CatlipError
from labelshards.flock import locked

DONE = 1
_CANNOT_RESERVE = (errno.EINVAL, errno.EOPNOTSUPP)


class FeatureTable:
    """N rows in two files. Made with the first rows that are written, as the width is known only then."""

    def __init__(self, path: Path, num_rows: int, status_N: np.ndarray | None) -> None:
        self._path = path
        self._num_rows = num_rows
        self._status_N = status_N
        self._features_ND: np.ndarray | None = None

    @classmethod
    def open(cls, name: Path, num_rows: int) -> "FeatureTable":
        """The table called `name`; one whose files are not whole begins anew."""
        try:
            # For reading: mapped for writing, a file shorter than its header says would grow to it.
            status_N = np.load(_status_file(name), mmap_mode="r")
            features_ND = np.load(_features_file(name), mmap_mode="r")
        except Exception:  # headers of NumPy's files are Python, and raise as a parser of it does
            return cls(name, num_rows, None)
        whole = (
            (status_N.dtype, status_N.shape) == (np.int8, (num_rows,))
            and (features_ND.dtype, features_ND.ndim) == (np.float16, 2)
            and len(features_ND) == num_rows
        )
        return cls(name, num_rows, np.load(_status_file(name), mmap_mode="r+") if whole else None)

    @property
    def num_done(self) -> int:
        """How many rows from the first one on have a status."""
        if self._status_N is None:
            return 0
        todo = np.flatnonzero(np.asarray(self._status_N) == 0)
        return int(todo[0]) if len(todo) else self._num_rows

    @property
    def is_complete(self) -> bool:
        """True if all rows have a status."""
        return self.num_done == self._num_rows

    def write(self, start: int, features_BD: np.ndarray, status_B: np.ndarray) -> None:
        """Rows from `start` on: float16 [B, D], and int8 [B] what each is from now on."""
        if self._status_N is None or self._features_ND is None:
            self._features_ND, self._status_N = self._writable(features_BD.shape[1])
        self._features_ND[start : start + len(features_BD)] = features_BD
        self._status_N[start : start + len(features_BD)] = status_B

    def close(self) -> None:
        """Bring what was written to the disk, rows before their status."""
        for array in (self._features_ND, self._status_N):
            if isinstance(array, np.memmap):
                array.flush()
        self._features_ND = None

    def status(self) -> np.ndarray:
        """int8 [N]."""
        return np.array(np.load(_status_file(self._path)))

    def features(self) -> np.ndarray:
        """float16 [N, D], mapped from its file; rows that are not DONE mean nothing."""
        mapped: np.ndarray = np.load(_features_file(self._path), mmap_mode="r")
        return mapped

    def _writable(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        if self._status_N is not None:
            return np.load(_features_file(self._path), mmap_mode="r+"), self._status_N
        _status_file(self._path).unlink(missing_ok=True)  # an old one must not vouch for the new rows
        features_ND = _new(_features_file(self._path), np.float16, (self._num_rows, width))
        return features_ND, _new(_status_file(self._path), np.int8, (self._num_rows,))


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Be the only one that fills these tables. Raises CatlipError if another process does."""
    with locked(path, f"Another catlip probe computes the same features in {path.parent}. Wait for it."):
        yield


def _new(file: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.ndarray:
    """A file of zeros, mapped. Raises CatlipError if there is no room for all of it."""
    try:
        array: np.ndarray = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape)
        with file.open("r+b") as opened:
            _reserve(opened.fileno(), file.stat().st_size)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise CatlipError(
            f"{file} cannot be written: {error.strerror}. Make room there, or choose another --out; then the same "
            "command goes on."
        ) from error
    return array


def _reserve(descriptor: int, num_bytes: int) -> None:
    """Claim the blocks of a file now: a disk that is full when a page is written ends the process without a word."""
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    try:
        os.posix_fallocate(descriptor, 0, num_bytes)
    except OSError as error:
        if error.errno not in _CANNOT_RESERVE:
            raise


def _features_file(name: Path) -> Path:
    return name.with_name(f"{name.name}.npy")


def _status_file(name: Path) -> Path:
    return name.with_name(f"{name.name}.status.npy")
