"""Whether an input file is still the one that was read before."""

import os
import stat
from collections.abc import Callable

from labelgen.sources.fields import Fields
from labelgen.sources.sample import Found, InputShard, SourceDamageError, SourceError
from labelshards import storage


def identity_and_size(uri: str) -> tuple[str, int]:
    """(identity, bytes) of a file: size with modification time, or with the tag that a remote store gives.

    ("", 0) where no file can be read, so that planning goes on; `refuse_changed` says what is wrong.
    """
    try:
        return look_at(uri)
    except SourceError:
        return "", 0


def look_at(uri: str) -> tuple[str, int]:
    """(identity, bytes) of a file. Raises SourceError if there is no file that could be read."""
    try:
        # Not through fsspec, whose versions differ in what they say of links; nor a Path: there may be very many files.
        if uri.startswith("/") or storage.is_local(uri):
            status = os.stat(uri if uri.startswith("/") else storage.filesystem(uri)[1])  # noqa: PTH116
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(f"{uri} cannot be read: it is no regular file.")
            return f"{status.st_size}:{status.st_mtime_ns}", status.st_size
        fs, path = storage.filesystem(uri)
        with storage.told(uri):
            info = fs.info(path)
    except OSError as error:
        raise SourceError(f"{uri} cannot be read: {error.strerror or error}.") from error
    size = int(info["size"] or 0)
    return f"{size}:{storage.stamp(info)}", size


def refuse_changed(uri: str, identity: str) -> None:
    """Raise SourceError unless a file is at `uri`, and the one that `identity` was taken of."""
    if not uri.startswith("/") and not storage.is_local(uri):
        fs, path = storage.filesystem(uri)
        fs.invalidate_cache(path)  # what a listing said while planning says nothing of now
    if look_at(uri)[0] != identity:
        raise SourceError(f"{uri} changed while it was read. Run the same build again when it is whole.")


def guarded(read: Callable[[InputShard, Fields], Found]) -> Callable[[InputShard, Fields], Found]:
    """`read`, that raises SourceError if a file of the shard is not what it was while planning, before or after."""

    def check(shard: InputShard) -> None:
        for uri, identity in ((shard.uri, shard.identity), *shard.beside):
            refuse_changed(uri, identity)

    def guarded_read(shard: InputShard, fields: Fields) -> Found:
        check(shard)
        try:
            yield from read(shard, fields)
        except (SourceError, SourceDamageError):  # or a file that is being written, which is another matter
            check(shard)  # a store that was told which version it should be says only that it has it no more
            raise
        check(shard)

    return guarded_read
