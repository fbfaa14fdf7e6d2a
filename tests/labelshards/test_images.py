import copy
import io
import os
import pickle
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelshards import images
from labelshards.errors import LabelSetError
from labelshards.images import ImageFile, ImageReader, ImageRef, member_key

WriteTar = Callable[..., Path]
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.fixture
def reader() -> Iterator[ImageReader]:
    reader = ImageReader()
    yield reader
    reader.close()


def place(tar: Path, name: str) -> tuple[ImageFile, ImageRef]:
    """Where member `name` lies in `tar`, as the labels would say it."""
    with tarfile.open(tar, encoding="utf-8") as archive:
        member = archive.getmember(name)
        ref = ImageRef(0, member.offset_data, member.size)
    return ImageFile(uri=str(tar), bytes=tar.stat().st_size), ref


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("000.jpg", ("000", "jpg")),
        ("000.SEG.Png", ("000", "seg.png")),
        ("./000.jpg", ("./000", "jpg")),
        ("a.b/c/000.jpg", ("a.b/c/000", "jpg")),
        ("../000.jpg", ("../000", "jpg")),
        ("Köln 1.jpg", ("Köln 1", "jpg")),
        ("README", None),
        (".DS_Store", None),
        ("._000.jpg", None),
        ("a/._000.jpg", None),
        ("a.b/README", None),
        ("__meta__", None),
        ("__meta.json__", None),
        ("", None),
    ],
)
def test_member_key__cases(name: str, expected: tuple[str, str] | None) -> None:
    assert member_key(name) == expected


# webdataset.tariterators.base_plus_ext and the names that tar_file_iterator leaves out.
WEBDATASET = re.compile(r"^((?:.*/|)[^.]+)[.]([^/]*)$")


@given(st.text("ab_./X", max_size=12))
def test_member_key__agrees_with_webdataset(name: str) -> None:
    found = WEBDATASET.match(name)
    left_out = name.startswith("__") and name.endswith("__")
    hidden = name.rpartition("/")[2].startswith(".")  # WebDataset makes "a/.b" a sample of key "a/"
    expected = None if found is None or left_out or hidden else (found[1], found[2].lower())
    assert member_key(name) == expected


SHORT_KEYS = ["000000001", "a/b/c", "Köln", "日本/写真", "x" * 95]
LONG_KEYS = ["x" * 150, "d" * 99 + "/" + "é" * 80, "ü" * 300]


@pytest.mark.parametrize(
    ("tar_format", "key"),
    [(tarfile.USTAR_FORMAT, key) for key in SHORT_KEYS]
    + [(tarfile.GNU_FORMAT, key) for key in SHORT_KEYS + LONG_KEYS]
    + [(tarfile.PAX_FORMAT, key) for key in SHORT_KEYS + LONG_KEYS],
)
def test_read__every_name_in_every_format(
    tmp_path: Path, write_tar: WriteTar, reader: ImageReader, key: str, tar_format: int
) -> None:
    members = [("other.jpg", b"x" * 700), (f"{key}.txt", b"caption"), (f"{key}.jpg", b"image bytes")]
    tar = write_tar(tmp_path / "x.tar", members, tar_format=tar_format)
    assert reader.read(*place(tar, f"{key}.jpg"), key) == b"image bytes"


@pytest.mark.parametrize("tar_format", FORMATS.values(), ids=FORMATS)
def test_read__another_long_name_with_the_same_beginning(
    tmp_path: Path, write_tar: WriteTar, reader: ImageReader, tar_format: int
) -> None:
    folder = "f" * 90
    names = [f"{folder}/{'é' * 20}{number}" for number in range(2)]
    if tar_format == tarfile.USTAR_FORMAT:
        names = [f"{folder}/{'e' * 20}{number}" for number in range(2)]
    tar = write_tar(tmp_path / "x.tar", [(f"{name}.jpg", b"image") for name in names], tar_format=tar_format)
    with pytest.raises(LabelSetError, match="it changed"):
        reader.read(*place(tar, f"{names[1]}.jpg"), names[0])


def test_read__name_that_is_not_utf8(tmp_path: Path, reader: ImageReader) -> None:
    tar = tmp_path / "x.tar"
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT, encoding="latin-1") as archive:
        member = tarfile.TarInfo("Köln.jpg")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"image"))
    key = "K\ufffdln"
    assert reader.read(ImageFile(uri=str(tar), bytes=tar.stat().st_size), ImageRef(0, 512, 5), key) == b"image"


def test_read__upper_case_ending_is_a_tar_too(tmp_path: Path, write_tar: WriteTar, reader: ImageReader) -> None:
    tar = write_tar(tmp_path / "X.TAR", [("a.jpg", b"image")])
    file, ref = place(tar, "a.jpg")
    assert reader.read(file, ref, "a") == b"image"
    with pytest.raises(LabelSetError, match="it changed"):
        reader.read(file, ref, "b")


def test_read__plain_file(tmp_path: Path, reader: ImageReader) -> None:
    (tmp_path / "a.jpg").write_bytes(b"image")
    assert reader.read(ImageFile(uri=str(tmp_path / "a.jpg"), bytes=5), ImageRef(0, 0, 5), "a") == b"image"


def test_read__from_a_remote_store(reader: ImageReader, tmp_path: Path, write_tar: WriteTar) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    tar = write_tar(tmp_path / "x.tar", [("é.jpg", b"image")], tar_format=tarfile.PAX_FORMAT)
    MemoryFileSystem().pipe_file("/images/x.tar", tar.read_bytes())
    file = ImageFile(uri="memory://images/x.tar", bytes=tar.stat().st_size)
    ref = place(tar, "é.jpg")[1]
    assert reader.read(file, ref, "é") == b"image"
    with pytest.raises(LabelSetError, match="it changed"):
        reader.read(file, ref, "e")
    with pytest.raises(LabelSetError, match="is gone"):
        reader.read(ImageFile(uri="memory://images/y.tar", bytes=1), ref, "é")


@pytest.fixture
def two(tmp_path: Path, write_tar: WriteTar) -> tuple[Path, ImageFile, ImageRef]:
    """A tar with samples `a` and `b`, and where the image of `b` lies."""
    tar = write_tar(tmp_path / "x.tar", [("a.jpg", b"A" * 600), ("b.jpg", b"B" * 600)])
    return tar, *place(tar, "b.jpg")


def test_read__tar_is_gone(two: tuple[Path, ImageFile, ImageRef], reader: ImageReader) -> None:
    tar, file, ref = two
    tar.unlink()
    with pytest.raises(LabelSetError, match=r"x\.tar is gone\. Put it back, or say where it is with --moved OLD=NEW\."):
        reader.read(file, ref, "b")


def test_read__tar_is_a_folder_now(two: tuple[Path, ImageFile, ImageRef], reader: ImageReader) -> None:
    tar, file, ref = two
    tar.unlink()
    tar.mkdir()
    with pytest.raises(LabelSetError, match=r"x\.tar (has .* bytes, and had|cannot be read)"):
        reader.read(file, ref, "b")


def test_read__tar_of_another_size(two: tuple[Path, ImageFile, ImageRef], reader: ImageReader) -> None:
    tar, file, ref = two
    os.truncate(tar, 1024)
    with pytest.raises(LabelSetError, match=r"has 1,024 bytes, and had 10,240 when the labels were made"):
        reader.read(file, ref, "b")


def test_read__tar_shrinks_while_it_is_open(two: tuple[Path, ImageFile, ImageRef], reader: ImageReader) -> None:
    tar, file, ref = two
    assert reader.read(file, ref, "b") == b"B" * 600
    os.truncate(tar, 1024)
    with pytest.raises(LabelSetError, match="ends before the image of 'b'"):
        reader.read(file, ref, "b")


def test_read__members_were_exchanged(
    two: tuple[Path, ImageFile, ImageRef], reader: ImageReader, write_tar: WriteTar
) -> None:
    tar, file, ref = two
    write_tar(tar, [("b.jpg", b"B" * 600), ("a.jpg", b"A" * 600)])
    with pytest.raises(LabelSetError, match=r"holds 'a\.jpg' \(600 bytes\) where the image of 'b'"):
        reader.read(file, ref, "b")


def test_read__member_has_another_size(
    two: tuple[Path, ImageFile, ImageRef], reader: ImageReader, write_tar: WriteTar
) -> None:
    tar, file, ref = two
    write_tar(tar, [("a.jpg", b"A" * 600), ("b.jpg", b"B" * 601)])
    with pytest.raises(LabelSetError, match=r"holds 'b\.jpg' \(601 bytes\) where the image of 'b' \(600 bytes\)"):
        reader.read(file, ref, "b")


def test_read__header_moved(two: tuple[Path, ImageFile, ImageRef], reader: ImageReader, write_tar: WriteTar) -> None:
    tar, file, ref = two
    write_tar(tar, [("a.jpg", b"A" * 2000), ("b.jpg", b"B" * 600)])
    with pytest.raises(LabelSetError, match="has no tar member where the image of 'b' should be"):
        reader.read(file, ref, "b")


def test_read__moved(two: tuple[Path, ImageFile, ImageRef], tmp_path: Path) -> None:
    tar, file, ref = two
    (tmp_path / "new").mkdir()
    tar.rename(tmp_path / "new" / "x.tar")
    reader = ImageReader(moved={f"{tmp_path}/": f"{tmp_path}/new/"})
    assert reader.read(file, ref, "b") == b"B" * 600
    reader.close()


def test_read__no_more_open_files_than_allowed(tmp_path: Path, write_tar: WriteTar) -> None:
    tars = [write_tar(tmp_path / f"{number}.tar", [(f"{number}.jpg", b"x")]) for number in range(5)]
    reader = ImageReader(max_open=2)
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(2):
        for number, tar in enumerate(tars):
            assert reader.read(*place(tar, f"{number}.jpg"), str(number)) == b"x"
    if before:
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
    reader.close()
    assert reader.read(*place(tars[0], "0.jpg"), "0") == b"x"
    reader.close()


def test_extended_name__previous_member_is_not_taken_for_one(tmp_path: Path, write_tar: WriteTar) -> None:
    tar = write_tar(tmp_path / "x.tar", [("a.jpg", b"x" * 512), ("b.jpg", b"y")])
    assert images._extended_name(tar.read_bytes()[: 3 * 512]) is None


def test_read__files_close_with_their_reader(two: tuple[Path, ImageFile, ImageRef]) -> None:
    tar, image_file, _ = two
    opened = ImageReader()
    opened.check_size(image_file)
    [descriptor] = opened._open.values()
    assert os.path.samestat(os.fstat(descriptor), tar.stat())
    del opened
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_reader__a_copy_opens_files_of_its_own(two: tuple[Path, ImageFile, ImageRef]) -> None:
    """As in another process, where the numbers of open files are those of others."""
    tar, file, ref = two
    reader = ImageReader(moved={"elsewhere": str(tar)}, max_open=3)
    image = reader.read(file, ref, "b")
    copies = [copy.copy(reader), pickle.loads(pickle.dumps(reader))]
    reader.close()
    for each in copies:
        assert each.read(ImageFile(uri="elsewhere", bytes=file.bytes), ref, "b") == image
        each.close()
