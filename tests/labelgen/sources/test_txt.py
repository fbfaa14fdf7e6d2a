from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelgen import sources
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Problem, SourceError
from tests.labelgen.sources.reading import read, try_reading


def test_txt__lines(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbfa dog, a\tcat\r\n\ncaf\xe9\n" + "狗\u2028".encode())
    found = read(tmp_path / "x.txt")
    assert found.captions == [("a dog, a\tcat",), ("",), (), ("狗\u2028",)]
    assert found.problems == [(), (), (Problem.CAPTION_NOT_UTF8,), ()]
    assert found.keys == [f"{row:09d}" for row in range(4)]


def test_txt__nothing_in_it(tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()
    assert try_reading(tmp_path / "x.txt").errors == [f"{tmp_path}/x.txt has no line with a caption."]


def test_txt__changed_after_planning(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a dog\n")
    (shard,) = sources.plan([str(tmp_path / "x.txt")], Fields())
    (tmp_path / "x.txt").write_text("a dog\na cat\n")
    with pytest.raises(SourceError, match="changed while it was read"):
        list(sources.read(shard, Fields()))
    (tmp_path / "x.txt").unlink()
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        list(sources.read(shard, Fields()))


def test_txt__cc3m(test_data: Path, tmp_path: Path) -> None:
    captions = [line.split("\t")[0] for line in (test_data / "cc3m-val.tsv").read_text().splitlines()]
    (tmp_path / "x.txt").write_text("\n".join(captions))
    assert read(tmp_path / "x.txt").captions == [(caption,) for caption in captions]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(captions=st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8")), min_size=1))
def test_txt__round_trip(tmp_path: Path, captions: list[str]) -> None:
    (tmp_path / "x.txt").write_bytes("".join(f"{caption}\n" for caption in ["", *captions]).encode())
    assert read(tmp_path / "x.txt").captions == [("",), *((caption,) for caption in captions)]
