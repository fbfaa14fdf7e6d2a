import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen import sources
from labelgen.sources import tsv
from labelgen.sources.sample import InputShard, Problem, Sample, SourceError
from labelshards.errors import CatlipError

WriteTar = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_tar: WriteTar) -> Path:
    for number in range(12):
        write_tar(tmp_path / f"{number:05d}.tar", [(f"{number}.txt", b"a dog")])
    return tmp_path


def names(*patterns: object) -> list[str]:
    return [shard.name for shard in sources.plan([str(pattern) for pattern in patterns])]


def test_plan__brace_range(folder: Path) -> None:
    assert names(folder / "{00000..00002}.tar") == ["00000", "00001", "00002"]
    assert names(folder / "{00009,00003}.tar") == ["00009", "00003"]


def test_plan__glob_is_sorted(folder: Path) -> None:
    assert names(folder / "*.tar") == [f"{number:05d}" for number in range(12)]
    assert names(folder / "0001[01].tar") == ["00010", "00011"]


def test_plan__same_file_counts_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert names(folder / "00001.tar", "00001.tar", f"file://{folder}/00001.tar", "./*1.tar") == ["00001", "00011"]


def test_plan__order_of_the_sources_is_kept(folder: Path) -> None:
    assert names(folder / "00005.tar", folder / "00001.tar") == ["00005", "00001"]


def test_plan__uris_are_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (shard,) = sources.plan(["00001.tar"])
    assert shard.uri == shard.image_files[0].uri == f"{folder}/00001.tar"


def test_plan__brackets_in_a_real_name(tmp_path: Path, write_tar: WriteTar) -> None:
    (tmp_path / "set[1]").mkdir()
    write_tar(tmp_path / "set[1]" / "a.tar", [])
    assert names(tmp_path / "set[1]" / "a.tar") == ["a"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a/0.tar", "b/0.tar"], ["a-0", "b-0"]),
        (["a/x/0.tar", "b/x/0.tar", "b/x/1.tar"], ["a-x-0", "b-x-0", "b-x-1"]),
        (["x/a-b.tar", "x/a/b.tar"], ["a-b", "b"]),
        (["0.tar", "a/0.tar"], None),
        (["x.terms.tar", "x.tar"], ["x.terms", "x"]),
    ],
)
def test_plan__names_are_unique(
    tmp_path: Path, write_tar: WriteTar, files: list[str], expected: list[str] | None
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        write_tar(tmp_path / file, [])
    found = names(*(tmp_path / file for file in files))
    assert found == (expected or [f"{tmp_path.name}-0", "a-0"])


@given(st.sets(st.lists(st.sampled_from(["a", "b", "a-b", "-"]), min_size=1, max_size=4).map("/".join), min_size=1))
def test_named__unique_or_refused(files: set[str]) -> None:
    shards = [InputShard(name="{stem}", uri=f"/{file}.tar", format="tar", identity="", size=0) for file in files]
    with contextlib.suppress(SourceError):  # refusing is right, too
        found = [shard.name for shard in sources._named(shards)]
        assert len(set(found)) == len(found)
        assert all("/" not in name for name in found)


def test_plan__two_files_that_cannot_be_told_apart(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar(tmp_path / "x.tar", [])
    (tmp_path / "x.tsv").write_text("a dog\tu\n")
    with pytest.raises(SourceError, match=r"x\.tar and .*x\.tsv would get label shards of one name\. Rename one"):
        names(tmp_path / "x.tar", tmp_path / "x.tsv")


def test_plan__parts_of_a_tsv_and_a_file_of_that_name(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar(tmp_path / "x-00001.tar", [])
    (tmp_path / "x.tsv").write_text("a dog\tu\n" * (tsv.ROWS_PER_SHARD + 1))
    with pytest.raises(SourceError, match="label shards of one name"):
        names(tmp_path / "x-00001.tar", tmp_path / "x.tsv")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("nothing.tar", "No file matches '.*nothing.tar'"),
        ("*.zip", "No file matches"),
        ("{00000..00099}.tar", r"No file matches '.*00012\.tar' \(from '.*\{00000\.\.00099\}\.tar'\)"),
        ("{00000..", "braces in .* are not balanced"),
        ("00000.tar.gz", "is compressed, so no image in it can be reached"),
        ("00000.parquet", r"is of no known format\. Known: \.tar, \.tsv"),
        ("", "is a folder. Name its files, for example '.*/\\*.tar'"),
    ],
)
def test_plan__refuses(folder: Path, pattern: str, reason: str) -> None:
    (folder / "00000.tar.gz").touch()
    (folder / "00000.parquet").touch()
    with pytest.raises(CatlipError, match=reason):
        names(f"{folder}/{pattern}")


def test_plan__name_that_is_not_utf8(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"\xff.tar")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(SourceError, match="cannot be written down"):
        names(tmp_path / "*.tar")


def read_tsv(path: Path) -> list[list[Sample]]:
    return [list(sources.read(shard, ())) for shard in sources.plan([str(path)])]


@pytest.mark.parametrize(
    ("content", "captions"),
    [
        (b"a dog\thttp://u/1\na cat\thttp://u/2\n", ["a dog", "a cat"]),
        (b"caption\turl\na dog\tu\n", ["a dog"]),
        (b"caption\turl\r\na dog\tu\r\n", ["a dog"]),
        (b"a dog\tu\r\na cat\tu", ["a dog", "a cat"]),
        (b"no tab\n\n\tonly url\n", ["no tab", "", ""]),
        (b"one\ttwo\tthree\n", ["one"]),
        ("ein Hund\u2028auf\x0bGras\tu\n狗\tu\n".encode(), ["ein Hund\u2028auf\x0bGras", "狗"]),
        (b"a 'quoted\" dog\tu\n", ["a 'quoted\" dog"]),
    ],
)
def test_tsv__lines(tmp_path: Path, content: bytes, captions: list[str]) -> None:
    (tmp_path / "x.tsv").write_bytes(content)
    (samples,) = read_tsv(tmp_path / "x.tsv")
    assert [sample.captions for sample in samples] == [(caption,) for caption in captions]
    assert [sample.key for sample in samples] == [f"{row:09d}" for row in range(len(captions))]


def test_tsv__line_that_is_not_utf8_keeps_its_row(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_bytes(b"a dog\tu\ncaf\xe9\tu\na cat\tu\n")
    (samples,) = read_tsv(tmp_path / "x.tsv")
    assert [sample.captions for sample in samples] == [("a dog",), (), ("a cat",)]
    assert samples[1].problems == (Problem.CAPTION_NOT_UTF8,)


@pytest.mark.parametrize("content", [b"", b"caption\turl\n"])
def test_tsv__nothing_in_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tsv").write_bytes(content)
    with pytest.raises(SourceError, match="has no line with a caption"):
        read_tsv(tmp_path / "x.tsv")


@pytest.mark.parametrize("kind", ["folder", "dangling link", "named pipe"])
def test_tsv__not_a_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.tsv"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to("nothing")
    else:
        os.mkfifo(path)
    (shard,) = sources.plan([str(tmp_path / "*.tsv")])
    with pytest.raises(SourceError, match=r"x\.tsv cannot be read: "):
        list(sources.read(shard, ()))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("header", [b"", b"caption\turl\n"])
@pytest.mark.parametrize("rows", [1, 3, 4, 9])
def test_tsv__long_files_are_cut_into_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, end: bytes, header: bytes
) -> None:
    monkeypatch.setattr(tsv, "ROWS_PER_SHARD", 3)
    lines = [f"caption {row}\tu".encode() for row in range(rows)]
    (tmp_path / "x.tsv").write_bytes(header + (end or b"\n").join(lines) + end)
    shards = read_tsv(tmp_path / "x.tsv")
    assert [len(shard) for shard in shards] == [min(3, rows - first) for first in range(0, rows, 3)]
    samples = [sample for shard in shards for sample in shard]
    assert [(sample.key, sample.captions) for sample in samples] == [
        (f"{row:09d}", (f"caption {row}",)) for row in range(rows)
    ]


def test_tsv__cc3m_in_shards_of_10_000(test_data: Path) -> None:
    shards = sources.plan([str(test_data / "cc3m-val.tsv")])
    assert [shard.name for shard in shards] == ["cc3m-val-00000", "cc3m-val-00001"]
    sizes = [len(list(sources.read(shard, ()))) for shard in shards]
    assert sizes == [10_000, 5_833]
