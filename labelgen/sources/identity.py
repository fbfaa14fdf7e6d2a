"""Whether an input file is still the one that was read before."""

import stat
from pathlib import Path

from labelgen.sources.sample import SourceError
from labelshards import storage


def identity_and_size(uri: str) -> tuple[str, int]:
    """(identity, bytes) of a file: size with modification time, or with the tag that a remote store gives.

    ("", 0) where no file can be read, so that planning goes on; `refuse_changed` says what is wrong.
    """
    try:
        return _look_at(uri)
    except SourceError:
        return "", 0


def refuse_changed(uri: str, identity: str) -> None:
    """Raise SourceError unless a file is at `uri`, and the one that `identity` was taken of."""
    if _look_at(uri)[0] != identity:
        raise SourceError(f"{uri} changed while it was read. Run the same build again when it is whole.")


def _look_at(uri: str) -> tuple[str, int]:
    fs, path = storage.filesystem(uri)
    try:
        if storage.is_local(uri):  # not through fsspec, whose versions differ in what they say of links
            status = Path(path).stat()
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{uri} cannot be read: it is no regular file.")
            return f"{status.st_size}:{status.st_mtime_ns}", status.st_size
        info = fs.info(path)
    except OSError as error:
        raise SourceError(f"{uri} cannot be read: {error.strerror or error}.") from error
    size = int(info["size"] or 0)
    stamp = next((info[name] for name in ("ETag", "etag", "md5", "mtime", "LastModified") if info.get(name)), "")
    return f"{size}:{stamp}", size
