"""What MODEL is, by its name and the files there."""

import json
from pathlib import Path

import pytest

from labelshards.errors import CatlipError
from trainer.naming import kind_of_folder, kind_of_model, require_place, require_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where something was exported to, by catlip or by timm."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "config.json").write_text(json.dumps({"architecture": "test_vit"}))
    return folder


def test_kind_of_model__all_of_them(trained: Path, folder: Path) -> None:
    for name, kind in (
        (str(trained), "run"),
        (str(folder), "folder"),
        (f"local-dir:{folder}", "folder"),
        ("vit_small_patch14_dinov2.lvd142m", "timm"),
        ("open_clip:ViT-B-32", "open_clip"),
    ):
        assert kind_of_model(name) == kind, name


def test_kind_of_model__paths_without_a_model(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "step-00000040.safetensors").touch()
    for name, message in (
        (str(tmp_path / "no"), r"no does not exist\. Give the folder of a run .* or an exported model"),
        ("no/", "no does not exist"),
        ("local-dir:no", "no does not exist"),
        (str(tmp_path / "step-00000040.safetensors"), r"is a file\. Give the folder of a run"),
        (str(labels), r"is a label set\. Give the folder of a run"),
        (str(tmp_path), r"holds nothing of the kind\. Give the folder of a run"),
    ):
        with pytest.raises(CatlipError, match=message):
            kind_of_model(name)


def test_kind_of_model__best_is_for_runs(trained: Path, folder: Path) -> None:
    assert kind_of_model(str(trained), best=True) == "run"
    for name in (str(folder), "test_vit", "open_clip:ViT-B-32"):
        with pytest.raises(CatlipError, match="--best is for runs"):
            kind_of_model(name, best=True)


def test_kind_of_folder__one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match="no does not exist"):
        kind_of_folder(tmp_path / "no")


def test_require_place__a_run_overwrites_nothing_but_a_run(
    labels: Path, trained: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "slurm-17.log").touch()
    for place in (trained, tmp_path, tmp_path / "new"):
        require_place(place)
    for place, message in (
        (labels, "is a label set, and a run would overwrite its files"),
        (folder, "is an exported model, and a run would overwrite its files"),
        (tmp_path / "file", "is a file; a run is a folder"),
    ):
        with pytest.raises(CatlipError, match=message):
            require_place(place)


def test_require_run__an_exported_model_is_none(trained: Path, folder: Path) -> None:
    require_run(trained)
    with pytest.raises(
        CatlipError, match=r"is an exported model\. Give the folder of a run \(`catlip train --out`\)\.$"
    ):
        require_run(folder)


def test_kind_of_model__a_file_that_is_named_as_a_model_hides_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resnet18").touch()
    assert kind_of_model("resnet18") == "timm"
