"""Text files of rows, plain or compressed (.gz, .bz2, .xz), cut into shards of whole rows by byte offset."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from labelgen.sources.identity import identity_and_size, look_at
from labelgen.sources.rows import ROWS_PER_SHARD, part_name
from labelgen.sources.sample import InputShard, SourceDamageError, SourceError
from labelshards import storage

HEAD_BYTES = 1 << 16
# A file of one line without end would else be read into memory; a gigabyte of it may have been a megabyte on disk.
MAX_LINE_BYTES = 1 << 24
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff")
# `xz -9` wants 65 MiB for its dictionary; a header may claim four gigabytes.
_MAX_XZ_BYTES = 1 << 28


def _xz(raw: IO[bytes]) -> io.BufferedIOBase:
    """The decompressed file. Raises LZMAError if its first block wants more memory than _MAX_XZ_BYTES."""
    lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_BYTES).decompress(raw.read(HEAD_BYTES), max_length=1)
    raw.seek(0)
    return lzma.LZMAFile(raw, format=lzma.FORMAT_XZ)


_DECOMPRESS: dict[str, Callable[[IO[bytes]], io.BufferedIOBase]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw),
    ".bz2": bz2.BZ2File,
    ".xz": _xz,
}
_CUT_OFF = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)  # what decompressors raise where a file breaks off


class _EndlessLineError(Exception):
    """A line longer than MAX_LINE_BYTES."""


def suffixes(*plain: str) -> tuple[str, ...]:
    """Names of a text format's files end in one of these."""
    return tuple(suffix + compression for suffix in plain for compression in ("", *_DECOMPRESS))


def compression_of(path: str) -> str:
    """`.gz`, `.bz2`, `.xz`, or nothing."""
    return next((suffix for suffix in _DECOMPRESS if path.lower().endswith(suffix)), "")


def plan(
    uri: str,
    format_name: str,
    first_row_at: Callable[[bytes], int],
    row_sizes: Callable[[Iterator[bytes]], Iterator[int]] = lambda lines: map(len, lines),
) -> list[InputShard]:
    """Shards of 10,000 rows.

    `first_row_at`: the file's first bytes → where its first row begins, after a header. `row_sizes`: lines → bytes of
    each row. A file that cannot be read or understood is one shard: reading it says what is wrong.
    """
    identity, _ = identity_and_size(uri)
    try:
        starts, end = _row_starts(uri, first_row_at(head_of(uri)), row_sizes)
    except (OSError, SourceError):
        starts, end = [(0, 0)], 0
    ends = [*starts[1:], (end, 0)]
    return [
        InputShard(
            name=part_name(number, len(starts)),
            uri=uri,
            format=format_name,
            identity=identity,
            size=stop - start,
            first_row=row,
            offset=start,
        )
        for number, ((start, row), (stop, _)) in enumerate(zip(starts, ends, strict=True))
    ]


def first_bytes(uri: str) -> bytes:
    """The first 64 KiB, decompressed, or what there is before a compressed file breaks off. Raises SourceError."""
    look_at(uri)  # a pipe is no file: opening it would wait for ever
    data = b""
    try:
        with _opened(uri) as file:
            # By read1, since read would lose what stands before a break.
            while len(data) < HEAD_BYTES and (block := file.read1(HEAD_BYTES - len(data))):
                data += block
    except _CUT_OFF:
        pass
    except OSError as error:
        raise SourceError(f"{uri} cannot be read: {error.strerror or error}.") from error
    return data


def head_of(uri: str) -> bytes:
    """The first bytes of a text file. Raises SourceError, also if they are UTF-16."""
    data = first_bytes(uri)
    if data.startswith(_OTHER_ENCODINGS):
        raise SourceError(f"{uri} is UTF-16. Save it as UTF-8.")
    return data


def mark_size(data: bytes) -> int:
    """Bytes of the byte order mark that a file begins with: 3 or 0."""
    return len(_BYTE_ORDER_MARK) if data.startswith(_BYTE_ORDER_MARK) else 0


def shard_lines(shard: InputShard) -> Iterator[bytes]:
    """The shard's lines with their ends; only a line feed ends one.

    Raises SourceError if there is none or the file cannot be read, SourceDamageError where it breaks off.
    """
    if not shard.size:
        head_of(shard.uri)  # planning could not read it: this says why
    left = shard.size
    line = b""
    try:
        with _opened(shard.uri) as file:
            file.seek(shard.offset)
            for line in _lines(file):
                if left <= 0:
                    break
                left -= len(line)
                yield line
    except _EndlessLineError as error:
        raise SourceDamageError(f"{shard.uri} has a line of more than {MAX_LINE_BYTES >> 20} MiB.") from error
    except _CUT_OFF as error:
        if not line:
            raise SourceError(f"{shard.uri} cannot be decompressed: {error}.") from error
        raise SourceDamageError(f"{shard.uri} is cut off or broken ({error}).") from error
    except OSError as error:
        raise SourceError(f"{shard.uri} cannot be read: {error.strerror or error}.") from error
    if not line:
        raise SourceError(f"{shard.uri} has no line with a caption.")
    if not shard.size:
        raise SourceError(f"{shard.uri} could not be read while planning, and now it can. Run the same build again.")


def line_content(line: bytes) -> bytes:
    """A line without its end (LF or CRLF)."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _row_starts(
    uri: str, position: int, row_sizes: Callable[[Iterator[bytes]], Iterator[int]]
) -> tuple[list[tuple[int, int]], int]:
    """(byte offset, row number) where each shard begins, and where the last one ends."""
    starts = [(position, 0)]
    with _opened(uri) as file:
        try:
            file.seek(position)
            for row, size in enumerate(row_sizes(_lines(file))):
                if row and row % ROWS_PER_SHARD == 0:
                    starts.append((position, row))
                position += size
        except (_EndlessLineError, *_CUT_OFF):
            # More than there is, so that whoever reads the last shard meets the break again.
            position = max(position, file.tell()) + 1
    return starts, position


def _lines(file: io.BufferedIOBase) -> Iterator[bytes]:
    """The rest of a file, line by line. Raises _EndlessLineError."""
    while line := file.readline(MAX_LINE_BYTES):
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            raise _EndlessLineError
        yield line


@contextmanager
def _opened(uri: str) -> Iterator[io.BufferedIOBase]:
    """The file, decompressed if its name says so. Raises SourceError for one that should not be decompressed."""
    with storage.opened(uri) as raw:
        decompress = _DECOMPRESS.get(compression_of(storage.filesystem(uri)[1]))
        try:
            file = decompress(raw) if decompress else io.BufferedReader(raw, HEAD_BYTES)
        except lzma.LZMAError as error:
            raise SourceError(
                f"{uri} cannot be decompressed: {error}. It should be xz, with a dictionary of at most "
                f"{_MAX_XZ_BYTES >> 20} MiB; `xz -9` takes 64."
            ) from error
        with file:
            yield file
