"""Where compiled loops are kept, and that nothing else depends on it."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from labelgen.arrays.native import native


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


_COMPILE = """
import sys
from labelgen import labelers, language_data
from labelgen.parsing import nouns
from labelgen.parsing.torchless import do_without_torch
do_without_torch()
folder = labelers.compile_loops(language_data.spacy_model())
kept = sorted(folder.rglob("*.nb?"))
texts = open(sys.argv[1]).read().splitlines()
nouns.ChunkParser(language_data.spacy_model()).parse([text.partition("\\t")[0] for text in texts if text[0].isalpha()])
assert sorted(folder.rglob("*.nb?")) == kept
print(folder)
"""


@pytest.mark.slow
def test_compile_loops__once_for_whatever_is_parsed_later(tmp_path: Path, test_data: Path) -> None:
    captions = tmp_path / "captions.tsv"
    captions.write_text("".join((test_data / "cc3m-val.tsv").read_text().splitlines(keepends=True)[:300]))
    environment = os.environ | {"CATLIP_CACHE_DIR": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", _COMPILE, str(captions)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"{tmp_path / 'numba'}\n", 0), done.stderr
