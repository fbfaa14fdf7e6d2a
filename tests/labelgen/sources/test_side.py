from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelgen import sources
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Problem, SourceError
from tests.labelgen.sources.reading import read, try_reading

SIDE = Fields(captions_from="parquet:caption")


@pytest.fixture
def tar(tmp_path: Path, write_tar: Callable[..., Path]) -> Path:
    members = [(f"{key}.{suffix}", b"from the tar") for key in "abc" for suffix in ("jpg", "txt")]
    return write_tar(tmp_path / "x.tar", members)


def write_side(tmp_path: Path, **columns: object) -> None:
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")


def test_side__img2dataset(test_data: Path) -> None:
    tar = test_data / "flickr8k" / "val" / "00000.tar"
    from_tar = read(tar)
    assert read(tar, fields=Fields(captions_from="parquet:captions")) == from_tar
    assert read(tar, fields=SIDE).captions == [captions[:1] for captions in from_tar.captions]


def test_side__joined_by_key(tmp_path: Path, tar: Path) -> None:
    write_side(tmp_path, key=["c", "z", "a", None, "c", "y"], caption=["C1", "Z", None, "n", "C2", "Y"])
    found = read(tar, fields=SIDE)
    assert found.keys == ["a", "b", "c"]
    assert found.captions == [(), (), ("C1", "C2")]
    missing = (Problem.MISSING_CAPTION,)
    assert found.problems == [missing, missing, (Problem.DUPLICATE_SIDE_KEY,)]
    assert found.leftovers == {Problem.CAPTION_OF_NO_MEMBER: 3}
    assert all(sample.image for sample in found.samples)


def test_side__other_columns_and_numbers_as_keys(tmp_path: Path, write_tar: Callable[..., Path]) -> None:
    tar = write_tar(tmp_path / "x.tar", [("7.jpg", b"x"), ("8.jpg", b"x")])
    write_side(tmp_path, id=[8, 7], texts=[["a dog"], ["a cat", "a kitten"]])
    found = read(tar, fields=Fields(captions_from="parquet:texts", key_column="id"))
    assert found.captions == [("a cat", "a kitten"), ("a dog",)]


def test_side__missing(tmp_path: Path, tar: Path) -> None:
    assert try_reading(tar, fields=SIDE).errors == [f"{tmp_path}/x.parquet cannot be read: No such file or directory."]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"id": ["a"], "caption": ["A"]}, "has no column 'key' to take captions by. It has 'id', 'caption'."),
        ({"key": ["a"], "text": ["A"]}, "has no column 'caption' to take captions by."),
        ({"key": ["x"], "caption": ["A"]}, "has none of the tar's keys, the first of which is 'a'."),
    ],
)
def test_side__does_not_fit(tmp_path: Path, tar: Path, columns: dict[str, list[str]], reason: str) -> None:
    write_side(tmp_path, **columns)
    (error,) = try_reading(tar, fields=SIDE).errors
    assert error.startswith(f"{tmp_path}/x.parquet {reason}")


def test_side__cut_off(tmp_path: Path, tar: Path) -> None:
    write_side(tmp_path, key=["a"], caption=["A"])
    (tmp_path / "x.parquet").write_bytes((tmp_path / "x.parquet").read_bytes()[:-1])
    assert "x.parquet is not a whole Parquet file" in try_reading(tar, fields=SIDE).errors[0]


def test_side__changed_after_planning(tmp_path: Path, tar: Path) -> None:
    write_side(tmp_path, key=["a"], caption=["A"])
    (shard,) = sources.plan([str(tar)], SIDE)
    write_side(tmp_path, key=["a"], caption=["another"])
    with pytest.raises(SourceError, match=r"x\.parquet changed while it was read"):
        list(sources.read(shard, SIDE))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (Fields(captions_from="json:caption"), "must read parquet:COLUMN"),
        (Fields(captions_from="parquet"), "must read parquet:COLUMN"),
        (Fields(captions_from="parquet:caption", caption_keys=("x",)), "not both"),
        (Fields(key_column="id"), "--key-column goes with --captions-from"),
        (Fields(image_column="x"), "is read as tar, which has no use for --image-column"),
    ],
)
def test_side__options_that_do_not_fit(tar: Path, fields: Fields, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        sources.plan([str(tar)], fields)
