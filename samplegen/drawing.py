"""Scene → picture. The same scene gives the same bytes, whatever was drawn before."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from samplegen.backgrounds import paint
from samplegen.glyphs import pose
from samplegen.scenes import Scene
from samplegen.things import Thing

_JPEG_QUALITY = 90


def draw(scene: Scene, size: int) -> npt.NDArray[np.uint8]:
    """The scene as pixels, uint8 RGB [size, size, 3], the things painted from the back to the front."""
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
    """One thing as it stands, in its tint, RGBA."""
    posed = pose(thing.noun.emoji, thing.width, thing.height, thing.angle, thing.flipped, size)
    return Image.fromarray(np.clip(np.asarray(posed) * np.array([*thing.tint, 1.0]), 0, 255).astype(np.uint8))
