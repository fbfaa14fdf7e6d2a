import json
from pathlib import Path

import pytest

from catlip_cli import probe as command
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
    (data / "train" / "colour0" / "broken.jpg").write_bytes(b"nothing")
    return data


def test_probe__table_has_the_run_the_random_encoder_and_chance(
    trained: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", str(trained), "--data", str(colours), "--fraction", "50%,100%", "--seeds", "2"]) == 0
    said = capsys.readouterr().out
    assert "run (step 12) on" in said
    assert "linear, protocol sweep; 3 classes, 13 pictures to train on, 6 to test" in said
    for words in ("this model", "random weights", "most frequent class", " ± ", "50 %", "100 %"):
        assert words in said
    assert "Left out: 1 (no known format)." in said
    assert f"Results are in {trained}/probes." in said


def test_probe__json_is_one_object(
    trained: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "--task",
        "linear,knn,fewshot",
        "--protocol",
        "catlip,dinov2",
        "--out",
        str(tmp_path),
        "--json",
        "--no-random",
    ]
    assert run(["probe", str(trained), "--data", str(colours), *options]) == 0
    found = json.loads(capsys.readouterr().out)["results"]
    names = [f"{each['task']} {each['protocol']}" for each in found]
    assert names == ["linear catlip", "linear dinov2", "knn dino", "fewshot ridge"]
    assert 0 <= found[0]["scores"][0]["metrics"]["top1"]["mean"] <= 1
    assert len(list((tmp_path / "probes").glob("*.json"))) == 4


def test_probe__mistakes_are_one_line(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["probe", "vit_nonsense", "--data", str(trained)]) == 1
    assert "there is no training split" in capsys.readouterr().err
    labels = str(trained.parent / "labels")
    assert run(["probe", str(trained), "--data", labels, "--test", labels]) == 1
    assert "has several classes a picture; linear wants one" in capsys.readouterr().err
    assert run(["probe", str(trained), "--data", str(tmp_path / "no")]) == 1
    assert "does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fraction", "0%"], "no share of the data"),
        (["--fraction", "0.5"], "no share of the data"),
        (["--fraction", "200%"], "no share of the data"),
        (["--task", "guess"], "is none of linear, knn, fewshot"),
        (["--protocol", "sweep,x"], "'x' is none of"),
    ],
)
def test_probe__options_that_mean_nothing(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "model", "--data", "x", *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_tasks_and_protocols__are_those_of_the_library() -> None:
    from trainer.probes import linear, tasks

    assert list(command.TASKS) == list(tasks.TASKS)
    assert set(command.LINEAR_PROTOCOLS) == set(linear.PROTOCOLS)
