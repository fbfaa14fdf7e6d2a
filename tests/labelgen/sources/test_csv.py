import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelgen.sources import text
from labelgen.sources.csv import MAX_CELL_BYTES, _rows
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Problem
from tests.labelgen.sources.reading import read, try_reading

BROKEN, RAGGED = (Problem.BROKEN_ROW,), (Problem.RAGGED_ROW,)


@pytest.mark.parametrize(
    ("content", "captions"),
    [
        (b"caption,url\na dog,u\n", ["a dog"]),
        (b"url,text\r\nu,a dog\r\n", ["a dog"]),
        (b"\xef\xbb\xbfcaption,url\na dog,u\n", ["a dog"]),
        (b'"caption","url"\n"a dog, a cat","u"', ["a dog, a cat"]),
        (b'caption\n"a ""big"" dog"\n', ['a "big" dog']),
        (b'caption\na 5" dog\n', ['a 5" dog']),
        (b'caption,n\n"a dog\nand\r\na cat\n",1\na bird,2\n', ["a dog\nand\r\na cat\n", "a bird"]),
        ("caption\n狗\u2028\x0b\x85\n".encode(), ["狗\u2028\x0b\x85"]),
        (b"caption,n\n,1\n", [""]),
        (b"caption\n" + b"x" * 100_000 + b"\n", ["x" * 100_000]),
        (b"caption\na\0b\n", ["a\0b"]),
    ],
)
def test_csv__rows(tmp_path: Path, content: bytes, captions: list[str]) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    found = read(tmp_path / "x.csv")
    assert found.captions == [(caption,) for caption in captions]
    assert found.keys == [f"{row:09d}" for row in range(len(captions))]


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        (b"a dog\nu,v,w\na cat,u\n", [RAGGED, RAGGED, ()]),
        (b"\na cat,u\n", [RAGGED, ()]),
        (b'"a dog,u\na cat,u\na bird,u\n', [BROKEN, (), ()]),
        (b'"a dog,u\n"a cat",u\na bird,u\n', [BROKEN, (), ()]),
        (b'a cat,u\n"a "big" dog",u\na bird,u\n', [(), BROKEN, ()]),
        (b'a cat,u\n"a \\"big\\" dog",u\na bird,u', [(), BROKEN, ()]),
        (b'a cat,"u\n', [BROKEN]),
        (b"a cat\rand a dog,u\na bird,u\n", [BROKEN, ()]),
        (b"caf\xe9,u\na cat,\xff\n", [(Problem.CAPTION_NOT_UTF8,), ()]),
        (b"x" * (MAX_CELL_BYTES + 1) + b",u\na cat,u\n", [BROKEN, ()]),
        (b'"' + b"x" * MAX_CELL_BYTES + b"\na cat,u\n", [BROKEN, ()]),
    ],
)
def test_csv__bad_rows_keep_their_place(tmp_path: Path, rows: bytes, problems: list[tuple[Problem, ...]]) -> None:
    (tmp_path / "x.csv").write_bytes(b"caption,url\n" + rows)
    found = read(tmp_path / "x.csv")
    assert found.problems == problems
    assert found.keys == [f"{row:09d}" for row in range(len(problems))]
    assert all(bool(sample.captions) == (not sample.problems) for sample in found.samples)


def test_csv__chosen_columns(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "狗.jpg").write_bytes(b"picture")
    (tmp_path / "x.csv").write_text('id,alt,path,title\n7,a dog,狗.jpg,"Rex, 3"\n,a cat,http://x/y.jpg,\n')
    fields = Fields(
        caption_keys=("title", "alt"), key_column="id", image_column="path", image_root=str(tmp_path / "pictures")
    )
    found = read(tmp_path / "x.csv", fields=fields)
    assert found.keys == ["7", "000000001"]
    assert found.captions == [("Rex, 3", "a dog"), ("", "a cat")]
    assert found.problems == [(), (Problem.MISSING_KEY, Problem.MISSING_IMAGE)]
    assert found.samples[0].image is not None
    assert found.samples[0].image.file.uri == f"{tmp_path}/pictures/狗.jpg"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a dog,u\n", "has no column with a usual name for captions"),
        (b"caption;url\na dog;u\n", "It has 'caption;url'"),
        (b"", "has no column with a usual name for captions"),
        (b"caption,url\n", "has no line with a caption"),
        ("caption\n".encode("utf-16"), "is UTF-16"),
    ],
)
def test_csv__refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    (error,) = try_reading(tmp_path / "x.csv").errors
    assert error.startswith(f"{tmp_path}/x.csv ")
    assert reason in error


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    captions=st.lists(st.text(st.characters(codec="utf-8")), min_size=1),
    rows_per_shard=st.integers(1, 4),
    dialect=st.sampled_from([csv.excel, csv.unix_dialect]),
)
def test_csv__round_trip_through_the_standard_writer(
    tmp_path: Path, captions: list[str], rows_per_shard: int, dialect: type[csv.Dialect]
) -> None:
    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, dialect)
        writer.writerows([("n", "caption"), *((str(row), caption) for row, caption in enumerate(captions))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "ROWS_PER_SHARD", rows_per_shard)
        found = read(tmp_path / "x.csv")
    assert found.captions == [(caption,) for caption in captions]
    assert max(found.rows_per_shard) <= rows_per_shard


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.text(st.sampled_from('ab,"\n'), max_size=60), rows_per_shard=st.integers(1, 3))
def test_csv__no_line_is_lost_whatever_the_quotes(tmp_path: Path, body: str, rows_per_shard: int) -> None:
    content = f"caption,n\na,b\n{body}".encode()
    assert sum(row.size for row in _rows(io.BytesIO(content))) == len(content)
    (tmp_path / "x.csv").write_bytes(content)
    whole = read(tmp_path / "x.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "ROWS_PER_SHARD", rows_per_shard)
        parts = read(tmp_path / "x.csv")
    assert parts.samples == whole.samples
    assert len(parts.rows_per_shard) == -(-len(whole.samples) // rows_per_shard)


def test_csv__cc3m(test_data: Path, tmp_path: Path) -> None:
    lines = [line.split("\t") for line in (test_data / "cc3m-val.tsv").read_text().splitlines()]
    with (tmp_path / "cc3m.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("caption", "url"), *lines])
    found = read(tmp_path / "cc3m.csv")
    assert found.captions == [(caption,) for caption, _ in lines]
    assert found.rows_per_shard == [10_000, 5_833]
    assert not any(found.problems)
