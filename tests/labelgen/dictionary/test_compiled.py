"""Cached arrays: made once, and again when the file is stale or broken."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from labelgen.dictionary.compiled import compiled


class Maker:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, pa.Array]:
        self.times += 1
        return {"numbers": pa.array(np.arange(1_000)), "texts": pa.array(["a", "b"])}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path))
    return tmp_path / "compiled"


def values(name: str, key: str, make: Maker) -> list[object]:
    return [array.to_pylist() for array in compiled(name, key, make).values()]


def test_compiled__made_once(cache: Path) -> None:
    make = Maker()
    first, again, other = (values("x", key, make) for key in ("1", "1", "2"))
    assert first == again == other == [list(range(1_000)), ["a", "b"]]
    assert make.times == 2
    assert {file.name for file in cache.iterdir()} == {"x-1.arrow", "x-2.arrow"}


@pytest.mark.parametrize("content", [b"", b"short", b"0123456789abcdef and no Arrow stream"])
def test_compiled__broken_is_made_again(cache: Path, content: bytes) -> None:
    make = Maker()
    values("x", "1", make)
    (cache / "x-1.arrow").write_bytes(content)
    assert values("x", "1", make) == values("x", "1", make) == [list(range(1_000)), ["a", "b"]]
    assert make.times == 2


def test_compiled__of_another_key_under_this_name(cache: Path) -> None:
    make = Maker()
    values("x", "1", make)
    (cache / "x-1.arrow").rename(cache / "x-2.arrow")
    values("x", "2", make)
    assert make.times == 2


def test_compiled__where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(file))
    make = Maker()
    assert values("x", "1", make) == values("x", "1", make)
    assert make.times == 2


def test_compiled__without_a_key_nothing_is_kept(cache: Path) -> None:
    make = Maker()
    for _ in range(2):
        assert compiled("x", None, make)["texts"].to_pylist() == ["a", "b"]
    assert make.times == 2
    assert not cache.exists()


def test_compiled__is_mapped_and_outlives_its_file(cache: Path) -> None:
    make = Maker()
    values("x", "1", make)
    found = compiled("x", "1", make)
    before = pa.total_allocated_bytes()
    assert found["numbers"].to_numpy().base is not None
    assert pa.total_allocated_bytes() == before
    (cache / "x-1.arrow").unlink()
    assert found["numbers"].to_pylist() == list(range(1_000))
