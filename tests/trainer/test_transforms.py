import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.labelset_factory import picture
from trainer import transforms
from trainer.encoders.encoder import PictureInput
from trainer.transforms import BrokenImageError, center_crop, decode, random_resized_crop, to_input


def encoded(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def test_decode__jpeg_is_what_pillow_reads() -> None:
    data = picture((200, 90, 40), size=(50, 30))
    pixels = decode(data)
    assert (pixels.shape, pixels.dtype) == ((3, 30, 50), torch.uint8)
    reference = np.array(Image.open(io.BytesIO(data))).transpose(2, 0, 1).astype(int)
    assert np.abs(pixels.numpy().astype(int) - reference).max() <= 3


@pytest.mark.parametrize(
    ("mode", "form", "colour"),
    [
        ("L", "JPEG", 120),
        ("CMYK", "JPEG", (0, 0, 0, 135)),
        ("RGB", "PNG", (120, 120, 120)),
        ("P", "PNG", 120),
        ("RGB", "WEBP", (120, 120, 120)),
        ("1", "PNG", 1),
    ],
)
def test_decode__every_mode_becomes_rgb(mode: str, form: str, colour: int | tuple[int, ...]) -> None:
    pixels = decode(encoded(Image.new(mode, (20, 10), colour), form))
    assert (pixels.shape, pixels.dtype) == ((3, 10, 20), torch.uint8)
    if mode not in ("P", "1"):
        assert (pixels.int() - 120).abs().max() <= 3


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_decode__grey_of_16_bits_keeps_its_shades(form: str) -> None:
    grey_HW = (np.arange(256, dtype=np.uint16).reshape(16, 16) * 256) + 7
    pixels_CHW = decode(encoded(Image.fromarray(grey_HW), form))
    assert (pixels_CHW.numpy() == np.arange(256).reshape(16, 16)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_decode__transparent_pixels_become_white(mode: str) -> None:
    image = Image.new(mode, (4, 4), 0 if mode == "LA" else (0, 0, 0, 0))
    assert (decode(encoded(image, "PNG")) == 255).all()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        picture((9, 9, 9), size=(64, 64))[:-300],
        picture((9, 9, 9), size=(64, 64), form="PNG")[:-300],
        b"\xff\xd8\xff\xe0" + b"\0" * 400,
    ],
)
def test_decode__damage_is_one_error(data: bytes) -> None:
    with pytest.raises(BrokenImageError):
        decode(data)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_decode__a_decompression_bomb_is_refused(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture((1, 2, 3), size=(100, 50), form=form)
    monkeypatch.setattr(transforms, "MAX_PIXELS", 4_999)
    with pytest.raises(BrokenImageError, match="100 x 50 pixels"):
        decode(data)


@settings(max_examples=30)
@given(st.integers(1, 70), st.integers(1, 70), st.floats(0.01, 1), st.integers(0, 1000))
def test_random_resized_crop__always_fits(height: int, width: int, min_scale: float, seed: int) -> None:
    image = torch.full((3, height, width), 77, dtype=torch.uint8)
    crop = random_resized_crop(image, 16, min_scale, np.random.default_rng(seed))
    assert crop.shape == (3, 16, 16)
    assert (crop == 77).all()


def test_random_resized_crop__keeps_at_least_min_scale() -> None:
    ramp = torch.arange(256, dtype=torch.uint8).expand(3, 256, 256)
    for seed in range(20):
        crop = random_resized_crop(ramp, 32, 0.5, np.random.default_rng(seed))
        width = int(crop.max()) - int(crop.min())
        assert width > 256 * (0.5 * 3 / 4) ** 0.5 - 12


def test_center_crop__is_the_middle() -> None:
    image = torch.zeros((3, 40, 80), dtype=torch.uint8)
    image[:, :, 20:60] = 200
    assert (center_crop(image, 20) == 200).all()


def test_center_crop__a_very_long_picture_needs_no_memory() -> None:
    assert center_crop(torch.zeros((3, 1, 200_000), dtype=torch.uint8), 224).shape == (3, 224, 224)


def test_to_input__normalises_and_flips() -> None:
    images = torch.tensor([[0, 255]], dtype=torch.uint8).expand(2, 3, 1, 2)
    x = to_input(images, (0.5, 0.5, 0.0), (0.5, 0.25, 1.0), torch.tensor([False, True]))
    assert x.dtype == torch.float32
    torch.testing.assert_close(x[0, :, 0], torch.tensor([[-1.0, 1.0], [-2.0, 2.0], [0.0, 1.0]]))
    torch.testing.assert_close(x[1], x[0].flip(-1))
    torch.testing.assert_close(to_input(images, (0.5, 0.5, 0.0), (0.5, 0.25, 1.0))[1], x[0])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no known format"),
        (b"not a picture", "no known format"),
        (picture((9, 9, 9), size=(64, 64))[:-300], "damaged"),
        (picture((9, 9, 9), size=(64, 64), form="PNG")[:-300], "damaged"),
    ],
)
def test_decode__says_why_not(data: bytes, reason: str) -> None:
    with pytest.raises(BrokenImageError) as caught:
        decode(data)
    assert caught.value.reason == reason
    assert reason in transforms.REASONS
    assert not str(caught.value).startswith("(")


def test_decode__a_scan_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "MAX_PIXELS", 63 * 64)
    for form in ("JPEG", "PNG"):
        with pytest.raises(BrokenImageError) as caught:
            decode(picture((9, 9, 9), size=(64, 64), form=form))
        assert caught.value.reason == "too large"


@pytest.mark.parametrize(
    "image",
    [Image.new("RGBA", (4, 4), (0, 0, 0, 0)), Image.fromarray(np.full((4, 4), 0x4000, np.uint16))],
    ids=["transparent", "16 bits"],
)
def test_picture_input__an_image_is_what_its_bytes_are(image: Image.Image) -> None:
    take = PictureInput(image_size=4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    assert torch.equal(take(image), take(encoded(image, "PNG")))
