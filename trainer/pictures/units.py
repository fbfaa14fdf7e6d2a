"""Files with pictures → units of work that keep their names from run to run, and the pictures in each."""

import re
import tarfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import PurePath
from typing import NamedTuple

from labelshards import storage
from labelshards.images import ImageFile, ImageReader, ImageRef, member_key
from labelshards.labelset import LabelSet, shard_file
from labelshards.shards import image_rows
from labelshards.tars import TAR_BLOCK_BYTES, TAR_ENCODING, TAR_ERRORS, BoundedMember, members
from trainer.pictures.finding import Source
from trainer.probes.data.folder import SUFFIXES

PICTURES_PER_PART = 2048  # after an interruption no more than these are computed again
TWICE = "same key again"
_NAME_CHARACTERS = 60


class Place(NamedTuple):
    """Where a picture lies. source: its tar, or its folder; (source, key) names it, also when its `file` has moved.

    problem: why it is not read.
    """

    source: str
    key: str
    file: ImageFile
    ref: ImageRef
    problem: str | None = None
    data: bytes | None = None


class Listing(NamedTuple):
    """The pictures of a unit. damage: why there may be more of them that nobody finds."""

    places: list[Place]
    damage: str | None = None


class Unit:
    """A tar, a label shard, or at most PICTURES_PER_PART loose pictures of one folder.

    moved: prefixes of URIs in a label set, and where the files lie now.
    """

    def __init__(self, sources: Sequence[Source], moved: dict[str, str]) -> None:
        self.sources = tuple(sources)
        self._moved = moved

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(source.size for source in self.sources)

    @property
    def name(self) -> str:
        """For people: the name of the tar or the label shard, or the folder's."""
        first = self.sources[0]
        name = PurePath(first.uri).stem if first.folder is None else PurePath(first.folder).name
        return re.sub(r"[^\w.-]+", "_", name)[:_NAME_CHARACTERS] or "pictures"

    @cached_property
    def identity(self) -> str:
        """Digest of names, sizes and times of change."""
        lines = (f"{source.uri}\n{source.folder}\n{source.size}\n{source.stamp}" for source in self.sources)
        return storage.digest("\n".join(lines).encode())

    def list(self) -> Listing:
        """The pictures, in order. Of a tar only headers are read; one that breaks off has those before the break.

        Raises LabelSetError if the tars of a label set are not there or changed: rows without a result would stay when
        they are back.
        """
        first = self.sources[0]
        if first.label_set is not None:
            return Listing(_in_label_shard(LabelSet.open(first.label_set), first.uri, self._moved))
        return _in_tar(first) if first.folder is None else Listing([*map(_loose, self.sources)])


def cut(sources: Sequence[Source], moved: dict[str, str]) -> list[Unit]:
    """Units in the order of their files. moved: as in `Unit`."""
    units = []
    for folder, group in groupby(sources, key=lambda source: source.folder):
        files = list(group)
        size = 1 if folder is None else PICTURES_PER_PART
        units += [Unit(files[start : start + size], moved) for start in range(0, len(files), size)]
    return units


def _loose(source: Source) -> Place:
    file = ImageFile(uri=source.uri, bytes=source.size)
    return Place(str(source.folder), source.key, file, ImageRef(0, 0, source.size), data=source.data)


def _in_label_shard(label_set: LabelSet, uri: str, moved: dict[str, str]) -> list[Place]:
    """The pictures of its samples, named as if their files had been: by (tar, key), or (folder, path in it)."""
    names = [storage.join(label_set.root, shard_file(entry)) for entry in label_set.manifest.shards]
    shard = label_set.read_shard(names.index(uri))
    reader = ImageReader(moved=moved)
    # Of pictures that are files one is looked at: there may be a million.
    for file in [file for file in shard.image_files if file.is_tar] or shard.image_files[:1]:
        reader.check_size(file)
    reader.close()
    located = [reader.located(file) for file in shard.image_files]
    places = []
    for row in image_rows(shard).tolist():
        found = shard.image(row)
        assert found is not None, "a row with an image"
        file, ref = found
        folder, _, name = file.uri.rpartition("/")
        source, key = (file.uri, shard.keys[row].as_py()) if file.is_tar else (folder, name)
        places.append(Place(source, key, located[ref.file], ref))
    return places


def _in_tar(source: Source) -> Listing:
    """Of several pictures with one key the first counts, as in label sets; the others have a problem."""
    file = ImageFile(uri=source.uri, bytes=source.size)
    places: list[Place] = []
    seen: set[str] = set()
    damage = None
    try:
        for key, offset, size in _members(source):
            places.append(Place(source.uri, key, file, ImageRef(0, offset, size), TWICE if key in seen else None))
            seen.add(key)
    except (tarfile.TarError, EOFError) as error:
        damage = f"not a whole tar: {error}" if source.size else "empty (0 bytes)"
    except OSError as error:
        damage = f"cannot be read: {error.strerror or error}"
    return Listing(places, damage)


def _members(source: Source) -> Iterator[tuple[str, int, int]]:
    """(key, offset, size) of the pictures. Raises TarError where the tar breaks off."""
    with (
        storage.opened(source.uri) as file,
        tarfile.open(
            fileobj=file, mode="r:", encoding=TAR_ENCODING, errors=TAR_ERRORS, tarinfo=BoundedMember
        ) as archive,
    ):
        for member in members(archive, source.size):
            named = member_key(member.name) if member.isfile() else None
            if named and f".{named[1].rpartition('.')[2]}" in SUFFIXES:
                yield named[0], member.offset_data, member.size
        file.seek(archive.offset)  # tarfile takes any block that is no header for the end
        if file.read(TAR_BLOCK_BYTES) != bytes(TAR_BLOCK_BYTES):
            raise tarfile.ReadError("no end mark stands where it should")
