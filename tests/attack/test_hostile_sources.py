"""Captions as somebody who means harm would keep them: more than there is room for, and less than is claimed."""

import gzip
import io
import json
import lzma
import os
import resource
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelgen import sources
from labelgen.parsing.normalize import normalize
from labelgen.sources.fields import Fields
from labelgen.sources.record import MAX_BESIDE_BYTES
from labelgen.sources.sample import Problem, Sample
from labelgen.sources.text import MAX_LINE_BYTES
from tests.labelgen.sources.reading import read, try_reading

MIB = 1 << 20


@contextmanager
def within(mib: int) -> Iterator[None]:
    """No more memory than that on top of what the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + mib * MIB, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def sparse(path: Path, head: bytes, size: int, tail: bytes = b"") -> Path:
    """A file of that size which takes no room on the disk: between its ends lie zeros."""
    with path.open("wb") as file:
        file.write(head)
        file.seek(size - len(tail))
        file.write(tail)
        file.truncate(size)
    return path


@pytest.mark.parametrize("form", [lzma.FORMAT_XZ, lzma.FORMAT_ALONE])
def test_read__an_xz_file_that_claims_gigabytes_of_dictionary_is_refused(tmp_path: Path, form: int) -> None:
    """Found by fuzzing: the old .lzma form, which its suffix does not promise, claims its dictionary in plain bytes."""
    filters = [{"id": lzma.FILTER_LZMA2 if form == lzma.FORMAT_XZ else lzma.FILTER_LZMA1, "dict_size": 1 << 20}]
    packed = bytearray(lzma.compress(b"caption\na dog\n", form, filters=filters))
    if form == lzma.FORMAT_XZ:
        header = packed[12:24]  # size, flags, filter, size of its properties, the dictionary's code, padding, CRC
        header[4] = 39  # 3 GiB
        packed[12:24] = header[:8] + zlib.crc32(header[:8]).to_bytes(4, "little")
    else:
        packed[1:5] = b"\xff" * 4
    (tmp_path / "a.tsv.xz").write_bytes(packed)
    with within(500):
        reading = try_reading(tmp_path / "a.tsv.xz")
    assert reading.captions == []
    [error] = reading.errors
    assert "a.tsv.xz cannot be decompressed: " in error


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.jsonl", "a.txt"])
def test_read__a_line_of_a_gigabyte_ends_the_file_and_costs_no_memory(tmp_path: Path, name: str) -> None:
    head = {
        "a.tsv": b"caption\tkey\na dog\t1\n", "a.csv": b"caption,key\na dog,1\n", "a.jsonl": b'{"caption": "a dog"}\n',
        "a.txt": b"a dog\n",
    }[name]  # fmt: skip
    file = sparse(tmp_path / name, head, 1 << 30)
    with within(200):
        reading = try_reading(file)
    assert reading.captions == [("a dog",)]
    assert reading.errors == [f"{file} has a line of more than 16 MiB."]


def test_read__a_bomb_of_one_line(tmp_path: Path) -> None:
    """Half a megabyte that holds half a gigabyte."""
    with gzip.open(tmp_path / "a.tsv.gz", "wb", compresslevel=1) as file:
        file.write(b"caption\tkey\na dog\t1\n")
        for _ in range(64):
            file.write(bytes(MIB))
    with within(200):
        reading = try_reading(tmp_path / "a.tsv.gz")
    assert reading.captions == [("a dog",)]
    assert "has a line of more than 16 MiB" in reading.errors[0]


def test_read__lines_that_are_just_not_too_long(tmp_path: Path) -> None:
    long = b"a" * (MAX_LINE_BYTES - 1)
    (tmp_path / "a.txt").write_bytes(b"a dog\n" + long + b"\na cat\n" + long)
    reading = read(tmp_path / "a.txt")
    assert [len(caption) for (caption,) in reading.captions] == [5, len(long), 5, len(long)]


def member_of(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("name", ["a.txt", "a.json"])
def test_read__a_caption_of_a_gigabyte_in_a_tar(tmp_path: Path, name: str) -> None:
    """A real one: its bytes are there. Of text the first words count; JSON that goes on is broken."""
    head = member_of(name, 1 << 30) + b"a dog " * 4_000
    after = member_of("b.txt", 5) + b"a cat".ljust(512, b"\0") + bytes(1024)
    tar = sparse(tmp_path / "x.tar", head, 512 + (1 << 30) + len(after), after)
    with within(300):
        reading = read(tar)
    assert reading.keys == ["a", "b"]
    assert reading.captions[1] == ("a cat",)
    if name == "a.txt":
        text, cut = normalize(reading.captions[0][0])
        assert (text.split()[:3], cut, len(text) <= 2_000) == (["a", "dog", "a"], True, True)
    else:
        assert Problem.BROKEN_JSON in reading.problems[0]


def test_read__a_caption_that_claims_a_gigabyte(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(member_of("a.txt", 1 << 30) + b"a dog" + bytes(2000))
    with within(200):
        reading = try_reading(tmp_path / "x.tar")
    assert reading.samples == []
    assert "is cut off inside 'a.txt'" in reading.errors[0]


def test_read__a_caption_of_a_gigabyte_in_a_folder(tmp_path: Path) -> None:
    """Cut where no letter is parted."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    sparse(tmp_path / "a.txt", "é ".encode() * 7 + "é".encode() * (MAX_BESIDE_BYTES // 2), 1 << 30)
    with within(300):
        reading = read(tmp_path)
    assert reading.captions == [("é " * 6 + "é",)]


def test_read__members_are_never_unpacked(tmp_path: Path) -> None:
    """Of `..` and of absolute names a key is made; links, devices and folders are no samples; nothing is written."""
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, kind in (
            ("../../up.txt", tarfile.REGTYPE), (str(tmp_path / "abs.txt"), tarfile.REGTYPE),
            ("hard.txt", tarfile.LNKTYPE), ("soft.txt", tarfile.SYMTYPE), ("char.txt", tarfile.CHRTYPE),
            ("block.txt", tarfile.BLKTYPE), ("fifo.txt", tarfile.FIFOTYPE), ("folder.txt", tarfile.DIRTYPE),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, str(outside)
            member.size = 5 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"a dog"))
    before = sorted(os.walk(tmp_path))
    reading = read(tmp_path / "x.tar")
    assert reading.keys == ["../../up", str(tmp_path / "abs")]
    assert [text for texts in reading.captions for text in texts] == ["a dog", "a dog"]
    assert sorted(os.walk(tmp_path)) == before


def test_read__keys_that_are_all_alike(tmp_path: Path) -> None:
    """Each is counted, and keeps its row."""
    tar = tmp_path / "x.tar"
    one = member_of("a.txt", 1) + b"x".ljust(512, b"\0")
    tar.write_bytes(one * 5_000 + bytes(1024))
    reading = read(tar)
    assert reading.keys == ["a"] * 5_000
    assert sum(Problem.DUPLICATE_KEY in problems for problems in reading.problems) == 4_999


def test_read__names_that_look_alike_stay_two(tmp_path: Path) -> None:
    """é in one code point and in two: whoever normalised keys would join what is not one sample."""
    tar = tmp_path / "x.tar"
    with tarfile.open(tar, "w") as archive:
        for name, text in (("\u00e9.txt", b"one"), ("e\u0301.txt", b"two")):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(text))
    reading = read(tar)
    assert reading.keys == ["\u00e9", "e\u0301"]
    assert reading.captions == [("one",), ("two",)]
    assert reading.problems == [(Problem.MISSING_IMAGE,)] * 2


def test_read__json_without_bottom_and_numbers_without_end(tmp_path: Path) -> None:
    lines = [
        "[" * 100_000, '{"caption": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"caption": "a dog", "n": ' + "9" * 10_000 + "}", '{"caption": "a cat", "n": NaN, "m": -Infinity, "o": 1e999}',
        '{"caption": "a bird", "key": ' + "9" * 4_000 + "}",
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    reading = read(tmp_path / "a.jsonl")
    assert [problems for problems in reading.problems if Problem.BROKEN_JSON in problems] == [
        (Problem.BROKEN_JSON,)
    ] * 3
    assert reading.captions[3:] == [("a cat",), ("a bird",)]
    for text in ("[" * 100_000, '{"images": [{"id": ' + "9" * 10_000 + '}], "annotations": []}'):
        (tmp_path / "c.json").write_text(text)
        [error] = try_reading(tmp_path / "c.json", fields=Fields(format="coco")).errors
        assert "is not COCO captions" in error


def test_read__parquet_with_rows_that_are_only_claimed(tmp_path: Path) -> None:
    """A footer with 2**60 rows: planning would make a shard of each 10,000."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"caption": ["a dog"] * 3}), sink)
    data = bytearray(sink.getvalue())
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for claimed in (2**60, -7):
        forged = _with_rows(bytes(data[footer:-8]), claimed)
        (tmp_path / "a.parquet").write_bytes(data[:footer] + forged + len(forged).to_bytes(4, "little") + b"PAR1")
        assert pq.read_metadata(tmp_path / "a.parquet").num_rows == claimed
        [error] = try_reading(tmp_path / "a.parquet").errors
        assert error.endswith(f"is not a whole Parquet file (it says that it has {claimed:,} rows).")


def _with_rows(footer: bytes, claimed: int) -> bytes:
    """Thrift's compact form: the number of rows is a zigzag varint behind 0x16, between schema and row groups."""

    def varint(number: int) -> bytes:
        zigzag, out = (number << 1) ^ (number >> 63), bytearray()
        zigzag &= 2**64 - 1
        while zigzag > 0x7F:
            out.append(zigzag & 0x7F | 0x80)
            zigzag >>= 7
        return bytes([*out, zigzag])

    assert footer.count(b"\x16\x06\x19") == 1
    return footer.replace(b"\x16\x06\x19", b"\x16" + varint(claimed) + b"\x19")


def test_read__parquet_in_which_one_long_caption_stands_for_many(tmp_path: Path) -> None:
    """A few kilobytes on disk, and a gigabyte as text; rows are taken a thousand at a time."""
    caption = "a dog " * 17_000
    table = pa.table({"caption": pa.DictionaryArray.from_arrays(np.zeros(10_000, np.int32), [caption])})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 100_000
    [shard] = sources.plan([str(tmp_path / "a.parquet")], Fields())
    with within(500):
        first = next(sources.read(shard, Fields()))
    assert isinstance(first, Sample)
    assert first.captions == (caption,)


def test_read__keys_of_types_that_are_none(tmp_path: Path) -> None:
    """Dates that Python cannot hold are no keys."""
    for kind in (pa.date32(), pa.timestamp("s"), pa.timestamp("us", "Nowhere/Land"), pa.duration("us")):
        keys = pa.array([2**31 - 1, -(2**31)], kind)
        pq.write_table(pa.table({"caption": ["a dog", "a cat"], "key": keys}), tmp_path / "a.parquet")
        reading = read(tmp_path / "a.parquet")
        assert reading.captions == [("a dog",), ("a cat",)]
        assert [problems[0] for problems in reading.problems] == [Problem.MISSING_KEY] * 2


def test_read__what_a_record_says_of_pictures_is_looked_for_and_not_believed(tmp_path: Path) -> None:
    """Names of folders, devices, tars, the web: none is a picture; nothing is waited for."""
    os.mkfifo(tmp_path / "pipe.jpg")
    names = [
        "..",
        "/dev/zero",
        "pipe.jpg",
        "a.tar",
        "http://x/y.jpg",
        "nowhere://x",
        "\0",
        "a" * 5_000,
        "zip://a::b",
        "",
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"caption": "a dog", "image_path": name}) for name in names))
    reading = read(tmp_path / "a.jsonl")
    assert reading.problems == [(Problem.MISSING_IMAGE,)] * len(names)
