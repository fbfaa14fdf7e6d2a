"""Scene → picture. The same scene gives the same bytes, whatever was drawn before."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from samplegen.backgrounds import paint
from samplegen.glyphs import glyph
from samplegen.scenes import Scene, Thing

_JPEG_QUALITY = 90


def draw(scene: Scene, size: int) -> npt.NDArray[np.uint8]:
    """The scene as RGB pixels, (size, size, 3), the things painted from the back to the front."""
    picture = Image.fromarray(paint(scene.background, size))
    for thing in scene.things:
        stamp = _stamp(thing, size)
        picture.paste(stamp, (round(thing.x * size - stamp.width / 2), round(thing.y * size - stamp.height / 2)), stamp)
    return np.asarray(picture)


def jpeg(scene: Scene, size: int) -> bytes:
    """The scene as a JPEG file of `size` by `size` pixels."""
    buffer = BytesIO()
    Image.fromarray(draw(scene, size)).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _stamp(thing: Thing, size: int) -> Image.Image:
    """One thing at its size, RGBA, flipped, tinted and turned; the box grows with the turn."""
    shape = (max(1, round(thing.width * size)), max(1, round(thing.height * size)))
    small = glyph(thing.noun.emoji).resize(shape, Image.Resampling.BICUBIC)
    if thing.flipped:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    tinted = np.clip(np.asarray(small) * np.array([*thing.tint, 1.0]), 0, 255).astype(np.uint8)
    return Image.fromarray(tinted).rotate(thing.angle, Image.Resampling.BICUBIC, expand=True)
