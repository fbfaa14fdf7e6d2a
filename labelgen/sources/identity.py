"""Whether an input file is still the one that was read before."""

from labelgen.sources.sample import SourceError
from labelshards import storage


def identity_and_size(uri: str) -> tuple[str, int]:
    """(identity, bytes) of a file: size with modification time, or with the tag that a remote store gives.

    Raises SourceError if the file is not there.
    """
    fs, path = storage.filesystem(uri)
    try:
        info = fs.info(path)
    except OSError as error:
        raise SourceError(f"{uri} cannot be read: {error.strerror or error}.") from error
    size = int(info["size"] or 0)
    stamp = next((info[name] for name in ("ETag", "etag", "md5", "mtime", "LastModified") if info.get(name)), "")
    return f"{size}:{stamp}", size
