"""Where a sample's image lies, and how to fetch its bytes from there without trusting that nothing moved."""

import contextlib
import io
import os
import re
import tarfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from labelshards import storage
from labelshards.errors import LabelSetError
from labelshards.tars import TAR_BLOCK_BYTES, TAR_ENCODING, TAR_ERRORS, BoundedMember

_NAME_BYTES = 100
# Longer names than the plain header can hold stand in an extended header before it; this is where it is looked for.
_MAX_EXTENSION_BYTES = 16 * TAR_BLOCK_BYTES

_KEY_AND_SUFFIX = re.compile(r"((?:.*/)?[^./]+)\.([^/]*)", re.DOTALL)


class ImageFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that holds images: a tar, or a picture of its own. `bytes` is its size when the labels were made."""

    uri: str
    bytes: int

    @property
    def is_tar(self) -> bool:
        """True if images are members of it, each behind a header of 512 bytes."""
        return self.uri.lower().endswith(".tar")


class ImageRef(msgspec.Struct, frozen=True):
    """Bytes `offset` … `offset + size` of image file number `file` (counted within the label shard)."""

    file: int
    offset: int
    size: int


def member_key(name: str) -> tuple[str, str] | None:
    """A tar member's name → (key, suffix), as WebDataset cuts it: at the first dot of the last path component.

    None for what is no part of a sample: names without a suffix, hidden files, WebDataset's own `__name__` members.
    """
    found = _KEY_AND_SUFFIX.fullmatch(name)
    if found is None or (name.startswith("__") and name.endswith("__")):
        return None
    return found[1], found[2].lower()


class ImageReader:
    """Random access to images wherever they lie. It holds at most `max_open` files open; a copy opens its own.

    `moved` maps prefixes of URIs to where the files lie now. fetch(uri, bytes): gives the path of a local copy of a
    remote file; without it, ranges of it are asked for one by one.
    """

    def __init__(
        self,
        *,
        max_open: int = 64,
        moved: dict[str, str] | None = None,
        fetch: Callable[[str, int], Path] | None = None,
    ) -> None:
        self._max_open = max_open
        self._fetch = fetch
        self._moved = moved or {}
        self._open: OrderedDict[str, int] = OrderedDict()
        weakref.finalize(self, _close, self._open)  # nobody else knows of them

    def __reduce__(self) -> tuple[Callable[[], "ImageReader"], tuple[()]]:
        """Without open files: their numbers mean nothing, or another file, in the process that a copy goes to."""
        return partial(ImageReader, max_open=self._max_open, moved=self._moved, fetch=self._fetch), ()

    def read(self, image_file: ImageFile, ref: ImageRef, key: str) -> bytes:
        """The image's bytes.

        Raises LabelSetError if the file is gone or has another size than when the labels were made, or if the tar
        member in front of these bytes is not sample `key` with this size: never a wrong image.
        """
        uri = self.locate(image_file.uri)
        header = TAR_BLOCK_BYTES if image_file.is_tar else 0
        data = self._read_range(uri, image_file, ref.offset - header, ref.size + header)
        if len(data) != ref.size + header:
            raise LabelSetError(f"{uri} ends before the image of {key!r}. {_REBUILD}")
        if header:
            self._check_member(data[:header], uri, image_file, ref, key)
        return data[header:]

    def check(self, image_file: ImageFile, ref: ImageRef, key: str) -> None:
        """Raise LabelSetError where `read` would; only a tar member's header is read, and of a picture file its end."""
        uri = self.locate(image_file.uri)
        if ref.offset + ref.size > image_file.bytes:
            raise LabelSetError(f"{uri} ends before the image of {key!r}. {_REBUILD}")
        if image_file.is_tar:
            header = self._read_range(uri, image_file, ref.offset - TAR_BLOCK_BYTES, TAR_BLOCK_BYTES)
            self._check_member(header, uri, image_file, ref, key)
        else:
            self.check_size(image_file)

    def check_size(self, image_file: ImageFile) -> None:
        """Raise LabelSetError if the file is gone or has another size than when the labels were made."""
        uri = self.locate(image_file.uri)
        with self._told(uri):
            if storage.is_local(uri):
                self._descriptor(uri, image_file)
                return
            fs, path = storage.filesystem(uri)
            with storage.told(uri):
                found = int(fs.info(path)["size"])
        if found != image_file.bytes:
            raise other_size(uri, found, image_file.bytes)

    def close(self) -> None:
        """Close all files. The reader stays usable."""
        _close(self._open)

    def locate(self, uri: str) -> str:
        """Where a file lies now."""
        for old, new in self._moved.items():
            if uri.startswith(old):
                return new + uri[len(old) :]
        return uri

    def located(self, file: ImageFile) -> ImageFile:
        """The file where it lies now."""
        return ImageFile(uri=self.locate(file.uri), bytes=file.bytes)

    def _read_range(self, uri: str, image_file: ImageFile, start: int, size: int) -> bytes:
        with self._told(uri):
            if uri in self._open or self._fetch or storage.is_local(uri):
                # It has no position, which threads would share.
                return os.pread(self._descriptor(uri, image_file), size, start)
            fs, path = storage.filesystem(uri)
            with storage.told(uri):
                data: bytes = fs.cat_file(path, start=start, end=start + size)
            return data

    @staticmethod
    @contextlib.contextmanager
    def _told(uri: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise LabelSetError(f"{uri} is gone. Put it back, or say where it is with --moved OLD=NEW.") from error
        except OSError as error:
            raise LabelSetError(
                f"{uri} cannot be read: {error.strerror or error}. Mend that, or say where it is with --moved OLD=NEW."
            ) from error

    def _descriptor(self, uri: str, image_file: ImageFile) -> int:
        if uri in self._open:
            self._open.move_to_end(uri)
            return self._open[uri]
        local = storage.is_local(uri) or self._fetch is None
        path = storage.filesystem(uri)[1] if local else self._fetched(uri, image_file)
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))  # not for programs that are started
        found = os.fstat(descriptor).st_size
        if found != image_file.bytes:
            os.close(descriptor)
            raise other_size(uri, found, image_file.bytes)
        if len(self._open) >= self._max_open:
            os.close(self._open.popitem(last=False)[1])
        self._open[uri] = descriptor
        return descriptor

    def _fetched(self, uri: str, image_file: ImageFile) -> str:
        assert self._fetch is not None, "asked for by who has one"
        return str(self._fetch(uri, image_file.bytes))

    def _check_member(self, header: bytes, uri: str, image_file: ImageFile, ref: ImageRef, key: str) -> None:
        if _is_plain_member(header, key, ref.size):
            return
        try:
            member = _parse_header(header)
        except tarfile.HeaderError as error:
            raise LabelSetError(
                f"{uri} has no tar member where the image of {key!r} should be: it changed. {_REBUILD}"
            ) from error
        name = member.name
        if (member_key(name) or ("",))[0] != key:
            start = max(0, ref.offset - TAR_BLOCK_BYTES - _MAX_EXTENSION_BYTES)
            name = _extended_name(self._read_range(uri, image_file, start, ref.offset - start)) or name
        if (member_key(name) or ("",))[0] != key or member.size != ref.size:
            raise LabelSetError(
                f"{uri} holds {name!r} ({member.size:,} bytes) where the image of {key!r} "
                f"({ref.size:,} bytes) should be: it changed. {_REBUILD}"
            )


def _close(descriptors: OrderedDict[str, int]) -> None:
    while descriptors:
        os.close(descriptors.popitem()[1])


def other_size(uri: str, found: int, expected: int) -> LabelSetError:
    """What is wrong when a file does not have the size that it had."""
    return LabelSetError(f"{uri} has {found:,} bytes, and had {expected:,} when the labels were made. {_REBUILD}")


def _is_plain_member(header: bytes, key: str, size: int) -> bool:
    """True for what nearly all headers are: a file of this key and size. All others are parsed."""
    name = key.encode(TAR_ENCODING, "replace") + b"."
    return (
        header.startswith(name)
        and b"/" not in header[len(name) : _NAME_BYTES]
        and header[_NAME_BYTES - 1] == 0  # a longer name would stand elsewhere
        and header[124:135] == b"%011o" % size
        and header[156:157] in (b"0", b"\0")  # a regular file
        and header[257:262] == b"ustar"
        and header[345] == 0  # nothing that goes before the name
    )


def _parse_header(block: bytes) -> tarfile.TarInfo:
    return tarfile.TarInfo.frombuf(block, TAR_ENCODING, TAR_ERRORS)


def _extended_name(blocks: bytes) -> str | None:
    """The name that an extended header (PAX or GNU) gives to the member whose plain header is the last of `blocks`."""
    # Three blocks at least: the extended header, its content, and the plain header.
    for start in range(len(blocks) - 3 * TAR_BLOCK_BYTES, -1, -TAR_BLOCK_BYTES):
        try:
            kind = _parse_header(blocks[start : start + TAR_BLOCK_BYTES]).type
        except tarfile.HeaderError:
            continue  # not a header: the content of one
        if kind not in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            return None
        try:
            with tarfile.open(
                fileobj=io.BytesIO(blocks[start:]),
                mode="r:",
                encoding=TAR_ENCODING,
                errors=TAR_ERRORS,
                tarinfo=BoundedMember,
            ) as archive:
                member = archive.next()
        except tarfile.ReadError:
            return None
        return member.name if member is not None and member.offset_data == len(blocks) - start else None
    return None


_REBUILD = "Run `catlip labels build` on it again."
