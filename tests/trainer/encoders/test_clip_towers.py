import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from labelshards.errors import CatlipError
from tests.hostile import touch_when_loaded
from trainer.encoders import models
from trainer.opening import open_model
from trainer.probes import prompts, taps
from trainer.probes.finetune.task import PROTOCOLS
from trainer.probes.tuning import groups

CPU = torch.device("cpu")
TEXT = {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VISION: dict[str, dict[str, Any]] = {
    "tiny-vit": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "tiny-resnet": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
    "tiny-timm": {"image_size": 160, "timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear"},
    "tiny-pooling": {"image_size": 224, "timm_model_name": "resnet10t", "timm_pool": "abs_attn", "timm_proj": ""},
}


@pytest.fixture(scope="module", autouse=True)
def _tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """open_clip with models of our own, so that a test takes a second."""
    folder = tmp_path_factory.mktemp("configs")
    for name, vision in VISION.items():
        (folder / f"{name}.json").write_text(json.dumps({"embed_dim": 24, "vision_cfg": vision, "text_cfg": TEXT}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", list(open_clip.factory._MODEL_CONFIG_PATHS))
        patch.setattr(open_clip.factory, "_MODEL_CONFIGS", dict(open_clip.factory._MODEL_CONFIGS))
        open_clip.add_model_config(folder)
        yield


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-timm"])
def test_features__are_those_in_front_of_the_projection(name: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    clip = open_clip.create_model(name).eval()
    path = tmp_path / "weights.safetensors"
    save_file(clip.state_dict(), path)
    opened = open_model(f"open_clip:{name}", str(path), CPU)
    assert (opened.facts.kind, opened.facts.name) == ("open_clip", name)
    size = opened.encoder.picture.image_size
    assert size == VISION[name]["image_size"]
    assert opened.encoder.picture.mean == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-4)
    x_BCHW = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        found_BD = models.features(opened.encoder.model, x_BCHW)
        expected_BE = clip.encode_image(x_BCHW)
        projected_BE = found_BD @ clip.visual.proj if name == "tiny-vit" else clip.visual.head(found_BD)
    assert torch.allclose(projected_BE, expected_BE, atol=1e-5)
    assert opened.fresh(0).digest == opened.fresh(0).digest != opened.encoder.digest


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-resnet", "tiny-timm"])
def test_texts__score_pictures_as_open_clip_does(name: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    clip = open_clip.create_model(name).eval()
    path = tmp_path / "weights.safetensors"
    save_file(clip.state_dict(), path)
    opened = open_model(f"open_clip:{name}", str(path), CPU)
    assert opened.texts is not None
    size = opened.encoder.picture.image_size
    x_BCHW, names = torch.randn(3, 3, size, size), ["dog", "polar bear", "tree"]
    templates = ["a photo of a {}.", "one {}"]
    with torch.inference_mode():
        classes_EK = open_clip.build_zero_shot_classifier(clip, open_clip.get_tokenizer(name), names, templates)
        expected_BK = clip.encode_image(x_BCHW, normalize=True) @ classes_EK
        features_BD = models.features(opened.encoder.model, x_BCHW)
    found_BK = prompts.scorer(opened.texts, names, templates)(features_BD)
    torch.testing.assert_close(found_BK, expected_BK, rtol=0, atol=1e-6)


def test_resnet__features_are_its_attention_pool(tmp_path: Path) -> None:
    torch.manual_seed(5)
    clip = open_clip.create_model("tiny-resnet").eval()
    path = tmp_path / "weights.pt"
    torch.save({"state_dict": clip.state_dict()}, path)
    encoder = open_model("open_clip:tiny-resnet", str(path), CPU).encoder
    x_BCHW = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(models.features(encoder.model, x_BCHW), clip.encode_image(x_BCHW))


@pytest.mark.parametrize("name", ["tiny-vit", "tiny-resnet", "tiny-timm"])
def test_tower__is_an_encoder_as_those_of_timm(name: str) -> None:
    encoder = open_model(f"open_clip:{name}", "random", CPU).encoder
    model, size = encoder.model, encoder.picture.image_size
    x_BCHW = torch.randn(2, 3, size, size)
    assert taps.patches(model, x_BCHW).ndim == 4
    model.reset_classifier(5)  # type: ignore[operator]
    assert model(x_BCHW).shape == (2, 5)
    model.requires_grad_(True)
    found = groups.of_encoder(model, PROTOCOLS["strong"])
    scale = {id(p): group["lr_scale"] for group in found for p in group["params"]}
    assert scale[id(models.head(model).weight)] == 1.0
    assert min(scale.values()) < 0.75**2


def test_open_model__mistakes_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    for name, weights, message in (
        ("ViT-B-3", "random", "open_clip has no model ViT-B-3; there are ViT-B-"),
        ("ViT-B-32", "pretrained", r"Which weights of ViT-B-32\?.*openai"),
        ("tiny-vit", "pretrained", r"Which weights of tiny-vit\?.*none"),
        ("tiny-vit", str(tmp_path / "no.pt"), "there is no such file"),
        ("tiny-vit", str(tmp_path / "broken.pt"), "open_clip cannot make tiny-vit with weights"),
        ("tiny-vit", "laion9b", "open_clip cannot make tiny-vit with weights laion9b"),
        ("tiny-pooling", "random", "pools in a layer of its own"),
    ):
        with pytest.raises(CatlipError, match=message):
            open_model(f"open_clip:{name}", weights, CPU)
    with pytest.raises(CatlipError, match="--best is for runs"):
        open_model("open_clip:tiny-vit", "random", CPU, best=True)


def test_open_model__runs_nothing_that_weights_hold(tmp_path: Path) -> None:
    touch_when_loaded(tmp_path / "evil.pt", tmp_path / "touched")
    with pytest.raises(CatlipError, match="open_clip cannot make tiny-vit with weights"):
        open_model("open_clip:tiny-vit", str(tmp_path / "evil.pt"), CPU)
    assert not (tmp_path / "touched").exists()
