import io
import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models import get_pretrained_cfg

from labelshards.errors import CatlipError
from tests.hostile import touch_when_loaded
from tests.labelset_factory import COLOURS, picture
from trainer import load_encoder
from trainer.opening import open_model

CPU = torch.device("cpu")


def test_run__its_weights_and_a_fresh_encoder_beside_it(trained: Path) -> None:
    opened = open_model(str(trained), "pretrained", CPU)
    assert (opened.facts.kind, opened.facts.step, opened.folder) == ("run", 40, trained)
    assert opened.vocabulary is not None
    assert opened.facts.pretrained_on.endswith("/labels")
    first, same, other = opened.fresh(0), opened.fresh(0), opened.fresh(1)
    assert first.digest == same.digest
    assert len({first.digest, other.digest, opened.encoder.digest}) == 3


def test_timm__random_weights_with_its_own_transform() -> None:
    opened = open_model("test_vit", "random", CPU)
    config = get_pretrained_cfg("test_vit")
    assert config is not None
    assert opened.encoder.picture.image_size == config.input_size[1]
    assert opened.encoder.picture.crop_share == config.crop_pct
    assert opened.facts.pretrained_on == ""
    assert opened.facts.parameters == sum(p.numel() for p in timm.create_model("test_vit").parameters())
    assert open_model("test_vit", "random", CPU).encoder.digest == opened.encoder.digest


@pytest.mark.parametrize("num_classes", [0, 7])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_timm__a_checkpoint_with_another_head(tmp_path: Path, num_classes: int, suffix: str) -> None:
    model = timm.create_model("test_vit", num_classes=num_classes)
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": model.state_dict()}, path)
    else:
        save_file(model.state_dict(), path)
    found = open_model("test_vit", str(path), CPU).encoder.model.state_dict()
    assert set(found) == set(model.state_dict())
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())


def test_exported_folder__is_timms_local_dir(tmp_path: Path) -> None:
    model = timm.create_model("test_vit", num_classes=3)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    pretrained = {"input_size": [3, 160, 160], "mean": [0, 0, 0], "std": [1, 1, 1], "crop_pct": 1.0, "num_classes": 3}
    config = {"architecture": "test_vit", "num_classes": 3, "pretrained_cfg": pretrained}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in (str(tmp_path), f"local-dir:{tmp_path}"):
        opened = open_model(name, "pretrained", CPU)
        assert list(opened.encoder.picture.mean) == [0, 0, 0]
        assert torch.equal(opened.encoder.model.state_dict()["head.weight"], model.state_dict()["head.weight"])
    assert opened.fresh(0).digest != opened.encoder.digest


def test_exported_folder__what_its_model_does_not_take_is_named(tmp_path: Path) -> None:
    """A model that knows no sizes is made all the same; another word that it does not know is an error."""
    for name, arguments in (("test_resnet", {}), ("test_resnet", {"nonsense": 1}), ("test_vit", {"nonsense": 1})):
        config = {"architecture": name, "num_classes": 0, "model_args": arguments, "pretrained_cfg": {}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        save_file(timm.create_model(name, num_classes=0).state_dict(), tmp_path / "model.safetensors")
        if not arguments:
            assert open_model(str(tmp_path), "pretrained", CPU).facts.kind == "folder"
            continue
        with pytest.raises(CatlipError, match=r"timm cannot make local-dir:.*unexpected keyword argument 'nonsense'"):
            open_model(str(tmp_path), "pretrained", CPU)


def test_open_model__mistakes_are_named(trained: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pth"
    broken.write_bytes(b"no weights")
    other = tmp_path / "other.safetensors"
    save_file(timm.create_model("test_vit2").state_dict(), other)
    for name, weights, message in (
        ("vit_nonsense", "random", "neither a folder"),
        (str(tmp_path / "no"), "random", "does not exist"),
        (str(tmp_path), "pretrained", "holds nothing of the kind"),
        (str(trained), "random", "has weights of its own"),
        ("test_vit", str(tmp_path / "no.pth"), "there is no such file"),
        ("test_vit", str(broken), "is no checkpoint"),
        ("test_vit", str(other), "timm cannot make test_vit"),
    ):
        with pytest.raises(CatlipError, match=message):
            open_model(name, weights, CPU)


@pytest.mark.parametrize("where", ["file", "folder"])
def test_open_model__runs_nothing_that_weights_hold(where: str, tmp_path: Path) -> None:
    """timm's own default was to run it until 1.0.26, for a folder with pytorch_model.bin."""
    touch_when_loaded(tmp_path / "pytorch_model.bin", tmp_path / "touched")
    config = {"architecture": "test_vit", "num_classes": 0, "pretrained_cfg": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    if where == "file":
        name, weights, message = "test_vit", str(tmp_path / "pytorch_model.bin"), "is no checkpoint"
    else:
        name, weights, message = str(tmp_path), "pretrained", "timm cannot make local-dir:"
    with pytest.raises(CatlipError, match=message):
        open_model(name, weights, CPU)
    assert not (tmp_path / "touched").exists()


def test_open_model__best_is_for_runs_that_were_evaluated(trained: Path) -> None:
    for name, weights, message in (
        ("test_vit", "random", "--best is for runs; test_vit has no checkpoints to choose from"),
        (str(trained), "pretrained", "evaluated"),
    ):
        with pytest.raises(CatlipError, match=message):
            open_model(name, weights, CPU, best=True)


def test_load_encoder__transforms_a_picture_and_names_its_classes(trained: Path) -> None:
    encoder = load_encoder(trained)
    data = picture(COLOURS[2], seed=5)
    x_CHW = encoder.picture(data)
    assert torch.equal(x_CHW, encoder.picture(Image.open(io.BytesIO(data))))
    assert encoder.vocabulary is not None
    logits_BK = encoder.model(x_CHW[None])
    assert encoder.vocabulary.synsets[int(logits_BK.argmax())] == "colour2.n.01"
    assert not logits_BK.requires_grad


def test_open_model__a_folder_named_as_an_option_keeps_its_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--weights random` is what a person asks for; `random` as MODEL is a folder like any other."""
    monkeypatch.chdir(tmp_path)
    model: Any = timm.create_model("test_vit", num_classes=0)
    torch.nn.init.constant_(model.norm.bias, 7)
    config = {"architecture": "test_vit", "num_classes": 0, "pretrained_cfg": {}}
    for name in ("random", "pretrained"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        save_file(model.state_dict(), tmp_path / name / "model.safetensors")
        opened = open_model(name, "pretrained", CPU)
        assert opened.encoder.model.state_dict()["norm.bias"][0] == 7
        assert opened.facts.weights == name


@pytest.mark.parametrize("arguments", [{"depth": 65_536}, {"depths": [2, 2_000_000, 2]}])
def test_open_model__a_folder_that_asks_for_thousands_of_blocks_is_refused(
    arguments: dict[str, object], tmp_path: Path
) -> None:
    """Found by fuzzing: timm makes them, one by one."""
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_vit", "model_args": arguments}))
    with pytest.raises(CatlipError, match=r"config\.json asks for more than 1,000 blocks"):
        open_model(str(tmp_path), "pretrained", CPU)
