import io
import json
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelgen import sources
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Leftover, Problem, Sample, SourceDamageError, SourceError
from labelshards.images import ImageReader, ImageRef
from tests.labelgen.sources import reading

WriteTar = Callable[..., Path]


def read(tar: Path, *caption_keys: str) -> list[Sample]:
    return reading.read(tar, fields=Fields(caption_keys=caption_keys)).samples


def outcome(tar: Path) -> tuple[list[str], str]:
    """Keys, and what the error behind them says, if there is one."""
    found = reading.try_reading(tar)
    return found.keys, "".join(found.errors)


def test_read__img2dataset(test_data: Path) -> None:
    samples = read(test_data / "flickr8k" / "val" / "00000.tar")
    assert [sample.key for sample in samples] == [f"{number:09d}" for number in range(1000)]
    assert {len(sample.captions) for sample in samples} == {5}
    assert not any(sample.problems for sample in samples)
    reader = ImageReader()
    for sample in samples[::100]:
        assert sample.image is not None
        assert reader.read(
            sample.image.file, ImageRef(0, sample.image.offset, sample.image.size), sample.key
        ).startswith(b"\xff\xd8\xff")
    reader.close()


@pytest.mark.parametrize(
    ("members", "captions", "problems"),
    [
        ([("a.jpg", b"x"), ("a.txt", b"a dog")], ("a dog",), ()),
        ([("a.jpg", b"x"), ("a.txt", b"no"), ("a.json", b'{"captions": ["one", "two"]}')], ("one", "two"), ()),
        ([("a.jpg", b"x"), ("a.txt", b"txt"), ("a.json", b'{"caption": "json"}')], ("txt",), ()),
        ([("a.jpg", b"x"), ("a.json", b'{"caption": "json"}')], ("json",), ()),
        ([("a.JPG", b"x"), ("a.TXT", b"a dog")], ("a dog",), ()),
        ([("a.webp", b"x"), ("a.json", b'{"captions": "one"}')], ("one",), ()),
        ([("a.jpg", b"x"), ("a.json", b'{"captions": [1, null, "one"]}')], ("one",), ()),
        ([("a.jpg", b"x"), ("a.json", b'{"captions": ["one"], "similarity": NaN}')], ("one",), ()),
        ([("a.jpg", b"x"), ("a.json", b'{"captions": ["\\ud83d one\\u0000"]}')], ("\ud83d one\0",), ()),
        ([("a.jpg", b"x")], (), (Problem.MISSING_CAPTION,)),
        ([("a.jpg", b"x"), ("a.txt", b"")], ("",), ()),
        ([("a.jpg", b""), ("a.txt", b"a dog")], ("a dog",), (Problem.EMPTY_IMAGE,)),
        ([("a.txt", b"a dog")], ("a dog",), (Problem.MISSING_IMAGE,)),
        ([("a.gif", b"x"), ("a.txt", b"a dog")], ("a dog",), (Problem.MISSING_IMAGE,)),
        ([("a.jpg", b"x"), ("a.txt", b"\xff\xfea dog")], (), (Problem.CAPTION_NOT_UTF8,)),
        ([("a.jpg", b"x"), ("a.txt", b"\xff"), ("a.json", b'{"caption": "b"}')], ("b",), (Problem.CAPTION_NOT_UTF8,)),
        ([("a.jpg", b"x"), ("a.json", b'{"captions": ["one"')], (), (Problem.BROKEN_JSON, Problem.MISSING_CAPTION)),
        ([("a.jpg", b"x"), ("a.txt", b"t"), ("a.json", b'["one"]')], ("t",), (Problem.BROKEN_JSON,)),
        ([("a.jpg", b"x"), ("a.txt", b"t"), ("a.json", b"\xff\xfe")], ("t",), (Problem.BROKEN_JSON,)),
        ([("a.jpg", b"x"), ("a.txt", b"t"), ("a.json", b"[" * 50_000)], ("t",), (Problem.BROKEN_JSON,)),
    ],
)
def test_read__captions_and_problems(
    tmp_path: Path,
    write_tar: WriteTar,
    members: list[tuple[str, bytes]],
    captions: tuple[str, ...],
    problems: tuple[Problem, ...],
) -> None:
    (sample,) = read(write_tar(tmp_path / "x.tar", members))
    assert sample.captions == captions
    assert sample.problems == problems


def test_read__chosen_caption_keys(tmp_path: Path, write_tar: WriteTar) -> None:
    record = json.dumps({"alt": "one", "title": ["two", "three"], "captions": ["four"]}).encode()
    tar = write_tar(tmp_path / "x.tar", [("a.jpg", b"x"), ("a.txt", b"five"), ("a.json", record)])
    assert read(tar, "title", "alt", "none")[0].captions == ("two", "three", "one")
    assert read(tar, "none")[0].captions == ("five",)
    assert read(tar)[0].captions == ("four",)


def test_read__duplicate_keys_keep_their_rows(tmp_path: Path, write_tar: WriteTar) -> None:
    names = ["a.jpg", "a.txt", "a.jpg", "a.txt", "b.txt", "a.jpg"]
    samples = read(write_tar(tmp_path / "x.tar", [(name, b"x") for name in names]))
    assert [(sample.key, Problem.DUPLICATE_KEY in sample.problems) for sample in samples] == [
        ("a", False), ("a", True), ("b", False), ("a", True),
    ]  # fmt: skip


def test_read__what_is_no_part_of_a_sample_is_no_row(tmp_path: Path, write_tar: WriteTar) -> None:
    names = [".DS_Store", "._a.jpg", "README", "__index__", "a.jpg", "a.txt", "sub/.hidden.txt"]
    assert [sample.key for sample in read(write_tar(tmp_path / "x.tar", [(name, b"x") for name in names]))] == ["a"]


def test_read__links_folders_and_dots(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name, kind in [("d.jpg", tarfile.DIRTYPE), ("l.jpg", tarfile.SYMTYPE), ("f.jpg", tarfile.FIFOTYPE)]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        member = tarfile.TarInfo("../../up.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"a dog"))
    (sample,) = read(tmp_path / "x.tar")
    assert (sample.key, sample.captions) == ("../../up", ("a dog",))
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar"]


def test_read__name_that_is_not_utf8(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("Köln.txt"))
    assert [sample.key for sample in read(tmp_path / "x.tar")] == ["K\ufffdln"]


def test_read__image_of_3_gib(tmp_path: Path) -> None:
    member = tarfile.TarInfo("a.jpg")
    member.size = 3 * 2**30
    small = tarfile.TarInfo("b.txt")
    with (tmp_path / "x.tar").open("wb") as file:
        file.write(member.tobuf())
        file.seek(member.size, os.SEEK_CUR)
        file.write(small.tobuf() + bytes(1024))
    samples = read(tmp_path / "x.tar")
    assert [(sample.key, sample.image) for sample in samples] == [("a", None), ("b", None)]
    assert Problem.HUGE_IMAGE in samples[0].problems


def test_read__empty_tar(tmp_path: Path, write_tar: WriteTar) -> None:
    assert read(write_tar(tmp_path / "x.tar", [])) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"<html>404 not found</html>" * 50, "is not a tar"),
        (b"too short", "is not a tar"),
        (b"\x1f\x8b\x08\x00" + bytes(range(256)) * 4, "is not a tar"),
    ],
)
def test_read__not_a_tar(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    keys, said = outcome(tmp_path / "x.tar")
    assert keys == []
    assert re.search(reason, said)


@pytest.mark.parametrize("kind", ["folder", "dangling link", "named pipe", "link to a named pipe"])
def test_read__not_a_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.tar"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "nothing")
    elif kind == "named pipe":
        os.mkfifo(path)
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    (shard,) = sources.plan([str(tmp_path / "*.tar")], Fields())
    with pytest.raises(SourceError, match=r"x\.tar cannot be read: "):
        list(sources.read(shard, Fields()))


def test_read__link_to_a_tar(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar(tmp_path / "real", [("a.txt", b"a dog")])
    (tmp_path / "x.tar").symlink_to("real")
    assert [sample.key for sample in read(tmp_path / "x.tar")] == ["a"]


def test_read__vanished_after_planning(tmp_path: Path, write_tar: WriteTar) -> None:
    tar = write_tar(tmp_path / "x.tar", [("a.txt", b"a dog")])
    (shard,) = sources.plan([str(tar)], Fields())
    tar.unlink()
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        list(sources.read(shard, Fields()))


def test_read__changed_after_planning(tmp_path: Path, write_tar: WriteTar) -> None:
    tar = write_tar(tmp_path / "x.tar", [("a.txt", b"a dog")])
    (shard,) = sources.plan([str(tar)], Fields())
    write_tar(tar, [(f"{number}.txt", b"a cat") for number in range(30)])
    with pytest.raises(SourceError, match="changed while it was read"):
        list(sources.read(shard, Fields()))


def test_read__changes_while_it_is_read(tmp_path: Path, write_tar: WriteTar) -> None:
    tar = write_tar(tmp_path / "x.tar", [(f"{number}.txt", b"a dog") for number in range(50)])
    (shard,) = sources.plan([str(tar)], Fields())
    samples = sources.read(shard, Fields())
    next(samples)
    os.truncate(tar, 4096)
    with pytest.raises(SourceError, match="changed while it was read"):
        list(samples)


@pytest.fixture
def three(tmp_path: Path, write_tar: WriteTar) -> Path:
    """Three samples; each takes 2,048 bytes of the tar."""
    members = [(f"{key}.{suffix}", b"a dog" * 50) for key in "abc" for suffix in ("jpg", "txt")]
    return write_tar(tmp_path / "x.tar", members)


@pytest.mark.parametrize(
    ("size", "keys", "reason"),
    [
        (6 * 1024 - 300, ["a", "b", "c"], "is cut off inside 'c.txt'"),
        (5 * 1024 + 200, ["a", "b", "c"], "is cut off after 'c.jpg'"),
        (5 * 1024, ["a", "b", "c"], "is cut off after 'c.jpg'"),
        (6 * 1024, ["a", "b", "c"], "is cut off after 'c.txt'"),
        (1024, ["a"], "is cut off after 'a.jpg'"),
        (700, [], "is cut off inside 'a.jpg'"),
    ],
)
def test_read__cut_off(three: Path, size: int, keys: list[str], reason: str) -> None:
    os.truncate(three, size)
    found, said = outcome(three)
    assert found == keys
    assert reason in said


def test_read__sample_cut_off_between_image_and_caption(three: Path) -> None:
    os.truncate(three, 5 * 1024 + 600)
    (shard,) = sources.plan([str(three)], Fields())
    samples: list[Sample | Leftover] = []
    with pytest.raises(SourceDamageError):
        samples += iter(sources.read(shard, Fields()))
    assert isinstance(samples[-1], Sample)
    assert samples[-1].problems == (Problem.MISSING_CAPTION,)


def test_read__header_in_the_middle_is_broken(three: Path) -> None:
    content = bytearray(three.read_bytes())
    content[4 * 1024 + 3] ^= 0xFF
    three.write_bytes(content)
    keys, said = outcome(three)
    assert keys == ["a", "b"]
    assert "is broken after 'b.txt'" in said


def test_read__member_of_negative_size(tmp_path: Path) -> None:
    member = tarfile.TarInfo("b.txt")
    member.size = -1024
    (tmp_path / "x.tar").write_bytes(
        tarfile.TarInfo("a.txt").tobuf() + member.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)
    )
    keys, said = outcome(tmp_path / "x.tar")
    assert keys == ["a"]
    assert "is broken after 'a.txt'" in said


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 4095), st.integers(1, 255)), min_size=1, max_size=8))
@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_read__broken_bytes_give_samples_or_one_clear_error(
    tmp_path: Path, write_tar: WriteTar, flips: list[tuple[int, int]], tar_format: int
) -> None:
    name = "é" * 20 if tar_format == tarfile.USTAR_FORMAT else "é" * 120
    tar = write_tar(tmp_path / "x.tar", [(f"{name}.jpg", b"x"), (f"{name}.txt", b"a dog")], tar_format=tar_format)
    content = bytearray(tar.read_bytes())
    for position, mask in flips:
        content[position] ^= mask
    tar.write_bytes(content)
    keys, said = outcome(tar)
    assert str(tar) in said or not said
    assert "".join(keys).encode().decode() == "".join(keys)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from([(124, 12), (156, 1), (0, 100), (257, 8), (345, 155), (148, 8)]),
    content=st.binary(min_size=155, max_size=155),
    at=st.integers(0, 7),
)
def test_read__well_summed_nonsense_headers(
    tmp_path: Path, write_tar: WriteTar, field: tuple[int, int], content: bytes, at: int
) -> None:
    name = "n" * 120
    tar = write_tar(
        tmp_path / "x.tar", [(f"{name}.jpg", b"x"), (f"{name}.txt", b"a dog")], tar_format=tarfile.PAX_FORMAT
    )
    data = bytearray(tar.read_bytes())
    block = data[512 * at : 512 * at + 512]
    block[field[0] : field[0] + field[1]] = content[: field[1]]
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    data[512 * at : 512 * at + 512] = block
    tar.write_bytes(data)
    keys, said = outcome(tar)
    assert str(tar) in said or (keys and not said)
