"""The headers of a tar's members. Nearly all are of one plain kind, and read in a quarter of the time tarfile takes."""

import re
import tarfile
import zlib
from typing import Self

from labelshards.tars import TAR_BLOCK_BYTES, TAR_ENCODING, BoundedMember

# A regular file's header as every common program writes it: numbers in octal digits, and the mark of POSIX or GNU.
_OCTALS = rb"[0-7]{6}[0-7 ][\0 ]"
_DEVICE = rb"(?:" + _OCTALS + rb"|\0{8})"
_PLAIN = re.compile(
    rb"(?P<name>.{100})" + 3 * _OCTALS + rb"(?P<size>[0-7]{11})[\0 ][0-7]{11}[\0 ](?P<sum>[0-7]{6})\0 "
    rb"0.{100}ustar.{67}" + 2 * _DEVICE + rb"(?P<prefix>.{155}).{12}",
    re.DOTALL,
)
_SUM_AT, _SUM_END = 148, 156  # where the checksum stands
_SUM_OF_SPACES = (_SUM_END - _SUM_AT) * ord(" ")


class Member(BoundedMember):
    """A member with name, size, type and place. Whose it is, and of when, is left out where the header is plain."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        """The member whose header comes next in the file. Raises tarfile.HeaderError as BoundedMember does."""
        file = archive.fileobj
        assert file is not None, "a tar is read from a file"
        offset = file.tell()
        block = file.read(TAR_BLOCK_BYTES)
        # Headers for the whole archive may say otherwise than a plain one does.
        plain = None if archive.pax_headers or not block.isascii() else _PLAIN.fullmatch(block)
        if plain is None or int(plain["sum"], 8) != _checksum(block):
            file.seek(offset)
            return super().fromtarfile(archive)
        name, prefix = _text(plain["name"]), _text(plain["prefix"])
        member = cls(f"{prefix}/{name}" if prefix else name)
        member.size = int(plain["size"], 8)
        member.offset = offset
        member.offset_data = offset + TAR_BLOCK_BYTES
        num_blocks = -(-member.size // TAR_BLOCK_BYTES)
        archive.offset = member.offset_data + num_blocks * TAR_BLOCK_BYTES  # where tarfile looks for the next one
        return member


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(TAR_ENCODING)


def _checksum(block: bytes) -> int:
    """The sum of a header's bytes, its own checksum taken for spaces.

    Adler-32's lower half is one more than that sum, modulo 65,521, which 512 bytes of ASCII do not reach.
    """
    rest = zlib.adler32(block[_SUM_END:], zlib.adler32(block[:_SUM_AT]))
    return (rest & 0xFFFF) - 1 + _SUM_OF_SPACES
