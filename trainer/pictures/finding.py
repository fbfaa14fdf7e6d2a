"""What a person types → the files that hold pictures: pictures, folders, tars, label sets, globs, ranges, or a list
on stdin."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from fsspec.implementations.local import LocalFileSystem

from labelshards import schema, storage
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet, shard_file
from trainer.probes.data.folder import SUFFIXES

STDIN = "-"
_TAR = ".tar"
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_KINDS = f"pictures ({', '.join(sorted(SUFFIXES))}), tars, folders of them, label sets"


class Source(NamedTuple):
    """A file that is there, of `size` bytes. folder: of a loose picture, what its key is relative to; else None.

    stamp: its time of change, or the store's tag. data: a picture that came through stdin. label_set: the folder of the
    label set, if it is a label shard.
    """

    uri: str
    size: int
    stamp: str
    folder: str | None
    data: bytes | None = None
    label_set: str | None = None

    @property
    def key(self) -> str:
        """A loose picture's path below `folder`."""
        return self.uri if self.folder is None else self.uri.removeprefix(f"{self.folder.rstrip('/')}/")


class Found(NamedTuple):
    """Files in the order in which they were named, each once; repeated: how often one was named again."""

    sources: list[Source]
    repeated: int


def find(words: Sequence[str], read_stdin: Callable[[], bytes]) -> Found:
    """The files that `words` name. Folders are searched to their depths, hidden files left out.

    `-` stands for what stdin brings: names, one a line (or parted by NUL, as `find -print0` does), or the bytes of one
    picture. Files that such a list names, and that are gone, count as pictures that cannot be opened. Raises
    CatlipError if a word names nothing, or all of them no picture.
    """
    every = [source for word in words for source in (_from_stdin(read_stdin()) if word == STDIN else _named(word))]
    unique = {source.uri: source for source in every}
    if not unique:
        raise CatlipError(f"No picture in {', '.join(words)}. What is looked for: {_KINDS}.")
    return Found(list(unique.values()), len(every) - len(unique))


def _from_stdin(data: bytes) -> Iterator[Source]:
    try:
        text = data.decode()
    except UnicodeDecodeError:  # no encoded picture is text
        yield Source(STDIN, len(data), storage.digest(data), STDIN, data)
        return
    for line in text.split("\0") if "\0" in text else text.splitlines():
        if name := line.strip():
            try:
                yield from _named(name)
            except CatlipError:
                uri = storage.absolute(name)
                yield Source(uri, 0, "", uri.rpartition("/")[0])


def _named(word: str) -> Iterator[Source]:
    for pattern in _ranges(word):
        fs, path = storage.filesystem(pattern)
        with storage.told(pattern):
            if fs.isdir(path) and fs.exists(storage.join(path, schema.MANIFEST_NAME)):
                yield from _in_label_set(pattern)
            elif fs.isdir(path):
                yield from _in_folder(fs, path)
            elif fs.exists(path):
                yield _source(fs, fs.info(path), None)
            elif any(mark in path for mark in "*?["):  # only now: a file's own name may have such marks
                yield from _matching(fs, path, pattern)
            else:
                raise CatlipError(f"{pattern} does not exist. Give {_KINDS}, globs, or - for a list on stdin.")


def _in_label_set(root: str) -> Iterator[Source]:
    root = storage.absolute(root)
    for entry in LabelSet.open(root).manifest.shards:
        if entry.images:
            uri = storage.join(root, shard_file(entry))
            yield Source(uri, entry.bytes, entry.xxh3_64, None, label_set=root)


def _in_folder(fs: Any, folder: str) -> Iterator[Source]:  # noqa: ANN401
    root = _uri(fs, folder)
    for name, info in sorted(fs.find(folder, detail=True).items()):
        below = PurePath(name).relative_to(PurePath(folder))
        if _holds_pictures(name) and not any(part.startswith(".") for part in below.parts):
            yield _source(fs, info, root)


def _matching(fs: Any, path: str, pattern: str) -> Iterator[Source]:  # noqa: ANN401
    matches = sorted(fs.glob(path, detail=True).items())
    if not matches:
        raise CatlipError(f"No file matches {pattern}. Give files that are there, or patterns that match some.")
    for name, info in matches:
        if PurePath(name).name.startswith("."):
            continue
        if info["type"] == "directory":
            yield from _in_folder(fs, name)
        elif _holds_pictures(name):
            yield _source(fs, info, None)


def _source(fs: Any, info: dict[str, Any], folder: str | None) -> Source:  # noqa: ANN401
    uri = _uri(fs, info["name"])
    is_tar = uri.lower().endswith(_TAR)
    return Source(uri, int(info["size"]), storage.stamp(info), None if is_tar else folder or uri.rpartition("/")[0])


def _uri(fs: Any, path: str) -> str:  # noqa: ANN401
    return storage.absolute(path) if isinstance(fs, LocalFileSystem) else str(fs.unstrip_protocol(path))


def _holds_pictures(name: str) -> bool:
    return PurePath(name).suffix.lower() in SUFFIXES | {_TAR}


def _ranges(word: str) -> Iterable[str]:
    """`{00..02}.tar` → `00.tar`, `01.tar`, `02.tar`; numbers keep their width."""
    found = _RANGE.search(word)
    if found is None:
        yield word
        return
    first, last = found[1], found[2]
    for number in range(int(first), int(last) + 1):
        yield from _ranges(word[: found.start()] + str(number).zfill(len(first)) + word[found.end() :])
