from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.transforms_factory import create_transform

from labelshards.errors import CatlipError
from tests.labelset_factory import picture
from trainer.encoders.encoder import Encoder, PictureInput
from trainer.encoders.models import features as pooled
from trainer.opening import open_model
from trainer.probes import features, tables, taps
from trainer.probes.data.opening import open_splits

CPU = torch.device("cpu")


@pytest.fixture
def encoder(trained: Path) -> Encoder:
    return open_model(str(trained), "pretrained", CPU).encoder


def test_extract__float16_rows_in_order_and_broken_ones_by_reason(
    encoder: Encoder, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    data = make_colours(tmp_path / "colours")
    (data / "train/colour1/3.png").write_bytes(b"not a picture")
    (data / "train/colour1/4.png").write_bytes(picture((1, 2, 3), form="PNG")[:-300])
    train, _ = open_splits(data)
    (data / "train/colour3/7.png").unlink()
    found = features.extract(encoder, train, tmp_path / "cache", lambda _: None)
    [(_, table_ND)] = found.tables.items()
    assert table_ND.shape == (32, 32)
    assert table_ND.dtype == np.float16
    assert isinstance(table_ND, np.memmap)
    assert sorted({*range(32)} - {*found.rows.tolist()}) == [11, 12, 31]
    assert found.broken == {"no known format": 1, "damaged": 1, "not found where it was": 1}


def test_extract__goes_on_where_it_was_interrupted(
    encoder: Encoder, make_colours: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, _ = open_splits(make_colours(tmp_path / "colours"))
    whole = features.extract(encoder, train, tmp_path / "whole", lambda _: None).tables[taps.POOLED]
    monkeypatch.setattr(features, "BATCH_SIZE", 8)
    told: list[int] = []

    def interrupt(done: int) -> None:
        told.append(done)
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        features.extract(encoder, train, tmp_path / "cache", interrupt)
    told.clear()
    found = features.extract(encoder, train, tmp_path / "cache", told.append)
    assert told == [24, 32, 32]
    np.testing.assert_allclose(found.tables[taps.POOLED], whole, atol=2e-3)


def test_extract__what_another_process_filled_before_the_lock_was_free_is_taken(
    encoder: Encoder, make_colours: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, _ = open_splits(make_colours(tmp_path / "colours"))

    @contextmanager
    def held_after_another(path: Path) -> Iterator[None]:
        monkeypatch.setattr(features, "held", tables.held)
        features.extract(encoder, train, path.parent, lambda _: None)
        monkeypatch.setattr(features, "_compute", lambda *_: pytest.fail("it is there already"))
        yield

    monkeypatch.setattr(features, "held", held_after_another)
    assert len(features.extract(encoder, train, tmp_path / "cache", lambda _: None).rows) == len(train)


def test_extract__a_damaged_cache_begins_anew(
    encoder: Encoder, make_colours: Callable[..., Path], tmp_path: Path
) -> None:
    train, _ = open_splits(make_colours(tmp_path / "colours"))
    first = np.array(features.extract(encoder, train, tmp_path / "cache", lambda _: None).tables[taps.POOLED])
    for path in (tmp_path / "cache").glob("*.npy"):
        path.write_bytes(path.read_bytes()[:200])
    again = features.extract(encoder, train, tmp_path / "cache", lambda _: None)
    np.testing.assert_array_equal(again.tables[taps.POOLED], first)


def test_held__another_process_is_named(tmp_path: Path) -> None:
    with (
        tables.held(tmp_path / "x.lock"),
        pytest.raises(CatlipError, match="Another catlip probe"),
        tables.held(tmp_path / "x.lock"),
    ):
        pass


def test_digest__changes_with_weights_and_transform(trained: Path) -> None:
    first = open_model(str(trained), "pretrained", CPU).encoder
    larger = msgspec.structs.replace(first.picture, image_size=48)
    assert Encoder(model=first.model, picture=larger, device=CPU).digest != first.digest
    with torch.no_grad():
        next(first.model.parameters()).add_(1)
    assert Encoder(model=first.model, picture=first.picture, device=CPU).digest != first.digest


def test_extract__sees_the_middle_as_timm_does(tmp_path: Path) -> None:
    """crop_share against timm's own transform for evaluation, on colour and grey pictures."""
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1, embed_dim=16, num_heads=2).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (15, 20, 4)).astype(np.uint8)
    pictures = [Image.fromarray(pixels).convert("RGBA").resize((120, 90)).convert(mode) for mode in ("RGB", "L")]
    for number, image in enumerate(pictures):
        for split in ("train", "test"):
            path = tmp_path / "data" / split / f"c{number}" / "x.png"
            path.parent.mkdir(parents=True)
            image.save(path)
    half = (0.5, 0.5, 0.5)
    transform = create_transform((3, 32, 32), interpolation="bicubic", crop_pct=0.8, mean=half, std=half)
    with torch.inference_mode():
        expected = pooled(model, torch.stack([transform(image.convert("RGB")) for image in pictures])).numpy()
    train, _ = open_splits(tmp_path / "data")

    def difference(share: float) -> float:
        picture = PictureInput(image_size=32, mean=half, std=half, crop_share=share)
        encoder = Encoder(model=model, picture=picture, device=CPU)
        found = features.extract(encoder, train, tmp_path / "cache", lambda _: None).tables[taps.POOLED]
        return float(np.abs(found - expected).mean())

    assert difference(0.8) < difference(1.0) / 3


@torch.inference_mode()
def test_tap__class_tokens_last_block_first(encoder: Encoder) -> None:
    x_BCHW = torch.rand(2, 3, 32, 32)
    both = taps.tap(encoder.model, x_BCHW, [taps.BLOCKS, taps.POOLED])
    torch.testing.assert_close(both[taps.POOLED], pooled(encoder.model, x_BCHW))
    tokens_BTD = encoder.model.forward_features(x_BCHW)  # type: ignore[operator]
    blocks_BD = both[taps.BLOCKS]
    assert blocks_BD.shape == (2, 3 * 32)  # two blocks, and the patches
    torch.testing.assert_close(blocks_BD[:, :32], tokens_BTD[:, 0])
    torch.testing.assert_close(blocks_BD[:, 64:], tokens_BTD[:, 1:].mean(1))


def test_tap__another_architecture_has_no_blocks() -> None:
    with pytest.raises(CatlipError, match="this encoder is none"):
        taps.num_blocks(timm.create_model("test_resnet"))


@pytest.mark.parametrize("reg_tokens", [0, 2])
def test_tap__means_of_patches_where_there_is_no_class_token(reg_tokens: int) -> None:
    model = timm.create_model(
        "test_vit", class_token=False, global_pool="avg", reg_tokens=reg_tokens, dynamic_img_size=True
    ).eval()
    with torch.inference_mode():
        blocks_BD = taps.tap(model, torch.randn(2, 3, 32, 32), [taps.BLOCKS])[taps.BLOCKS]
        map_BDhw = taps.patches(model, torch.randn(2, 3, 32, 32))
    width = map_BDhw.shape[1]
    assert blocks_BD.shape == (2, (taps.num_blocks(model) + 1) * width)
    assert torch.equal(blocks_BD[:, :width], blocks_BD[:, -width:])
