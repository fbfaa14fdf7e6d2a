from functools import partial
from pathlib import Path

import pytest
import timm
import torch

from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary
from tests.hostile import touch_when_loaded
from tests.labelset_factory import vocabulary
from tests.trainer.corenet.reference import forward, random_state
from trainer import load_encoder
from trainer.corenet import checkpoint, vit
from trainer.corenet.imported import open_checkpoint
from trainer.export import folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A checkpoint of a model with two heads and two blocks, for 5 classes."""
    torch.manual_seed(0)
    path = tmp_path / "vit_small.pt"
    torch.save(random_state(128, 2, 5), path)
    return path


@pytest.mark.parametrize(("image_size", "flash"), [(224, True), (224, False), (512, True), (96, True)])
@torch.inference_mode()
def test_to_timm__computes_what_corenet_computes(image_size: int, flash: bool) -> None:
    torch.manual_seed(image_size)
    state = random_state(128, 2, 5, flash=flash)
    model = timm.create_model(vit.NAME, **checkpoint.arguments(state, image_size)._asdict()).eval()
    model.load_state_dict(checkpoint.to_timm(state, image_size))
    x_BCHW = torch.rand(2, 3, image_size, image_size)
    torch.testing.assert_close(model(x_BCHW), forward(state, x_BCHW), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("width", "depth", "heads", "title", "num_classes", "image_size"),
    [
        (768, 12, 12, "ViT-B/16", 24320, 224),
        (1024, 24, 16, "ViT-L/16", 1000, 224),
        (1280, 32, 20, "ViT-H/16", 1000, 512),
    ],
)
def test_to_timm__every_released_size_has_its_place(
    width: int, depth: int, heads: int, title: str, num_classes: int, image_size: int
) -> None:
    state = random_state(width, depth, num_classes, device="meta")
    arguments = checkpoint.arguments(state, image_size)
    assert (arguments.num_heads, arguments.depth, arguments.title) == (heads, depth, title)
    with torch.device("meta"):
        model = timm.create_model(vit.NAME, **arguments._asdict())
        logits_BK = model(torch.empty(2, 3, image_size, image_size))
    model.load_state_dict(checkpoint.to_timm(state, image_size), assign=True)
    assert logits_BK.shape == (2, num_classes)


@torch.inference_mode()
def test_open_checkpoint__becomes_a_folder_that_opens_like_any(small: Path, tmp_path: Path) -> None:
    classes = vocabulary(5)
    found = open_checkpoint(small, image_size=64, name_classes=lambda _: classes)
    folder.write(found, tmp_path / "out", folder.TIMM)
    encoder = load_encoder(tmp_path / "out")
    assert encoder.vocabulary is not None
    assert encoder.vocabulary.digest == classes.digest
    x_BCHW = torch.rand(3, 3, 64, 64)
    expected_BK = forward(torch.load(small, weights_only=True), x_BCHW)
    torch.testing.assert_close(encoder.model(x_BCHW), expected_BK, rtol=0, atol=1e-5)
    assert (encoder.picture.mean, encoder.picture.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "a ViT 128 wide and 2 deep" in card
    assert "license: other" in card


def test_open_checkpoint__crops_as_corenet_does(small: Path) -> None:
    shares = {size: open_checkpoint(small, image_size=size).config.pretrained_cfg["crop_pct"] for size in (224, 512)}
    assert shares == {224: pytest.approx(224 / 232), 512: 1.0}


def test_open_checkpoint__another_size_is_refused_and_not_resized_in_the_plane(small: Path, tmp_path: Path) -> None:
    folder.write(open_checkpoint(small, image_size=64), tmp_path / "out", folder.TIMM)
    model = load_encoder(tmp_path / "out").model
    with pytest.raises(RuntimeError, match="must match the size"):
        model(torch.rand(1, 3, 96, 96))


def test_open_checkpoint__mistakes_are_named(small: Path, tmp_path: Path) -> None:
    state = torch.load(small, weights_only=True)

    def named(classes: int, _asked: int) -> Vocabulary:
        return vocabulary(classes)

    def saved(name: str, content: object) -> Path:
        torch.save(content, tmp_path / name)
        return tmp_path / name

    (tmp_path / "text.pt").write_text("no weights")
    thousand = saved("thousand.pt", state | {"classifier.weight": torch.zeros(1000, 128)})
    for path, size, classes, message in (
        (tmp_path / "text.pt", 224, None, "is no checkpoint"),
        (saved("nested.pt", {"model_state_dict": state}), 224, None, "holds more than weights by name"),
        (saved("other.pt", {"fc.weight": torch.zeros(2)}), 224, None, "no ViT of CoreNet for classification"),
        (saved("more.pt", state | {"simple_fpn.weight": torch.zeros(1)}), 224, None, "simple_fpn.weight is no part"),
        (saved("less.pt", {k: v for k, v in state.items() if "ffn.4" not in k}), 224, None, "another layout"),
        (small, 100, None, "--image-size 100 is no multiple of 16"),
        (small, 224, 4, "vocabulary has 4 classes, the checkpoint's head 5"),
        (thousand, 224, 1000, "fine-tuned on ImageNet-1k"),
    ):
        with pytest.raises(CatlipError, match=message):
            open_checkpoint(path, image_size=size, name_classes=partial(named, classes) if classes else None)


def test_read__runs_nothing(tmp_path: Path) -> None:
    touch_when_loaded(tmp_path / "evil.pt", tmp_path / "touched")
    with pytest.raises(CatlipError, match="is no checkpoint"):
        checkpoint.read(tmp_path / "evil.pt")
    assert not (tmp_path / "touched").exists()


def test_read__what_needs_no_import_is_told(tmp_path: Path) -> None:
    with pytest.raises(CatlipError, match=r"step\.safetensors is safetensors.*where a command asks for a MODEL"):
        checkpoint.read(tmp_path / "step.safetensors")
