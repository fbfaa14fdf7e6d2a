"""Where compiled loops are kept, and that nothing else depends on it."""

from pathlib import Path

import numba
import numpy as np
import pytest

from labelgen.fastparse.native import native


def total(values: np.ndarray) -> float:
    """A loop to compile."""
    found = 0.0
    for value in values:
        found += value
    return found


def test_native__keeps_compiled_loops_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path))
    before = vars(numba.config)["CACHE_DIR"]
    assert native(total)(np.arange(4.0)) == 6
    assert vars(numba.config)["CACHE_DIR"] == before
    assert [path for path in (tmp_path / "numba").rglob("*.nbi") if "total" in path.name]


def test_native__computes_where_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object, **__: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("numba.core.dispatcher.Dispatcher.enable_caching", nowhere)
    monkeypatch.setenv("CATLIP_CACHE_DIR", str(tmp_path / "none"))
    assert native(total)(np.arange(3.0)) == 3
