import json
from pathlib import Path

import pytest

from catlip_cli.main import run
from tests.labelset_factory import COLOURS, coloured, picture, write_label_set
from tests.tiny_run import go


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    go(write_label_set(folder, coloured(2, 10)), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data") / "colours"
    for split, count in (("train", 4), ("test", 2)):
        for class_id in range(3):
            for number in range(count):
                path = data / split / f"colour{class_id}" / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture(COLOURS[class_id], seed=number))
    return data


def test_probe__table_has_the_run_the_random_encoder_and_chance(
    trained: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", str(trained), "--data", str(colours)]) == 0
    said = capsys.readouterr().out
    assert "3 classes, 12 pictures to train on, 6 to test" in said
    for name in ("this run (step 12)", "random weights", "most frequent class"):
        assert name in said


def test_probe__json_is_one_object(trained: Path, colours: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", str(trained), "--data", str(colours), "--json", "--no-random"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["task"] == "linear"
    assert result["random"] is None
    assert 0 <= result["trained"]["top1"] <= 1


def test_probe__mistakes_are_one_line(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", str(tmp_path), "--data", str(tmp_path)]) == 1
    assert "holds no trained run yet" in capsys.readouterr().err
    assert run(["probe", str(trained), "--data", str(tmp_path)]) == 1
    assert "is not an image folder with splits" in capsys.readouterr().err
