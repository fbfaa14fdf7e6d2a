import json
from pathlib import Path

import pytest
from PIL import Image

from catlip_cli.main import run
from tests.labelset_factory import coloured, write_label_set
from tests.tiny_run import go


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    go(write_label_set(folder, coloured(2, 10)), folder / "run")
    return folder


def test_sheet__writes_a_picture(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sheet.png"
    words = ["sheet", str(folder / "run"), "--labels", str(folder / "labels"), "--out", str(out), "--count", "3"]
    assert run([*words, "--credit", "Colours: public domain"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Wrote {out}"
    assert said[1].split() == ["pictures", "3"]
    assert said[-1] == f"Next: catlip tag {folder / 'run'} PICTURE..."
    with Image.open(out) as image:
        assert image.format == "PNG"
        assert image.width > 900
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"out": str(out), "pictures": 3}


def test_sheet__another_vocabulary_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_label_set(tmp_path, coloured(1, 5), prefix="shade")
    out = tmp_path / "sheet.png"
    assert run(["sheet", str(folder / "run"), "--labels", str(other), "--out", str(out)]) == 1
    assert "has other classes than the model" in capsys.readouterr().err
    assert not out.exists()
