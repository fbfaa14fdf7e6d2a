"""Bytes in and out of any fsspec URI. A file is either wholly there or not there at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import xxhash
from fsspec.implementations.local import LocalFileSystem

_TEMPORARY_MARK = ".partial-"


def filesystem(uri: str) -> tuple[Any, str]:
    """The fsspec filesystem that serves `uri`, and the path inside it."""
    fs, path = fsspec.core.url_to_fs(uri)
    return fs, str(path)


def is_local(uri: str) -> bool:
    """True if `uri` is a path of this machine (with or without `file://`)."""
    return isinstance(filesystem(uri)[0], LocalFileSystem)


def absolute(uri: str) -> str:
    """`uri` so that it means the same from every working directory: local paths absolute, the rest as given."""
    fs, path = filesystem(uri)
    return os.path.abspath(path) if isinstance(fs, LocalFileSystem) else uri  # noqa: PTH100  (no symlink is resolved)


def join(base: str, *parts: str) -> str:
    """`base` and `parts` with single slashes between them."""
    return "/".join([base.rstrip("/"), *parts])


def read_bytes(uri: str) -> bytes:
    """All bytes of `uri`. Raises FileNotFoundError and the other OSErrors of its filesystem."""
    fs, path = filesystem(uri)
    data: bytes = fs.cat_file(path)
    return data


def write_bytes(uri: str, data: bytes) -> None:
    """Make `data` the content of `uri` in one visible step: temporary file and rename, or one remote put."""
    fs, path = filesystem(uri)
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(path, data)
        return
    with whole_file(Path(path)) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A temporary path beside the local `target`: what the body wrote there is `target` once the body ended well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}{_TEMPORARY_MARK}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(target)  # "No space left on device" alone does not say where
        raise


def exists(uri: str) -> bool:
    """True if something readable stands at `uri`."""
    fs, path = filesystem(uri)
    return bool(fs.exists(path))


def remove(uri: str) -> None:
    """Delete the file or folder at `uri`; nothing happens if it is not there."""
    fs, path = filesystem(uri)
    if fs.exists(path):
        fs.rm(path, recursive=True)


def list_files(uri: str) -> list[str]:
    """Names (not paths) of the finished files in the folder `uri`, sorted; empty if there is no such folder."""
    fs, path = filesystem(uri)
    if not fs.isdir(path):
        return []
    names = [str(entry["name"]).rsplit("/", 1)[-1] for entry in fs.ls(path, detail=True) if entry["type"] == "file"]
    return sorted(name for name in names if _TEMPORARY_MARK not in name)


def remove_leftovers(uri: str) -> None:
    """Delete what killed writers left half-written in the local folder `uri`. The caller holds the folder's lock."""
    fs, path = filesystem(uri)
    if isinstance(fs, LocalFileSystem) and fs.isdir(path):
        for leftover in Path(path).glob(f"*{_TEMPORARY_MARK}*"):
            leftover.unlink(missing_ok=True)


def digest(data: bytes) -> str:
    """xxh3_64 of `data`, 16 hexadecimal digits: the hash of every file in a label set."""
    return xxhash.xxh3_64_hexdigest(data)
