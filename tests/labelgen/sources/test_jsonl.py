import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelgen.sources import text
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Problem
from tests.labelgen.sources.reading import read, try_reading


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize(
    ("record", "captions"),
    [
        ({"caption": "a dog"}, ("a dog",)),
        ({"TEXT": "a dog", "URL": "u"}, ("a dog",)),
        ({"captions": ["a dog", None, "a cat"], "caption": "no"}, ("a dog", "a cat")),
        ({"caption": "狗 \u2028\n\t\0 \ud83d"}, ("狗 \u2028\n\t\0 \ud83d",)),
        ({"caption": ""}, ("",)),
        ({"caption": "x" * 100_000}, ("x" * 100_000,)),
    ],
)
def test_jsonl__captions(tmp_path: Path, record: object, captions: tuple[str, ...]) -> None:
    found = read(write(tmp_path / "x.jsonl", record, {"caption": "last"}))
    assert found.captions == [captions, ("last",)]
    assert found.keys == ["000000000", "000000001"]
    assert not any(found.problems)


def test_jsonl__bad_lines_keep_their_place(tmp_path: Path) -> None:
    lines = [
        b'{"caption": "a dog"}',
        b'{"caption": "a dog"',
        b'["a dog"]',
        b"null",
        b"",
        b'{"caption": "caf\xe9"}',
        b'{"caption": null}',
        b'{"caption": 7}',
        b'{"url": "u"}',
        b'{"caption": "a", "n": NaN}\r',
        b'{"caption": "cut off',
    ]
    (tmp_path / "x.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines))
    found = read(tmp_path / "x.jsonl")
    broken, missing = (Problem.BROKEN_JSON,), (Problem.MISSING_CAPTION,)
    assert found.problems == [(), *[broken] * 5, *[missing] * 3, (), broken]
    assert found.keys == [f"{row:09d}" for row in range(len(lines))]
    assert found.captions[9] == ("a",)


def test_jsonl__chosen_fields(tmp_path: Path) -> None:
    (tmp_path / "dog.jpg").write_bytes(b"picture")
    (tmp_path / "empty.jpg").touch()
    path = write(
        tmp_path / "x.jsonl",
        {"id": 7, "alt": "a dog", "title": ["Rex"], "path": "dog.jpg"},
        {"id": "7", "alt": "a cat", "path": "empty.jpg"},
        {"id": "\ud83d", "alt": "a bird", "path": "../x\0"},
        {"alt": "a fish", "path": None},
    )
    found = read(path, fields=Fields(caption_keys=("title", "alt"), key_column="id", image_column="path"))
    assert found.keys == ["7", "7", "000000002", "000000003"]
    assert found.captions == [("Rex", "a dog"), ("a cat",), ("a bird",), ("a fish",)]
    assert found.problems == [
        (),
        (Problem.DUPLICATE_KEY, Problem.EMPTY_IMAGE),
        (Problem.MISSING_KEY, Problem.MISSING_IMAGE),
        (Problem.MISSING_KEY, Problem.MISSING_IMAGE),
    ]
    assert [sample.image is not None for sample in found.samples] == [True, False, False, False]


def test_jsonl__no_line_has_the_field(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"alt": "a dog", "url": "u"})
    assert try_reading(path).errors == [
        f"{path} has no field captions or caption or text or TEXT or alt_text or title. Its first line has 'alt', "
        "'url'. Name one with --caption-key."
    ]
    assert "has no field text" in try_reading(path, fields=Fields(caption_keys=("text",))).errors[0]


@pytest.mark.parametrize(("suffix", "compress"), [("gz", gzip.compress), ("xz", lzma.compress), ("bz2", bz2.compress)])
def test_jsonl__compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(text, "ROWS_PER_SHARD", 300)
    path = tmp_path / f"x.jsonl.{suffix}"
    path.write_bytes(compress("".join(json.dumps({"caption": f"dog {row}"}) + "\n" for row in range(1000)).encode()))
    found = read(path)
    assert found.rows_per_shard == [300, 300, 300, 100]
    assert found.captions == [(f"dog {row}",) for row in range(1000)]


def test_jsonl__compressed_and_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "ROWS_PER_SHARD", 20_000)
    content = "".join(json.dumps({"caption": f"dog {row * 7919}"}) + "\n" for row in range(50_000)).encode()
    packed = gzip.compress(content)
    (tmp_path / "x.jsonl.gz").write_bytes(packed[: len(packed) * 3 // 4])
    found = try_reading(tmp_path / "x.jsonl.gz")
    assert len(found.errors) == 1
    assert "x.jsonl.gz is cut off or broken (" in found.errors[0]
    assert 30_000 < len(found.samples) < 50_000
    assert found.captions == [(f"dog {row * 7919}",) for row in range(len(found.samples))]
    (tmp_path / "x.jsonl.gz").write_bytes(b"no gzip at all")
    assert "x.jsonl.gz cannot be decompressed: " in try_reading(tmp_path / "x.jsonl.gz").errors[0]
    (tmp_path / "x.jsonl.gz").write_bytes(packed[:-8] + bytes(8))  # another checksum
    found = try_reading(tmp_path / "x.jsonl.gz")
    assert "is cut off or broken" in found.errors[0]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(captions=st.lists(st.one_of(st.text(), st.lists(st.text(), min_size=1)), min_size=1), ascii_only=st.booleans())
def test_jsonl__round_trip(tmp_path: Path, captions: list[str | list[str]], ascii_only: bool) -> None:
    lines = [json.dumps({"caption": caption}, ensure_ascii=ascii_only) + "\n" for caption in captions]
    (tmp_path / "x.jsonl").write_text("".join(lines), encoding="utf-8", newline="")
    assert read(tmp_path / "x.jsonl").captions == [
        (caption,) if isinstance(caption, str) else tuple(caption) for caption in captions
    ]


def test_jsonl__flickr8k(test_data: Path, tmp_path: Path) -> None:
    from_tar = read(test_data / "flickr8k" / "val" / "00000.tar")
    records = [{"key": sample.key, "captions": sample.captions} for sample in from_tar.samples]
    found = read(write(tmp_path / "x.jsonl", *records))
    assert (found.keys, found.captions) == (from_tar.keys, from_tar.captions)
    assert not any(found.problems)
