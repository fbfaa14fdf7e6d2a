"""The members of a tar that anybody may have made, read without trust in what its headers claim."""

import re
import tarfile
from collections.abc import Iterator
from typing import Self

TAR_BLOCK_BYTES = 512
# How both stages read the names of tar members: a key is text, also where the name is not UTF-8.
TAR_ENCODING = "utf-8"
TAR_ERRORS = "replace"

_EXTENSIONS = frozenset({tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
                         tarfile.SOLARIS_XHDTYPE})  # fmt: skip
_SIZE = slice(124, 136)
_MOST_EXTENSION_BYTES = 1 << 20
_MOST_BYTES = 1 << 62  # no file is larger, and tarfile cannot seek further
# tarfile tries each digit of a run as the first one of a length, and goes through the rest of them each time.
_ENDLESS = re.compile(rb"\d{1000}")
_BrokenHeader: type[tarfile.HeaderError] = tarfile.SubsequentHeaderError  # type: ignore[attr-defined]


def members(archive: tarfile.TarFile, num_bytes: int) -> Iterator[tarfile.TarInfo]:
    """The members of a tar of `num_bytes`, none of which it keeps. Raises ReadError for one that is cut off."""
    for member in archive:
        archive.members = []  # type: ignore[attr-defined]  # tarfile keeps every header it saw
        if member.offset_data + member.size > num_bytes:
            raise tarfile.ReadError(f"it is cut off inside {member.name!r}")
        yield member


class BoundedMember(tarfile.TarInfo):
    """What `tarfile.open(…, tarinfo=BoundedMember)` yields; whatever is wrong with a header is a tarfile.ReadError.

    Without it some headers cost gigabytes, or hours, or end in errors of any kind, or send tarfile back for ever.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """The member whose header comes next in the file."""
        file = archive.fileobj
        assert file is not None, "a tar is read from a file"
        offset = file.tell()
        block = file.read(TAR_BLOCK_BYTES)
        if block[156:157] in _EXTENSIONS:
            claimed = cls._claimed(block)
            if not 0 <= claimed <= _MOST_EXTENSION_BYTES or _ENDLESS.search(file.read(claimed)):
                raise _BrokenHeader(f"a name of {claimed:,} bytes, or one that never ends")
        file.seek(offset)
        try:
            member = super().fromtarfile(archive)
        except tarfile.HeaderError:
            raise
        except Exception as error:
            raise _BrokenHeader(f"a header that makes no sense: {error}") from error
        # A sparse member says two sizes, and where the next one begins is told by the other.
        if not (0 <= member.size <= _MOST_BYTES and offset < archive.offset <= _MOST_BYTES):
            raise _BrokenHeader(f"a member of {'negative' if member.size < 0 else 'impossible'} size")
        return member

    @classmethod
    def _claimed(cls, block: bytes) -> int:
        """The size in a header. Nearly all are octal digits; tarfile knows the other forms."""
        try:
            return int(block[_SIZE].rstrip(b"\0 "), 8)
        except ValueError:
            return cls.frombuf(block, TAR_ENCODING, TAR_ERRORS).size
