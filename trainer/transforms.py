"""Image bytes → uint8 pixels → what the encoder takes.

Shapes: B images, C = 3 channels (RGB), H x W pixels. Pixels stay uint8 until they are on the device; flips and
normalisation happen there. Orientation tags (EXIF) are ignored, as image-text corpora were captioned and resized
without them.
"""

import io
import math
import warnings
from collections.abc import Sequence

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError

from labelshards.errors import CatlipError

# A picture beyond this is a decompression bomb or a scan, and would stall a worker; Pillow warns at the same size.
MAX_PIXELS = 89_478_485
# As torchvision's RandomResizedCrop has them.
_ASPECT_RATIOS = (3 / 4, 4 / 3)
_CROP_TRIES = 10


# Why a picture cannot be used.
REASONS = ("no known format", "damaged", "too large")


class BrokenImageError(CatlipError):
    """Bytes that are not a picture. reason: one of REASONS."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


def decode(data: bytes) -> torch.Tensor:
    """uint8 [3, H, W] (RGB, channels-last in memory). Raises BrokenImageError for whatever no decoder can read whole.

    Transparent pictures are laid on white.
    """
    pixels_HWC = _decode_jpeg(data)
    if pixels_HWC is None:
        pixels_HWC = _decode_any(data)
    return torch.from_numpy(pixels_HWC).permute(2, 0, 1)


def rgb(image: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3]: what `decode` gives for the bytes of such an image; transparent ones are laid on white."""
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return np.array(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))
    if image.mode.startswith("I"):
        return _grey_of_16_bits(image)
    return np.array(image.convert("RGB"))


def random_resized_crop(image_CHW: torch.Tensor, size: int, min_scale: float, rng: np.random.Generator) -> torch.Tensor:
    """uint8 [3, size, size]: a random part of min_scale … 1 of the area, its sides at 3:4 … 4:3."""
    height, width = image_CHW.shape[-2:]
    flattest, steepest = map(math.log, _ASPECT_RATIOS)
    for _ in range(_CROP_TRIES):
        area = height * width * rng.uniform(min_scale, 1.0)
        ratio = math.exp(rng.uniform(flattest, steepest))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            return _resize(image_CHW[:, top : top + h, left : left + w], size)
    return center_crop(image_CHW, size)


def center_crop(image_CHW: torch.Tensor, size: int) -> torch.Tensor:
    """uint8 [3, size, size]: the middle square, resized.

    This is "resize the shorter side, then crop", in the order in which a very long picture cannot exhaust memory.
    """
    height, width = image_CHW.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _resize(image_CHW[:, top : top + side, left : left + side], size)


def to_input(
    images_BCHW: torch.Tensor, mean: Sequence[float], std: Sequence[float], flips_B: torch.Tensor | None = None
) -> torch.Tensor:
    """uint8 → float32 [B, 3, H, W] on its device: (x / 255 - mean) / std, mirrored where `flips_B` (bool) says so."""
    if flips_B is not None:
        images_BCHW = torch.where(flips_B[:, None, None, None], images_BCHW.flip(-1), images_BCHW)
    x_BCHW = images_BCHW.float()  # a copy, which may be written over
    scale = torch.tensor([1 / (255 * s) for s in std], device=x_BCHW.device)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=x_BCHW.device)
    return x_BCHW.mul_(scale[:, None, None]).add_(shift[:, None, None])


def _resize(image_CHW: torch.Tensor, size: int) -> torch.Tensor:
    if image_CHW.shape[-2:] == (size, size):
        return image_CHW
    # A part of a picture is copied first: torch resizes whole channels-last images twice as fast, to the same result.
    whole_1CHW = image_CHW[None].contiguous(memory_format=torch.channels_last)
    return F.interpolate(whole_1CHW, (size, size), mode="bicubic", antialias=True)[0]


def _decode_jpeg(data: bytes) -> np.ndarray | None:
    """uint8 [H, W, 3] by libjpeg-turbo, or None if these bytes need Pillow (other formats, CMYK, damage)."""
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        if colorspace in ("CMYK", "YCCK") or height * width > MAX_PIXELS:
            return None
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, colorspace="RGB")
        return pixels
    except ValueError:  # whatever is wrong, Pillow reads more and says why
        return None


def _decode_any(data: bytes) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # e.g. about odd metadata: either the pixels can be read or they cannot
            with Image.open(io.BytesIO(data)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise BrokenImageError(
                        f"{image.width} x {image.height} pixels are more than {MAX_PIXELS:,}.", "too large"
                    )
                return rgb(image)
    except BrokenImageError:
        raise
    except UnidentifiedImageError as error:
        raise BrokenImageError(f"not a picture: {error}", "no known format") from error
    except Exception as error:  # decoders raise a dozen types on damaged bytes, struct.error and SyntaxError among them
        raise BrokenImageError(f"not a readable picture: {error}", "damaged") from error


def _grey_of_16_bits(image: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3]: the upper bytes. Pillow's own conversion makes everything above 255 white."""
    grey_HW = np.clip(np.asarray(image).astype(np.int64) // 256, 0, 255).astype(np.uint8)
    return np.repeat(grey_HW[:, :, None], 3, axis=2)
