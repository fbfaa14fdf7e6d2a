"""A WebDataset: tars whose samples are a picture and a `.cls` file with the number or name of its class."""

import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from labelshards import storage
from labelshards.errors import CatlipError
from labelshards.images import ImageFile, ImageReader, ImageRef, member_key
from labelshards.tars import TAR_ENCODING, TAR_ERRORS, BoundedMember, members
from trainer.probes.data.folder import SUFFIXES, identity
from trainer.probes.data.split import NO_LABEL, Split, number_classes

_MOST_LABEL_BYTES = 1 << 10


class _Place(msgspec.Struct, frozen=True):
    key: str
    ref: ImageRef


@dataclass(frozen=True, kw_only=True)
class TarPictures:
    """Members of tars, read at their offsets."""

    files: tuple[ImageFile, ...]
    places: tuple[_Place, ...]

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def digest(self) -> str:
        """Identity of the pictures: that of the tars, and where the pictures lie in them."""
        files = (identity(Path(file.uri).resolve()) for file in self.files)
        places = (f"{place.ref.file} {place.ref.offset} {place.ref.size}" for place in self.places)
        return storage.digest("\n".join([*files, *places]).encode())

    def read(self, number: int) -> bytes:
        """A member's bytes; its header is checked."""
        place = self.places[number]
        return self._reader.read(self.files[place.ref.file], place.ref, place.key)

    @cached_property
    def _reader(self) -> ImageReader:
        return ImageReader()


def open_tars(tars: Sequence[Path]) -> Split:
    """Read the tars' headers and `.cls` members. skipped: pictures without a label, labels without a picture."""
    files = tuple(ImageFile(uri=str(tar.absolute()), bytes=tar.stat().st_size) for tar in tars)
    places, names = [], []
    skipped: Counter[str] = Counter()
    for number, tar in enumerate(tars):
        for key, label, where in _samples(tar):
            if label is None or where is None:
                skipped[NO_LABEL if label is None else "no picture"] += 1
                continue
            places.append(_Place(key, ImageRef(number, *where)))
            names.append(label)
    classes = number_classes(names)
    ids = {name: class_id for class_id, name in enumerate(classes)}
    pictures = TarPictures(files=files, places=tuple(places))
    return Split.of_one(pictures, classes, np.array([ids[name] for name in names], np.int64), skipped)


def _samples(tar: Path) -> Iterator[tuple[str, str | None, tuple[int, int] | None]]:
    """(key, label, offset and size of the picture) of each sample: neighbouring members with the same key."""
    key: str | None = None
    label: str | None = None
    where: tuple[int, int] | None = None
    num_bytes = tar.stat().st_size
    try:
        with tarfile.open(tar, "r:", encoding=TAR_ENCODING, errors=TAR_ERRORS, tarinfo=BoundedMember) as archive:
            for member in members(archive, num_bytes):
                named = member_key(member.name) if member.isfile() else None
                if named is None:
                    continue
                if named[0] != key:
                    if label is not None or where is not None:
                        yield str(key), label, where
                    key, label, where = named[0], None, None
                if named[1] == "cls":
                    content = archive.extractfile(member)
                    assert content is not None, "is a file"
                    label = content.read(_MOST_LABEL_BYTES).decode(errors="replace").strip() or None
                elif where is None and f".{named[1].rsplit('.', 1)[-1]}" in SUFFIXES:
                    where = member.offset_data, member.size
    except (tarfile.TarError, EOFError) as error:
        raise CatlipError(f"{tar} is not a whole tar: {error}.") from error
    if label is not None or where is not None:
        yield str(key), label, where
