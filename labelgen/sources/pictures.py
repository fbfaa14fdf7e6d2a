"""Images as they lie in storage: which names are images, how big one may be, and picture files of their own."""

from pathlib import Path

from labelgen.sources.identity import look_at
from labelgen.sources.sample import Image, Problem, SourceError
from labelgen.sources.uris import below
from labelshards import storage
from labelshards.images import ImageFile

IMAGE_SUFFIXES = frozenset({"jpg", "jpeg", "png", "webp"})
MAX_IMAGE_BYTES = 2**31 - 1  # the label shard counts them in an int32


def size_problem(num_bytes: int) -> Problem | None:
    """Why an image of that size is none; None if it may be one."""
    if num_bytes == 0:
        return Problem.EMPTY_IMAGE
    return Problem.HUGE_IMAGE if num_bytes > MAX_IMAGE_BYTES else None


def whole_file(uri: str, num_bytes: int, problems: list[Problem]) -> Image | None:
    """A picture file as an image, or None, and why in `problems`."""
    if problem := size_problem(num_bytes):
        problems.append(problem)
        return None
    return Image(ImageFile(uri=uri, bytes=num_bytes), 0, num_bytes)


def find(path: str | None, root: str, problems: list[Problem]) -> Image | None:
    """The picture at `path` (relative to the folder `root`, absolute, or a URI), or None, and why in `problems`.

    The web is not asked: a label set needs pictures that stay. Nor are chains of file systems (`zip://a::ftp://b`):
    what stands in a table may come from anybody, and shall make nothing be fetched or unpacked.
    """
    try:
        if not path or "::" in path or path.startswith(("http://", "https://")) or path.lower().endswith(".tar"):
            raise SourceError("no picture file")
        relative = "://" not in path and not Path(path).is_absolute()
        uri = storage.absolute(below(root, path) if relative else path)
        return whole_file(uri, look_at(uri)[1], problems)
    except Exception:  # nothing there, no such protocol, no package for it; or what its file system says to bad names
        problems.append(Problem.MISSING_IMAGE)
        return None
