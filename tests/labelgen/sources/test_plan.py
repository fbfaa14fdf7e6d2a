import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen import sources
from labelgen.sources.fields import Fields
from labelgen.sources.rows import ROWS_PER_SHARD
from labelgen.sources.sample import InputShard, SourceError
from labelshards.errors import CatlipError

WriteTar = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_tar: WriteTar) -> Path:
    for number in range(12):
        write_tar(tmp_path / f"{number:05d}.tar", [(f"{number}.txt", b"a dog")])
    return tmp_path


def names(*patterns: object) -> list[str]:
    return [shard.name for shard in sources.plan([str(pattern) for pattern in patterns], Fields())]


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
    (shard,) = sources.plan(["00001.tar"], Fields())
    assert shard.uri == f"{folder}/00001.tar"


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
        found = [shard.name for shard in sources.named(shards)]
        assert len(set(found)) == len(found)
        assert all("/" not in name for name in found)


def test_plan__two_files_that_cannot_be_told_apart(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar(tmp_path / "x.tar", [])
    (tmp_path / "x.tsv").write_text("a dog\tu\n")
    with pytest.raises(SourceError, match=r"x\.tar and .*x\.tsv would get label shards of one name\. Rename one"):
        names(tmp_path / "x.tar", tmp_path / "x.tsv")


def test_plan__parts_of_a_tsv_and_a_file_of_that_name(tmp_path: Path, write_tar: WriteTar) -> None:
    write_tar(tmp_path / "x-00001.tar", [])
    (tmp_path / "x.tsv").write_text("a dog\tu\n" * (ROWS_PER_SHARD + 1))
    with pytest.raises(SourceError, match="label shards of one name"):
        names(tmp_path / "x-00001.tar", tmp_path / "x.tsv")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("nothing.tar", "No file matches '.*nothing.tar'"),
        ("*.zip", "No file matches"),
        ("{90000..90099}.tar", r"No file matches '.*90000\.tar' \(from '.*\{90000\.\.90099\}\.tar'\)"),
        ("{00000,nothing/*}.tar", r"No file matches '.*nothing/\*\.tar' \(from '.*'\)"),
        ("{00000..", "braces in .* are not balanced"),
        ("00000.tar.gz", "is compressed, so no image in it can be reached"),
        ("00000.html", r"is of no known format\. Known: \.tar, \.parquet, .*; or say what it is with --input-format"),
        ("", "is a folder without pictures. Name its files, for example '.*/\\*.tar'"),
    ],
)
def test_plan__refuses(folder: Path, pattern: str, reason: str) -> None:
    (folder / "00000.tar.gz").touch()
    (folder / "00000.html").write_text("<html>404</html>")
    with pytest.raises(CatlipError, match=reason):
        names(f"{folder}/{pattern}")


def test_plan__missing_files_of_a_range_are_shards_too(folder: Path) -> None:
    (folder / "00005.tar").unlink()
    shards = sources.plan([f"{folder}/{{00000..00020}}.tar"], Fields())
    assert [shard.name for shard in shards if not shard.identity] == [f"{n:05d}" for n in (5, *range(12, 21))]
    with pytest.raises(SourceError, match=r"00005\.tar cannot be read: No such file"):
        list(sources.read(shards[5], Fields()))


def test_plan__name_that_is_not_utf8(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"\xff.tar")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(SourceError, match="cannot be written down"):
        names(tmp_path / "*.tar")
