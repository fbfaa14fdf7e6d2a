from pathlib import Path

import numpy as np
import pytest
import torch

from labelshards.errors import CatlipError
from trainer.config import Config, load
from trainer.encoders.models import ModelConfig, build, check_sizes, features, head, init_head


def test_build__takes_other_sizes_than_its_own(tiny: Config) -> None:
    model = build(tiny.model, 5).eval()
    for size in (32, 48):
        x = torch.zeros((2, 3, size, size))
        assert model(x).shape == (2, 5)
        assert features(model, x).shape == (2, 32)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ModelConfig(name="vit_tiny_patch16_22"), "did you mean vit_tiny_patch16_224"),
        (ModelConfig(name="nothing like it"), "timm has no model 'nothing like it'"),
        (ModelConfig(name="deit_tiny_distilled_patch16_224"), "has no single linear head"),
        (ModelConfig(name="resnet18", kwargs={"img_size": 3}), "model.kwargs.img_size is set by catlip"),
        (ModelConfig(name="vit_tiny_patch16_224", kwargs={"dept": 3}), "dept"),
        (ModelConfig(kwargs={"num_classes": 3}), "model.kwargs.num_classes is set by catlip"),
    ],
)
def test_build__what_timm_cannot_make_is_named(config: ModelConfig, message: str) -> None:
    with pytest.raises(CatlipError, match=message):
        build(config, 3)


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("resnet18", {"layers": [1, 1, 1, 1]}),
        ("convnext_atto", {"depths": [1, 1, 1, 1], "drop_path_rate": 0.1}),
        ("swin_tiny_patch4_window7_224", {"depths": [1, 1], "num_heads": [1, 2], "embed_dim": 8, "window_size": 4}),
        ("vit_tiny_patch16_224", {"depth": 1, "patch_drop_rate": 0.5, "global_pool": "avg"}),
        ("vit_tiny_patch16_224", {"depth": 1, "global_pool": "map"}),
        ("xcit_nano_12_p16_224", {"depth": 1}),
    ],
)
def test_build__any_backbone_learns(name: str, kwargs: dict[str, object]) -> None:
    torch.manual_seed(0)
    model = build(ModelConfig(name=name, image_size=64, kwargs=kwargs), 5).train()
    init_head(model, np.full(5, -1.0))
    check_sizes(model, [64])
    x = torch.randn((2, 3, 64, 64))
    logits = head(model)(features(model, x))
    assert logits.shape == (2, 5)
    logits.sum().backward()
    assert all(p.grad is not None for p in head(model).parameters())
    torch.testing.assert_close(model.eval()(x), head(model)(features(model, x)))


def test_check_sizes__an_encoder_of_one_size() -> None:
    kwargs = {"depth": 1, "embed_dim": 16, "num_heads": 2}
    model = build(ModelConfig(name="beit_base_patch16_224", image_size=64, kwargs=kwargs), 5)
    check_sizes(model, [64])
    with pytest.raises(CatlipError, match="takes pictures of 64 pixels a side, not of 96"):
        check_sizes(model, [64, 96])


def test_init_head__starts_at_the_bias(tiny: Config) -> None:
    model = build(tiny.model, 3)
    init_head(model, np.array([0.5, -4.0, -20.0]))
    assert head(model).bias.tolist() == [0.5, -4.0, -20.0]
    assert 0 < head(model).weight.std() < 0.04


@pytest.mark.parametrize("path", sorted(Path("recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_build__every_recipe_has_a_model(path: Path) -> None:
    with torch.device("meta"):
        assert build(load(path).model, 10).get_submodule("head").out_features == 10
