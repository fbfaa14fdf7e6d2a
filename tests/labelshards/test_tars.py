"""Headers that claim what is not so. What tarfile makes of them otherwise stands in each name."""

import contextlib
import io
import tarfile
import time
from pathlib import Path

import pytest

from labelshards.errors import CatlipError
from labelshards.tars import TAR_BLOCK_BYTES, BoundedMember
from tests.labelgen.sources.reading import try_reading
from trainer.pictures.finding import find
from trainer.pictures.units import cut
from trainer.probes.data.tars import open_tars

PLAIN = tarfile.TarInfo("a.txt").tobuf(tarfile.GNU_FORMAT)


def header(size: int, kind: bytes = tarfile.REGTYPE, name: str = "b.txt") -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return header(len(records), kind) + records + bytes(-len(records) % TAR_BLOCK_BYTES) + header(0)


HEADERS: dict[str, bytes] = {
    "a name of a gigabyte, read into memory": header(1 << 30, tarfile.GNUTYPE_LONGNAME),
    "a link's name of 2**80 bytes, OverflowError": header(1 << 80, tarfile.GNUTYPE_LONGLINK),
    "an extended header of negative size": header(-512, tarfile.XHDTYPE),
    "one of 2**40 bytes for all that follow": header(1 << 40, tarfile.XGLTYPE),
    "a member of 2**80 bytes, OverflowError when seeking": header(1 << 80),
    "a member of negative size, without end": header(-1024),
    "digits without end, hours": pax(b"9" * 300_000),
    "sparse maps of words, ValueError": pax(b"26 GNU.sparse.map=1,2,x,y\n"),
    "sparse of a number that is none": pax(b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n"),
    "long names of long names, RecursionError": header(0, tarfile.GNUTYPE_LONGNAME) * 1500,
    "a sparse member of 2**80 bytes in the tar, and none outside of it": header(1 << 80, tarfile.GNUTYPE_SPARSE),
    "a sparse member that leads back": header(-4096, tarfile.GNUTYPE_SPARSE),
    "a sparse member whose map goes on behind the end": header(0, tarfile.GNUTYPE_SPARSE)[:482] + b"\1" + bytes(29),
}


@pytest.mark.parametrize("what", HEADERS)
def test_members__of_headers_that_lie_end_soon_and_in_a_read_error(what: str) -> None:
    data = io.BytesIO(PLAIN + HEADERS[what] + bytes(2 * TAR_BLOCK_BYTES))
    begun = time.process_time()
    names = []
    with (
        contextlib.suppress(tarfile.ReadError),
        tarfile.open(fileobj=data, mode="r:", tarinfo=BoundedMember) as archive,
    ):
        names += [member.name for member in archive]
    assert names[:1] in ([], ["a.txt"])
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("what", HEADERS)
def test_readers__all_of_them_say_so_or_read_what_is_there(tmp_path: Path, what: str) -> None:
    tar = tmp_path / "x.tar"
    tar.write_bytes(PLAIN + HEADERS[what] + bytes(2 * TAR_BLOCK_BYTES))
    assert len(try_reading(tar).errors) <= 1
    [unit] = cut(find([str(tar)], bytes).sources, {})
    assert unit.list().places == []
    with contextlib.suppress(CatlipError):
        assert len(open_tars([tar])) == 0


def test_read__names_as_long_as_they_are_written(tmp_path: Path) -> None:
    """Of 4,096 bytes, as many as a path may have."""
    name = "/".join(["d" * 200] * 20) + "/a.txt"
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "x.tar", "w", format=form) as archive:
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"a dog"))
        reading = try_reading(tmp_path / "x.tar")
        assert reading.keys == [name.removesuffix(".txt")]
        assert reading.captions == [("a dog",)]
