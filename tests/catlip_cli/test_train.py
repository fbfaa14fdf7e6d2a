import json
from pathlib import Path

import pytest

from catlip_cli.main import run
from tests.labelset_factory import coloured, write_label_set
from tests.tiny_run import TINY


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_set(tmp_path_factory.mktemp("coloured"), coloured(2, 10))


def words(labels: Path, out: Path, *more: str) -> list[str]:
    settings = [word for setting in TINY for word in ("--set", setting)]
    return ["train", "--labels", str(labels), "--out", str(out), *settings, *more]


def test_train__summary_and_next_command(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert run(words(labels, out)) == 0
    said = capsys.readouterr().out
    assert "Trained after step 12 of 12" in said
    assert "96 (there are 20)" in said
    assert "step-00000012.safetensors" in said
    assert f"Next: catlip probe {out} --data DIR" in said
    assert run(words(labels, out)) == 0
    assert f"Nothing to do: {out} is finished (12 steps)." in capsys.readouterr().out


def test_train__json_is_one_object(labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words(labels, tmp_path / "run", "--json")) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["finished"] is True
    assert outcome["metrics"]["step"] == outcome["new_steps"] == 12
    assert outcome["start"]["num_classes"] == 4


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--set", "optim.lrr=1"], 1, "unknown key optim.lrr; did you mean optim.lr?"),
        (["--recipe", "nowhere.toml"], 1, "There is no recipe nowhere.toml."),
        (["--moved", "somewhere"], 2, "'somewhere' is not OLD=NEW."),
        (["--labels", "nowhere"], 1, "nowhere is not a finished label set"),
    ],
)
def test_train__mistakes_are_one_line(
    labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, message: str
) -> None:
    assert run(words(labels, tmp_path / "run", *more)) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_train__a_label_set_without_images_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.labelset_factory import Item

    root = write_label_set(tmp_path, [[Item(key="a", labels=[0], image=None)]])
    assert run(words(root, tmp_path / "run")) == 1
    assert "has labels but no images" in capsys.readouterr().err


def test_train__moved_shards_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_label_set(tmp_path / "a", coloured(1, 10))
    (tmp_path / "a" / "tars").rename(tmp_path / "b")
    assert run(words(root, tmp_path / "run")) == 1
    assert "--moved OLD=NEW" in capsys.readouterr().err
    assert run(words(root, tmp_path / "run", "--moved", f"{tmp_path}/a/tars={tmp_path}/b")) == 0
