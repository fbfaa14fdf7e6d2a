"""Bytes in and out of any fsspec URI. A file is either wholly there or not there at all."""

import contextlib
import datetime
import errno
import io
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import xxhash
from fsspec.implementations.local import LocalFileSystem

from labelshards.errors import CatlipError

_TEMPORARY_MARK = ".partial-"
# A store that is away for two minutes ends no night's work: waits of 1, 2, 4, 8, 16, 20, 20 … seconds, and by chance.
_S3_RETRIES = {"mode": "standard", "max_attempts": 10}
_S3_VARIABLES = ("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE")
# Where exceptions of remote stores come from that are no OSErrors.
_REMOTE_LIBRARIES = frozenset({"aiobotocore", "aiohttp", "botocore", "gcsfs", "google"})
# What stores call the tag of a content, or its time; the last ones are zip's and memory's.
_STAMPS = ("ETag", "etag", "md5Hash", "md5", "mtime", "LastModified", "CRC", "created")
_ERRNO = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    FileExistsError: errno.EEXIST,
    TimeoutError: errno.ETIMEDOUT,
}
_NO_ANSWER = "it did not answer in time"


def filesystem(uri: str) -> tuple[Any, str]:
    """The fsspec filesystem that serves `uri`, and the path inside it. Raises CatlipError if its package is missing.

    Transient errors are the filesystem's to try again; S3's does so for two minutes, unless AWS's own variables or
    fsspec's configuration say otherwise.
    """
    options: dict[str, Any] = {}
    if uri.startswith(("s3://", "s3a://")) and not any(name in os.environ for name in _S3_VARIABLES):
        given = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
        options["config_kwargs"] = {"retries": _S3_RETRIES, **given}
    try:
        fs, path = fsspec.core.url_to_fs(uri, **options)
    except ImportError as error:
        raise CatlipError(f"{uri} needs a package: {error}. For S3: pip install 'catlip[s3]'") from error
    return fs, str(path)


@contextlib.contextmanager
def told(uri: str) -> Iterator[None]:
    """Make whatever goes wrong with a remote store an OSError that says where, as those of this machine do."""
    try:
        yield
    except OSError as error:
        if "://" not in uri or error.filename is not None:
            raise
        number = error.errno or next((code for kind, code in _ERRNO.items() if isinstance(error, kind)), errno.EIO)
        raise OSError(number, error.strerror or str(error) or _NO_ANSWER, uri) from error
    except Exception as error:
        if isinstance(error, IndexError) and isinstance(error.__context__, TimeoutError):  # s3fs, of one without words
            raise OSError(errno.ETIMEDOUT, _NO_ANSWER, uri) from error
        if type(error).__module__.partition(".")[0] not in _REMOTE_LIBRARIES:
            raise
        raise OSError(errno.EIO, str(error), uri) from error


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
    with told(uri):
        data: bytes = fs.cat_file(path)
    return data


@contextlib.contextmanager
def opened(uri: str) -> Iterator[io.BufferedReader]:
    """The file at `uri`, to be read. Raises OSErrors that say where, also out of what is done with it."""
    fs, path = filesystem(uri)
    # fsspec's own files of this machine are Python's with a layer above, which takes as long as a short read.
    local = isinstance(fs, LocalFileSystem)
    with told(uri), Path(path).open("rb") if local else fs.open(path, "rb") as file:
        yield file


def write_bytes(uri: str, data: bytes) -> None:
    """Make `data` the content of `uri` in one visible step: temporary file and rename, or one remote put."""
    fs, path = filesystem(uri)
    if not isinstance(fs, LocalFileSystem):
        with told(uri):
            fs.pipe_file(path, data)
        return
    with whole_file(Path(path)) as temporary:
        temporary.write_bytes(data)


def create_bytes(uri: str, data: bytes) -> bool:
    """`write_bytes`, if nothing stands at `uri`; returns whether that was so.

    Of several that try at once one wins, on stores with conditional writes (S3, GCS) and on this machine.
    """
    fs, path = filesystem(uri)
    try:
        if isinstance(fs, LocalFileSystem):
            with whole_file(Path(path), new=True) as temporary:
                temporary.write_bytes(data)
        else:
            with told(uri):
                fs.pipe_file(path, data, mode="create")
    except FileExistsError:
        return False
    return True


@contextlib.contextmanager
def whole_file(target: Path, *, new: bool = False) -> Iterator[Path]:
    """A temporary path beside the local `target`: what the body wrote there is `target` once the body ended well.

    new: raises FileExistsError if `target` is there by then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # Threads share the number of their process, and another machine may have the same.
    temporary = target.with_name(f"{target.name}{_TEMPORARY_MARK}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # or the new name may outlive a power cut, and its bytes not
        if new:
            _link(temporary, target)
        else:
            temporary.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the first error is the one to be told
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary)):
            error.filename = str(target)  # "No space left on device" alone does not say where
        raise


def _link(temporary: Path, target: Path) -> None:
    """Rename, unless there is such a file: of several that try at once one can. fsspec looks first, and writes then."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without second names: there its bytes come a moment after the file
        with target.open("xb") as file:
            file.write(temporary.read_bytes())
    temporary.unlink()


def unfinished(target: Path) -> Path:
    """The local folder beside `target` in which several processes prepare it; `remove_leftovers` knows it, too."""
    return target.with_name(f"{target.name}{_TEMPORARY_MARK}shared")


def is_finished(path: Path) -> bool:
    """True unless `path` is what some writer has only begun."""
    return _TEMPORARY_MARK not in path.name


def exists(uri: str) -> bool:
    """True if something readable stands at `uri`."""
    fs, path = filesystem(uri)
    with _unremembered(fs, path), told(uri):
        return bool(fs.exists(path))


def is_file(uri: str) -> bool:
    """True if a file, and no folder, stands at `uri`."""
    fs, path = filesystem(uri)
    with _unremembered(fs, path), told(uri):
        return bool(fs.isfile(path))


def stamp(info: Mapping[str, Any]) -> str:
    """What tells the content of a file, or when it was written, in what fsspec says of it; "" if nothing does."""
    return next((str(info[name]) for name in _STAMPS if info.get(name)), "")


def modified(uri: str) -> datetime.datetime:
    """When `uri` was written last, by the clock of what stores it. Raises FileNotFoundError."""
    fs, path = filesystem(uri)
    with _unremembered(fs, path), told(uri):
        found: datetime.datetime = fs.modified(path)
    return found


def remove(uri: str) -> None:
    """Delete the file or folder at `uri`; nothing happens if it is not there."""
    fs, path = filesystem(uri)
    with _unremembered(fs, path), told(uri):
        if fs.exists(path):
            fs.rm(path, recursive=True)


def list_files(uri: str) -> list[str]:
    """Names (not paths) of the finished files in the folder `uri`, sorted; empty if there is no such folder."""
    entries = list_folder(uri)
    names = [str(entry["name"]).rsplit("/", 1)[-1] for entry in entries if entry["type"] == "file"]
    return sorted(name for name in names if _TEMPORARY_MARK not in name)


def list_folder(uri: str) -> list[dict[str, Any]]:
    """What fsspec says of each entry of the folder `uri`: `name` (a path), `type`, `size`. Empty if there is none."""
    fs, path = filesystem(uri)
    with _unremembered(fs, path), told(uri):
        return list(fs.ls(path, detail=True)) if fs.isdir(path) else []


@contextlib.contextmanager
def _unremembered(fs: Any, path: str) -> Iterator[None]:  # noqa: ANN401
    """Neither trust nor leave behind a remembered listing: other processes write here, too."""
    fs.invalidate_cache(path)
    try:
        yield
    finally:
        fs.invalidate_cache(path)


def remove_leftovers(uri: str) -> None:
    """Delete what killed writers left half-written in the local folder `uri`. The caller holds the folder's lock."""
    fs, path = filesystem(uri)
    if isinstance(fs, LocalFileSystem) and fs.isdir(path):
        for leftover in Path(path).glob(f"*{_TEMPORARY_MARK}*"):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink(missing_ok=True)


def digest(data: bytes | memoryview) -> str:
    """xxh3_64 of `data`, 16 hexadecimal digits: the hash of every file in a label set."""
    return xxhash.xxh3_64_hexdigest(data)
