"""What stands behind the things: a colour that has a name, and a texture."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

Texture = Literal["plain", "gradient", "noise", "striped", "dotted"]

# Light enough that OpenMoji's black outlines show. No "orange": in a caption it is the fruit.
_COLORS = {
    "red": (226, 88, 84),
    "blue": (96, 150, 224),
    "green": (112, 184, 104),
    "yellow": (248, 220, 92),
    "pink": (248, 172, 200),
    "purple": (166, 120, 206),
    "brown": (168, 124, 86),
    "gray": (164, 166, 170),
    "white": (246, 246, 246),
}


@dataclass(frozen=True, slots=True)
class Background:
    """`rgb` 0 to 255; `angle` in degrees and `period` in picture sides shape the texture, `seed` its noise."""

    color: str
    rgb: tuple[float, float, float]
    texture: Texture
    angle: float
    period: float
    seed: int


def draw_background(rng: np.random.Generator) -> Background:
    """A random background: any colour, any texture, the colour a little off so that no two are alike."""
    color = str(rng.choice(list(_COLORS)))
    red, green, blue = np.clip(np.array(_COLORS[color]) + rng.uniform(-10, 10, size=3), 0, 255)
    textures: tuple[Texture, ...] = get_args(Texture)
    return Background(
        color=color,
        rgb=(red, green, blue),
        texture=textures[rng.integers(len(textures))],
        angle=rng.uniform(0, 180),
        period=rng.uniform(0.09, 0.24),
        seed=int(rng.integers(2**32)),
    )


def paint(background: Background, size: int) -> npt.NDArray[np.uint8]:
    """`background` as pixels, uint8 RGB [size, size, 3]."""
    y, x = np.mgrid[0:size, 0:size] / size
    turn = np.deg2rad(background.angle)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    color = np.array(background.rgb)
    # Towards white, or, for a light colour, towards gray: the second colour of a pattern keeps the first one's name.
    second = 0.55 * color + 0.45 * 255 if color.mean() < 200 else 0.86 * color
    match background.texture:
        case "plain":
            share = np.zeros_like(x)
        case "gradient":
            share = along - along.min()
        case "noise":
            rng = np.random.default_rng(background.seed)
            coarse = Image.fromarray(rng.random((8, 8), dtype=np.float32)).resize(
                (size, size), Image.Resampling.BICUBIC
            )
            share = 0.4 * np.asarray(coarse) + 0.6 * rng.random((size, size))
        case "striped":
            share = _edge(0.25 - np.abs(along / background.period % 1 - 0.5), size * background.period)
        case "dotted":
            distance = np.hypot(along / background.period % 1 - 0.5, across / background.period % 1 - 0.5)
            share = _edge(0.28 - distance, size * background.period)
    pixels = color + np.clip(share, 0, 1)[..., None] * (second - color)
    rounded: npt.NDArray[np.uint8] = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return rounded


def _edge(inside: npt.NDArray[np.float64], pixels_per_unit: float) -> npt.NDArray[np.float64]:
    """1 where `inside` is positive, 0 elsewhere, with one pixel of slope in between."""
    edge: npt.NDArray[np.float64] = np.clip(0.5 + inside * pixels_per_unit, 0, 1)
    return edge
