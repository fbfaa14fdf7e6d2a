"""Where a sample's image lies, and how to fetch its bytes from there without trusting that nothing moved."""

import os
import tarfile
from collections import OrderedDict
from typing import Any

import msgspec

from labelshards import storage
from labelshards.errors import LabelSetError

TAR_BLOCK_BYTES = 512
_USTAR_NAME_BYTES = 100


class ImageFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that holds images: a tar, or a picture of its own. `bytes` is its size when the labels were made."""

    uri: str
    bytes: int

    @property
    def is_tar(self) -> bool:
        """True if images are members of it, each behind a header of 512 bytes."""
        return self.uri.endswith(".tar")


class ImageRef(msgspec.Struct, frozen=True):
    """Bytes `offset` … `offset + size` of image file number `file` (counted within the label shard)."""

    file: int
    offset: int
    size: int


def member_key(name: str) -> tuple[str, str]:
    """A tar member's name → (key, suffix), as WebDataset cuts it: at the first dot of the last path component."""
    folder, _, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem), suffix.lower()


class ImageReader:
    """Random access to the images of one label set; one instance per process (it holds open files, at most `max_open`).

    `moved` maps prefixes of URIs to where the files lie now.
    """

    def __init__(self, *, max_open: int = 64, moved: dict[str, str] | None = None) -> None:
        self._max_open = max_open
        self._moved = moved or {}
        self._open: OrderedDict[str, int] = OrderedDict()

    def read(self, image_file: ImageFile, ref: ImageRef, key: str) -> bytes:
        """The image's bytes.

        Raises LabelSetError if the file is gone or has another size than when the labels were made, or if the tar
        member in front of these bytes is not sample `key` with this size: never a wrong image.
        """
        uri = self._locate(image_file.uri)
        header = TAR_BLOCK_BYTES if image_file.is_tar else 0
        data = self._read_range(uri, image_file, ref.offset - header, ref.size + header)
        if len(data) != ref.size + header:
            raise LabelSetError(f"{uri} ends before the image of {key!r}. {_REBUILD}")
        if header:
            self._check_member(data[:TAR_BLOCK_BYTES], uri, ref, key)
        return data[header:]

    def close(self) -> None:
        """Close all files. The reader stays usable."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _locate(self, uri: str) -> str:
        for old, new in self._moved.items():
            if uri.startswith(old):
                return new + uri[len(old) :]
        return uri

    def _read_range(self, uri: str, image_file: ImageFile, start: int, size: int) -> bytes:
        try:
            if storage.is_local(uri):
                return os.pread(self._descriptor(uri, image_file), size, start)
            fs, path = storage.filesystem(uri)
            data: bytes = fs.cat_file(path, start=start, end=start + size)
            return data
        except FileNotFoundError as error:
            raise LabelSetError(f"{uri} is gone. Put it back, or say where it is with --moved OLD=NEW.") from error
        except OSError as error:
            raise LabelSetError(f"{uri} cannot be read: {error.strerror or error}.") from error

    def _descriptor(self, uri: str, image_file: ImageFile) -> int:
        if uri in self._open:
            self._open.move_to_end(uri)
            return self._open[uri]
        descriptor = os.open(storage.filesystem(uri)[1], os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        found = os.fstat(descriptor).st_size
        if found != image_file.bytes:
            os.close(descriptor)
            raise LabelSetError(
                f"{uri} has {found:,} bytes, and had {image_file.bytes:,} when the labels were made. {_REBUILD}"
            )
        if len(self._open) >= self._max_open:
            os.close(self._open.popitem(last=False)[1])
        self._open[uri] = descriptor
        return descriptor

    @staticmethod
    def _check_member(header: bytes, uri: str, ref: ImageRef, key: str) -> None:
        try:
            member: Any = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise LabelSetError(
                f"{uri} has no tar member where the image of {key!r} should be: it changed. {_REBUILD}"
            ) from error
        stem = member_key(member.name)[0]
        # A name too long for the plain header is cut there; the whole one stands in an extended header further up.
        same_name = stem == key or (
            len(header[:_USTAR_NAME_BYTES].rstrip(b"\0")) == _USTAR_NAME_BYTES and key.startswith(stem)
        )
        if not same_name or member.size != ref.size:
            raise LabelSetError(
                f"{uri} holds {member.name!r} ({member.size:,} bytes) where the image of {key!r} "
                f"({ref.size:,} bytes) should be: it changed. {_REBUILD}"
            )


_REBUILD = "Run `catlip labels build` on it again."
