"""Tagging, embedding and calibrating from the command line."""

import io
import json
import os
import signal
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from catlip_cli.main import run
from tests.forked import Forked
from tests.labelset_factory import COLOURS, coloured, picture, write_label_set
from tests.picture_tars import write_tars
from tests.tiny_run import go


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """run/ tells four colours apart, which are those of labels/."""
    folder = tmp_path_factory.mktemp("trained")
    go(write_label_set(folder, coloured(3, 10)), folder / "run", "plan.steps=40", "optim.ema_decay=0.8")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(picture(COLOURS[number], seed=50 + number))
    return folder


def test_tag__lines_for_people(trained: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pictures / "text.jpg").write_bytes(b"text")
    assert run(["tag", str(trained / "run"), str(pictures), "--top", "2", "--threshold", "0.3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{pictures}/0.jpg"
    assert lines[1].split()[1:] == ["colour0", "colour0.n.01"]
    assert lines[-2:] == [f"{pictures}/text.jpg", "  no known format"]


def test_tag__lines_for_programs(trained: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tag", str(trained / "run"), f"{pictures}/*.jpg", "--top", "1", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["tags"][0]["word"] for line in found] == [f"colour{number}" for number in range(4)]
    assert {(line["source"], line["problem"]) for line in found} == {(str(pictures), None)}


def test_tag__a_picture_on_stdin(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO((pictures / "2.jpg").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    sheet = tmp_path / "sheet.png"
    assert run(["tag", str(trained / "run"), "-", "--top", "1", "--sheet", str(sheet)]) == 0
    assert capsys.readouterr().out.split()[0:3:2] == ["-", "colour2"]
    with Image.open(sheet) as image:
        assert image.height > 400


def test_tag__calibrated_thresholds_a_file_a_sheet_and_a_gallery(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, labels, thresholds = str(trained / "run"), str(trained / "labels"), str(tmp_path / "t.parquet")
    assert run(["calibrate", model, "--labels", labels, "--out", thresholds, "--goal", "precision=0.9"]) == 0
    assert "4 with a threshold of their own" in capsys.readouterr().out
    assert run(["calibrate", model, "--labels", labels, "--out", thresholds, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["thresholds"]["own"] == 4
    out, sheet, gallery = (str(tmp_path / name) for name in ("tags.parquet", "sheet.png", "gallery.html"))
    words = ["tag", model, str(trained / "tars"), "--thresholds", thresholds, "--out", out]
    assert run([*words, "--sheet", sheet, "--gallery", gallery, "--credit", "Mine"]) == 0
    assert "pictures  30" in capsys.readouterr().out
    synsets = pq.read_table(out)["synsets"].to_pylist()
    labelled = [[f"colour{(number // 10 + number % 10) % 4}.n.01"] for number in range(30)]
    assert sum(found == wanted for found, wanted in zip(synsets, labelled, strict=True)) >= 27
    assert Path(gallery).read_bytes().startswith(b"<!doctype html>")
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 30
    assert run([*words[:-4], "--top", "3", "--out", out]) == 1
    assert "was made with" in capsys.readouterr().err


def test_tag__damaged_tars_are_listed_and_the_rest_is_there(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tars = write_tars(tmp_path / "tars", 2, 10)
    os.truncate(tars / "00001.tar", 4000)
    assert run(["tag", str(trained / "run"), str(tars), "--out", str(tmp_path / "tags")]) == 3
    said = capsys.readouterr()
    assert f"{tars}/00001.tar is not a whole tar" in said.err
    assert "pictures  1" in said.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tag", "{model}", "gone.jpg"], 1, "gone.jpg does not exist"),
        (["tag", "{model}", "{bad}"], 1, "No picture could be read: 1 no known format"),
        (["tag", "{model}", "{bad}", "--threshold", "0.1", "--thresholds", "t"], 2, "Choose one"),
        (["calibrate", "{model}", "--labels", "x", "--out", "t", "--goal", "precision=7"], 2, "neither f1 nor"),
    ],
)
def test_tag__errors_are_one_line(
    words: list[str], code: int, said: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"text")
    assert run([word.format(model=trained / "run", bad=tmp_path / "bad.jpg") for word in words]) == code
    assert said in capsys.readouterr().err


def test_embed__any_model(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "features.parquet"
    words = ["embed", "test_vit", str(pictures), "--weights", "random", "--out", str(out), "--json"]
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 4
    table = pq.read_table(out)
    assert table["key"].to_pylist() == [f"{number}.jpg" for number in range(4)]
    assert len(table["features"][0].as_py()) == 64


def test_embed__a_label_set_as_the_tars_it_points_to(trained: Path, tmp_path: Path) -> None:
    tables = []
    for name in ("labels", "tars"):
        out = tmp_path / f"{name}.parquet"
        assert run(["embed", str(trained / "run"), str(trained / name), "--out", str(out)]) == 0
        tables.append(pq.read_table(out))
    assert len(tables[0]) == 30
    assert tables[0].equals(tables[1])


@pytest.mark.slow
def test_tag__5000_pictures_with_a_kill_in_the_middle(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tars = write_tars(tmp_path / "tars", 5, 1000)
    words = ["tag", str(trained / "run"), f"{tars}/{{00000..00004}}.tar", "--top", "2", "--out"]
    out = tmp_path / "tags.parquet"
    process = Forked(["-m", "catlip_cli.main", *words, str(out)])
    parts = tmp_path / "tags.parquet.parts"
    while process.poll() is None and len(list(parts.glob("*.parquet"))) < 2:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = sorted(parts.glob("*.parquet"))
    assert 2 <= len(done) < 5
    assert run([*words, str(out)]) == 0
    capsys.readouterr()
    table = pq.read_table(out)
    assert table["key"].to_pylist() == [f"{tar:03d}{number:04d}" for tar in range(5) for number in range(1000)]
    first = table["synsets"].to_pylist()[:6]
    assert table["synsets"].to_pylist() == [first[at % 1000 % 6] for at in range(5000)], "as the pictures repeat"
    assert not parts.exists()


def test_tag__an_exported_model_says_the_same(
    trained: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tmp_path / "model")
    assert run(["export", str(trained / "run"), "--out", model]) == 0
    capsys.readouterr()
    said = []
    for name in (str(trained / "run"), model):
        assert run(["tag", name, str(pictures), "--json"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    silent = str(tmp_path / "backbone")
    assert run(["export", str(trained / "run"), "--out", silent, "--backbone-only"]) == 0
    assert run(["tag", silent, str(pictures)]) == 1
    assert "has no head with a vocabulary" in capsys.readouterr().err
    assert run(["embed", silent, str(pictures), "--out", str(tmp_path / "f.parquet")]) == 0
