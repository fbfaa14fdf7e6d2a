import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import timm
import torch
from safetensors import safe_open
from timm.data.config import resolve_model_data_config

from labelshards import storage
from labelshards.errors import CatlipError
from tests.labelset_factory import COLOURS, picture
from trainer import load_encoder, run
from trainer.config import Config, load
from trainer.encoders import models
from trainer.encoders.models import ModelConfig
from trainer.export import card, folder, sources
from trainer.export.sources import Exportable


def opened(model: Path, *, backbone_only: bool = False, averaged: bool = True) -> Exportable:
    return sources.open_exportable(model, best=False, averaged=averaged, backbone_only=backbone_only, licence=None)


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained run, in timm's form."""
    out = tmp_path_factory.mktemp("exported") / "model"
    folder.write(opened(trained), out, folder.TIMM)
    return out


@torch.inference_mode()
def test_timm__loads_it_with_the_same_logits(trained: Path, exported: Path) -> None:
    model: Any = timm.create_model(f"local-dir:{exported}", pretrained=True).eval()
    x_BCHW = torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(model(x_BCHW), run.open_run(trained).model(x_BCHW), rtol=0, atol=1e-6)
    data = resolve_model_data_config(model)  # type: ignore[no-untyped-call]
    assert (data["input_size"], data["crop_pct"], data["interpolation"]) == ([3, 32, 32], 1.0, "bicubic")
    assert tuple(data["mean"]) == tuple(data["std"]) == (0.5, 0.5, 0.5)
    assert model.pretrained_cfg["label_names"][2] == "n00000002"
    assert model.pretrained_cfg["label_descriptions"]["n00000002"] == "colour2, tint: colour2"


@torch.inference_mode()
def test_timm__another_head_goes_on_it(exported: Path) -> None:
    model: Any = timm.create_model(f"local-dir:{exported}", pretrained=True, num_classes=9, drop_path_rate=0.1).eval()
    x_BCHW = torch.randn(2, 3, 48, 48)
    assert model(x_BCHW).shape == (2, 9)
    ours: Any = load_encoder(exported).model
    torch.testing.assert_close(model.forward_features(x_BCHW), ours.forward_features(x_BCHW))


def test_load_encoder__the_folder_is_the_run(trained: Path, exported: Path) -> None:
    ours, theirs = load_encoder(trained), load_encoder(exported)
    assert ours.digest == theirs.digest  # weights and transform
    assert theirs.vocabulary is not None
    assert theirs.vocabulary.synsets == ["colour0.n.01", "colour1.n.01", "colour2.n.01", "colour3.n.01"]


@torch.inference_mode()
def test_backbone_only__gives_features(trained: Path, tmp_path: Path) -> None:
    folder.write(opened(trained, backbone_only=True), tmp_path / "out", folder.TIMM)
    encoder = load_encoder(tmp_path / "out")
    x_BCHW = torch.randn(2, 3, 32, 32)
    whole = run.open_run(trained).model
    expected_BD = whole.forward_head(whole.forward_features(x_BCHW), pre_logits=True)  # type: ignore[operator]
    torch.testing.assert_close(encoder.model(x_BCHW), expected_BD)
    assert encoder.vocabulary is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    assert "label_names" not in json.loads((tmp_path / "out" / "config.json").read_text())


def test_safetensors__one_file_that_says_what_it_is(trained: Path, tmp_path: Path) -> None:
    written = folder.write(opened(trained), tmp_path / "out", folder.SAFETENSORS)
    assert list(written.files) == ["model.safetensors"]
    with safe_open(tmp_path / "out" / "model.safetensors", framework="pt") as file:
        about = json.loads(file.metadata()["catlip"])
        assert set(file.keys()) == set(run.open_run(trained).model.state_dict())
    assert (about["architecture"], about["num_classes"]) == ("vit_tiny_patch16_224", 4)
    model = timm.create_model(
        about["architecture"],
        num_classes=4,
        checkpoint_path=str(tmp_path / "out" / "model.safetensors"),
        **about["model_args"],
    )
    assert torch.equal(model.state_dict()["head.weight"], run.open_run(trained).model.state_dict()["head.weight"])


def test_last_step__are_other_weights(trained: Path) -> None:
    average, last = opened(trained), opened(trained, averaged=False)
    assert (average.config.catlip.weights, last.config.catlip.weights) == ("ema", "last")
    assert not torch.equal(average.model.state_dict()["head.weight"], last.model.state_dict()["head.weight"])


def test_card__its_code_runs_and_finds_the_colour(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(exported, tmp_path / "copy")
    (tmp_path / "copy" / "picture.jpg").write_bytes(picture(COLOURS[3], seed=7))
    monkeypatch.chdir(tmp_path / "copy")
    text = Path("README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found: dict[str, torch.Tensor] = {}
    exec(code, found)
    assert int(found["probabilities"].argmax()) == 3
    for said in (
        "samples seen: 320; there are 30",
        "labeler `test`",
        "plan.steps = 40",
        "4 classes",
        "license: unknown",
    ):
        assert said in text


def test_card__its_recipe_is_one(trained: Path) -> None:
    record = run.open_run(trained).record
    phases = "plan.phases=[{until=0.5, image_size=96}, {until=1.0, image_size=32, token_dropout=0.5}]"
    config = load(None, [phases, "optim.lr=1e-5", "model.kwargs={depth=2, global_pool='avg'}"])
    text = card.of_run(trained, msgspec.structs.replace(record, config=config), None, opened(trained).config, "mit")
    (recipe,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert msgspec.convert(tomllib.loads(recipe), Config) == config


def test_card__data_that_changed_is_not_told_as_if_it_were_there(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["labels_digest"] = "another"
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    text = opened(tmp_path / "run").card
    assert "which is no longer there as it was" in text
    assert str(tmp_path.parent) not in text


def test_write__replaces_an_export_and_nothing_else(trained: Path, exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder.write(opened(trained), out, folder.TIMM)
    folder.write(opened(exported), out, folder.SAFETENSORS)
    assert [path.name for path in out.iterdir()] == ["model.safetensors"]
    folder.write(opened(exported, backbone_only=True), out, folder.TIMM)
    assert "It has no head" in (out / "README.md").read_text()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    (tmp_path / "file").touch()
    for target, message in (
        (tmp_path / "mine", "files that no export put there"),
        (tmp_path / "file", "is a file"),
        (exported, "is what is exported"),
    ):
        with pytest.raises(CatlipError, match=message):
            folder.write(opened(exported), target, folder.TIMM)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["out", "mine"]


def test_open_exportable__mistakes_are_named(exported: Path, tmp_path: Path) -> None:
    for model, averaged, message in ((tmp_path, True, "holds nothing of the kind"), (exported, False, "are for runs")):
        with pytest.raises(CatlipError, match=message):
            opened(model, averaged=averaged)


def test_timm_arguments__are_those_that_build_takes() -> None:
    from trainer.encoders import models

    for name in ("vit_tiny_patch16_224", "test_resnet"):
        config = ModelConfig(name=name, image_size=64)
        direct = timm.create_model(name, num_classes=3, **models.timm_arguments(config))
        assert set(direct.state_dict()) == set(models.build(config, 3).state_dict())


def test_export__of_a_run_on_captions_the_backbone_alone(clip_run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CatlipError, match=r"objective = 'clip': its encoder has no classes\. Export it with --backbone-only"
    ):
        opened(clip_run)
    folder.write(opened(clip_run, backbone_only=True), tmp_path / "model", folder.TIMM)
    model: Any = timm.create_model(f"local-dir:{tmp_path / 'model'}", pretrained=True).eval()
    x_BCHW = torch.randn(2, 3, 32, 32)
    features_BD = models.features(run.open_run(clip_run).encoder, x_BCHW)
    torch.testing.assert_close(model(x_BCHW), features_BD, rtol=0, atol=1e-6)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "learned which picture and caption belong together ([CLIP]" in card
    assert "## Vocabulary" not in card
    assert load_encoder(tmp_path / "model").vocabulary is None


def test_write__the_same_weights_are_the_same_bytes(exported: Path, trained: Path, tmp_path: Path) -> None:
    found = opened(trained)
    for number in range(6):
        folder.write(found, tmp_path / str(number), folder.TIMM)
        for path in exported.iterdir():
            assert (tmp_path / str(number) / path.name).read_bytes() == path.read_bytes()


def test_write__killed_between_its_last_steps_can_be_done_again(
    trained: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earlier export leaves in one step and the new one comes in one step: there is never half of any."""
    out = shutil.copytree(exported, tmp_path / "model")
    whole = {path.name: path.read_bytes() for path in out.iterdir()}
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target == out:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(storage, "remove", lambda _: None)  # which a killed one does not do either
        with pytest.raises(KeyboardInterrupt):
            folder.write(opened(trained), out, folder.TIMM)
    assert not out.exists()
    folder.write(opened(trained), out, folder.TIMM)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == whole
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_write__a_second_one_at_the_same_time_is_refused(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, found = tmp_path / "model", opened(trained)
    refused: list[str] = []
    fill = folder._fill

    def both(*arguments: Any) -> folder.Written:  # noqa: ANN401
        with pytest.raises(CatlipError, match=r"Another catlip export is writing \S+/model\. Wait for it") as error:
            folder.write(found, out, folder.TIMM)
        refused.append(str(error.value))
        return fill(*arguments)

    monkeypatch.setattr(folder, "_fill", both)
    folder.write(found, out, folder.TIMM)
    assert len(refused) == 1
    assert load_encoder(out)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
