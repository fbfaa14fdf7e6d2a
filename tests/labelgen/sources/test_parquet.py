from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelgen.sources import rows
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Problem
from tests.labelgen.sources.reading import read, try_reading

NOT_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\4\0\0\0\6\0\0\0"), pa.py_buffer(b"caf\xe9ok")]
)


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:  # noqa: ANN401
    pq.write_table(pa.table(columns), path, **options)
    return path


@pytest.mark.parametrize(
    ("column", "captions", "problem"),
    [
        (["a dog", "a cat"], [("a dog",), ("a cat",)], None),
        ([["a dog", None, "狗"], ["a cat"]], [("a dog", "狗"), ("a cat",)], None),
        (["", "x" * 100_000], [("",), ("x" * 100_000,)], None),
        ([None, "a cat"], [(), ("a cat",)], Problem.MISSING_CAPTION),
        ([None, ["a cat"]], [(), ("a cat",)], Problem.MISSING_CAPTION),
        ([[], ["a cat"]], [(), ("a cat",)], Problem.MISSING_CAPTION),
        (NOT_UTF8, [(), ("ok",)], Problem.CAPTION_NOT_UTF8),
        (pa.array([b"a dog", b"a cat"]), [("a dog",), ("a cat",)], None),
        (pa.array(["a dog", "a cat"], pa.large_string()), [("a dog",), ("a cat",)], None),
        (pa.array(["a dog", "a cat"], pa.string_view()), [("a dog",), ("a cat",)], None),
        (pa.array(["a dog", "a cat"]).dictionary_encode(), [("a dog",), ("a cat",)], None),
        (pa.array([["a dog"], ["a cat"]], pa.large_list(pa.large_string())), [("a dog",), ("a cat",)], None),
    ],
)
def test_parquet__captions(
    tmp_path: Path, column: object, captions: list[tuple[str, ...]], problem: Problem | None
) -> None:
    found = read(write(tmp_path / "x.parquet", {"url": ["u", "v"], "caption": column}))
    assert found.captions == captions
    assert found.problems == [() if problem is None else (problem,), ()]
    assert found.keys == ["000000000", "000000001"]


def test_parquet__img2dataset(test_data: Path) -> None:
    folder = test_data / "flickr8k" / "val"
    from_tar, found = read(folder / "00000.tar"), read(folder / "00000.parquet")
    assert (found.keys, found.captions) == (from_tar.keys, from_tar.captions)
    assert not any(found.problems)
    first = read(folder / "00000.parquet", fields=Fields(caption_keys=("caption",)))
    assert first.captions == [captions[:1] for captions in from_tar.captions]


def test_parquet__chosen_columns(tmp_path: Path) -> None:
    (tmp_path / "dog.jpg").write_bytes(b"picture")
    columns = {
        "id": pa.array([7, 7, None]),
        "path": ["dog.jpg", f"{tmp_path}/dog.jpg", f"file://{tmp_path}/gone.jpg"],
        "alt": ["a dog", "a cat", "a bird"],
        "more": [["Rex"], None, []],
    }
    fields = Fields(caption_keys=("more", "alt"), key_column="id", image_column="path")
    found = read(write(tmp_path / "x.parquet", columns), fields=fields)
    assert found.keys == ["7", "7", "000000002"]
    assert found.captions == [("Rex", "a dog"), ("a cat",), ("a bird",)]
    assert found.problems == [(), (Problem.DUPLICATE_KEY,), (Problem.MISSING_KEY, Problem.MISSING_IMAGE)]
    images = [sample.image for sample in found.samples]
    assert images[0] == images[1] != images[2] is None


@pytest.mark.parametrize("row_group_size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("num_rows", [1, 3, 10])
def test_parquet__row_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group_size: int, num_rows: int
) -> None:
    monkeypatch.setattr(rows, "ROWS_PER_SHARD", 3)
    captions = [f"caption {row}" for row in range(num_rows)]
    found = read(write(tmp_path / "x.parquet", {"caption": captions}, row_group_size=row_group_size))
    assert found.captions == [(caption,) for caption in captions]
    assert found.keys == [f"{row:09d}" for row in range(num_rows)]
    assert found.rows_per_shard == [min(3, num_rows - first) for first in range(0, num_rows, 3)]


@pytest.mark.parametrize(
    ("columns", "fields", "reason"),
    [
        ({"alt": ["a dog"]}, Fields(), "has no column with a usual name for captions (captions, "),
        ({"caption": ["a dog"]}, Fields(caption_keys=("alt",)), "has no column 'alt'. It has 'caption'."),
        ({"caption": [7]}, Fields(), "has int64 in 'caption': captions are text or lists of text."),
        (
            {"caption": ["a dog"], "p": [{"bytes": b"x"}]},
            Fields(image_column="p"),
            "has struct<bytes: binary> in 'p', which is no path.",
        ),
        ({"caption": pa.array([], pa.string())}, Fields(), "has no row."),
    ],
)
def test_parquet__columns_that_do_not_fit(
    tmp_path: Path, columns: dict[str, object], fields: Fields, reason: str
) -> None:
    (error,) = try_reading(write(tmp_path / "x.parquet", columns), fields=fields).errors
    assert error.startswith(f"{tmp_path}/x.parquet {reason}")


def test_parquet__embedded_pictures_are_no_paths(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.parquet", {"text": ["a dog"], "image": [{"bytes": b"x", "path": "y"}]}))
    assert (found.captions, found.problems) == ([("a dog",)], [()])


@pytest.mark.parametrize("size", [0, 3, 100, -1])
def test_parquet__cut_off(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "x.parquet", {"caption": ["a dog"] * 1000})
    path.write_bytes(path.read_bytes()[:size])
    found = try_reading(path)
    assert found.samples == []
    assert found.errors[0].startswith(f"{path} is not a whole Parquet file (")
    assert "\n" not in found.errors[0]


def test_parquet__broken_in_the_middle(tmp_path: Path) -> None:
    captions = [f"caption {row}" for row in range(40_000)]
    path = write(tmp_path / "x.parquet", {"caption": captions}, row_group_size=5_000, use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20_000] = bytes(20_000)
    path.write_bytes(content)
    found = try_reading(path)
    assert found.errors
    assert all(error.startswith(f"{path} is broken (") for error in found.errors)
    assert set(found.captions) <= {(caption,) for caption in captions}
    assert len(found.samples) >= 10_000


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(captions=st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=1), min_size=1))
def test_parquet__round_trip(tmp_path: Path, captions: list[list[str]]) -> None:
    assert read(write(tmp_path / "x.parquet", {"captions": captions})).captions == [tuple(texts) for texts in captions]
