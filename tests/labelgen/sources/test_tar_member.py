"""Tar members, read as tarfile reads them."""

import io
import tarfile
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.sources.tar_member import Member
from labelshards.tars import TAR_ENCODING, TAR_ERRORS

Told: TypeAlias = list[tuple[str, bytes, int, int, int]]
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
NAMES = ["a.jpg", "a" * 100, "folder/" * 15 + "a.txt", "n" * 99 + "/" + "m" * 20, "f/", "..", "é.txt", "a b'\"\\.png"]


def members(tar: bytes, kind: type[tarfile.TarInfo]) -> tuple[Told, str]:
    """What is told of each member, and of what ends the tar before its end."""
    told: Told = []
    try:
        with tarfile.open(
            fileobj=io.BytesIO(tar), mode="r:", encoding=TAR_ENCODING, errors=TAR_ERRORS, tarinfo=kind
        ) as archive:
            for member in archive:
                told.append((member.name, member.type, member.size, member.offset, member.offset_data))
                if member.size < 0:  # tarfile would go back
                    break
    except tarfile.ReadError as error:
        return told, str(error)
    return told, ""


def written(names: list[str], tar_format: int, **more: object) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tar_format, **more) as archive:  # type: ignore[call-overload]
        for number, name in enumerate(names):
            member = tarfile.TarInfo(name)
            member.size = 300 * number
            member.mtime, member.uid, member.uname = 1_700_000_000, 1000, "someone"
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return file.getvalue()


@pytest.mark.parametrize("tar_format", FORMATS)
def test_members__are_those_of_tarfile(tar_format: int) -> None:
    tar = written([name for name in NAMES if tar_format != tarfile.USTAR_FORMAT or name != NAMES[3]], tar_format)
    told, error = members(tar, Member)
    assert (told, error) == members(tar, tarfile.TarInfo)
    assert len(told) >= len(NAMES) - 1


def test_members__under_a_header_for_all_of_them() -> None:
    tar = written(["a.jpg", "b.jpg"], tarfile.PAX_FORMAT, pax_headers={"path": "one name for all"})
    assert members(tar, Member) == members(tar, tarfile.TarInfo)
    assert members(tar, Member)[0][0][0] == "one name for all"


def test_members__of_real_tars(test_data: Path) -> None:
    tar = (test_data / "coco-captions-objects.tar").read_bytes()
    assert members(tar, Member) == members(tar, tarfile.TarInfo)


@pytest.mark.parametrize("tar_format", FORMATS)
def test_plain_header__is_read_here(tar_format: int) -> None:
    with tarfile.open(fileobj=io.BytesIO(written(["a.jpg"], tar_format)), tarinfo=Member) as archive:
        assert [member.uname for member in archive] == [""]


@given(
    tar_format=st.sampled_from(FORMATS),
    at=st.integers(0, 5),
    field=st.sampled_from(
        [
            (0, 100),
            (100, 8),
            (108, 8),
            (124, 12),
            (135, 1),
            (136, 12),
            (148, 8),
            (156, 1),
            (257, 8),
            (329, 16),
            (345, 155),
        ]
    ),
    content=st.one_of(st.binary(min_size=155, max_size=155), st.text("01237 8\0-", min_size=155, max_size=155)),
    has_right_sum=st.booleans(),
)
def test_members__of_a_tar_with_a_strange_header(
    tar_format: int, at: int, field: tuple[int, int], content: bytes | str, has_right_sum: bool
) -> None:
    data = bytearray(written(["a.txt", "b" * 120 + ".jpg" if tar_format else "b.jpg", "c.json"], tar_format))
    block = data[512 * at : 512 * at + 512]
    strange = content.encode() if isinstance(content, str) else content
    block[field[0] : field[0] + field[1]] = strange[: field[1]]
    if has_right_sum:
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
    data[512 * at : 512 * at + 512] = block
    assert members(bytes(data), Member) == members(bytes(data), tarfile.TarInfo)
