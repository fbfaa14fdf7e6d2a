import gzip
import os
import random
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelgen.sources import text
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Problem
from tests.labelgen.sources.reading import read, try_reading


@pytest.mark.parametrize(
    ("content", "captions"),
    [
        (b"a dog\thttp://u/1\na cat\thttp://u/2\n", ["a dog", "a cat"]),
        (b"caption\turl\na dog\tu\n", ["a dog"]),
        (b"caption\turl\r\na dog\tu\r\n", ["a dog"]),
        (b"URL\tTEXT\nu\ta dog\n", ["a dog"]),
        (b"\xef\xbb\xbfcaption\turl\na dog\tu\n", ["a dog"]),
        (b"\xef\xbb\xbfa dog\tu\n", ["a dog"]),
        (b"a dog\tu\r\na cat\tu", ["a dog", "a cat"]),
        (b"no tab\n\n\tonly url\n", ["no tab", "", ""]),
        (b"one\ttwo\tthree\n", ["one"]),
        ("ein Hund\u2028auf\x0bGras\tu\n狗\tu\n".encode(), ["ein Hund\u2028auf\x0bGras", "狗"]),
        (b'a \'quoted" dog\tu\n"a cat\tu\n', ["a 'quoted\" dog", '"a cat']),
        (b"x" * 100_000 + b"\tu\n", ["x" * 100_000]),
    ],
)
def test_tsv__lines(tmp_path: Path, content: bytes, captions: list[str]) -> None:
    (tmp_path / "x.tsv").write_bytes(content)
    found = read(tmp_path / "x.tsv")
    assert found.captions == [(caption,) for caption in captions]
    assert found.keys == [f"{row:09d}" for row in range(len(captions))]


def test_tsv__chosen_columns(tmp_path: Path) -> None:
    (tmp_path / "dog.jpg").write_bytes(b"picture")
    (tmp_path / "x.tsv").write_text("id\talt\tpath\ttitle\n7\ta dog\tdog.jpg\tRex\n7\ta cat\tgone.jpg\t\n")
    fields = Fields(caption_keys=("title", "alt"), key_column="id", image_column="path")
    found = read(tmp_path / "x.tsv", fields=fields)
    assert found.keys == ["7", "7"]
    assert found.captions == [("Rex", "a dog"), ("", "a cat")]
    assert found.problems == [(), (Problem.DUPLICATE_KEY, Problem.MISSING_IMAGE)]
    image = found.samples[0].image
    assert image is not None
    assert (image.file.uri, image.file.bytes, image.offset, image.size) == (f"{tmp_path}/dog.jpg", 7, 0, 7)


def test_tsv__ragged_rows_keep_their_place(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_bytes(b"url\tcaption\nu\ta dog\nu\n\nu\ta\ttab\nu\ta cat\n")
    found = read(tmp_path / "x.tsv")
    assert found.captions == [("a dog",), (), (), (), ("a cat",)]
    assert found.problems[1:4] == [(Problem.RAGGED_ROW,)] * 3
    assert found.keys[4] == "000000004"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (Fields(caption_keys=("alt",)), r"has no column 'alt'\. It has 'caption', 'url', 'url'"),
        (Fields(key_column="id"), "has no column 'id'"),
        (Fields(image_column="url"), "has the column 'url' more than once"),
        (Fields(image_root="/pictures"), "has no column with a usual name for image paths"),
    ],
)
def test_tsv__columns_that_are_not_there(tmp_path: Path, fields: Fields, reason: str) -> None:
    (tmp_path / "x.tsv").write_text("caption\turl\turl\na dog\tu\tu\n" * (10_001))
    (error,) = try_reading(tmp_path / "x.tsv", fields=fields).errors
    assert Path(error.split(" has ")[0]) == tmp_path / "x.tsv"
    assert reason.replace("\\", "") in error


def test_tsv__line_that_is_not_utf8_keeps_its_row(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_bytes(b"a dog\tu\ncaf\xe9\tu\na cat\tu\n")
    found = read(tmp_path / "x.tsv")
    assert found.captions == [("a dog",), (), ("a cat",)]
    assert found.problems[1] == (Problem.CAPTION_NOT_UTF8,)


@pytest.mark.parametrize("content", [b"", b"caption\turl\n", b"caption\turl", b"\xef\xbb\xbf"])
def test_tsv__nothing_in_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tsv").write_bytes(content)
    assert try_reading(tmp_path / "x.tsv").errors == [f"{tmp_path}/x.tsv has no line with a caption."]


def test_tsv__compressed_and_cut_off_inside_the_header(tmp_path: Path) -> None:
    names = "".join(random.Random(0).choices(string.ascii_letters, k=5_000))
    (tmp_path / "x.tsv.gz").write_bytes(gzip.compress(f"caption\t{names}\na dog\tu\n".encode())[:3_000])
    (error,) = try_reading(tmp_path / "x.tsv.gz").errors
    assert error.startswith(f"{tmp_path}/x.tsv.gz cannot be decompressed: ")


def test_tsv__utf16(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_bytes("a dog\tu\n".encode("utf-16"))
    assert try_reading(tmp_path / "x.tsv").errors == [f"{tmp_path}/x.tsv is UTF-16. Save it as UTF-8."]


@pytest.mark.parametrize("kind", ["folder", "dangling link", "named pipe"])
@pytest.mark.parametrize("suffix", ["tsv", "csv", "jsonl", "txt", "json", "parquet"])
def test_plan__not_a_file(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to("nothing")
    else:
        os.mkfifo(path)
    (error,) = try_reading(tmp_path / f"*.{suffix}").errors
    assert error.startswith(f"{path} cannot be read: ")


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("header", [b"", b"caption\turl\n"])
@pytest.mark.parametrize("rows", [1, 3, 4, 9])
def test_tsv__long_files_are_cut_into_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, end: bytes, header: bytes
) -> None:
    monkeypatch.setattr(text, "ROWS_PER_SHARD", 3)
    lines = [f"caption {row}\tu".encode() for row in range(rows)]
    (tmp_path / "x.tsv").write_bytes(header + (end or b"\n").join(lines) + end)
    found = read(tmp_path / "x.tsv")
    assert found.rows_per_shard == [min(3, rows - first) for first in range(0, rows, 3)]
    assert found.captions == [(f"caption {row}",) for row in range(rows)]
    assert found.keys == [f"{row:09d}" for row in range(rows)]


def test_tsv__cc3m_in_shards_of_10_000(test_data: Path) -> None:
    found = read(test_data / "cc3m-val.tsv")
    assert found.rows_per_shard == [10_000, 5_833]
    lines = (test_data / "cc3m-val.tsv").read_text().splitlines()
    assert found.captions == [(line.split("\t")[0],) for line in lines]
    assert not any(found.problems)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(captions=st.lists(st.text(st.characters(exclude_characters="\t\n\r", codec="utf-8")), min_size=1))
def test_tsv__round_trip(tmp_path: Path, captions: list[str]) -> None:
    (tmp_path / "x.tsv").write_bytes("".join(f"u\t{caption}\n" for caption in ["caption", *captions]).encode())
    assert read(tmp_path / "x.tsv").captions == [(caption,) for caption in captions]
