"""What is where: scenes as plain values, drawn from a seed. Nothing here knows pixels or words.

Lengths are fractions of the picture's side; x runs right, y runs down, angles are degrees counter-clockwise.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from samplegen.backgrounds import Background, draw_background
from samplegen.emoji_nouns import NOUNS, Noun
from samplegen.glyphs import aspect

_MAX_SCATTERED_OVERLAP = 0.06  # of the smaller box: enough to look natural, too little to say "behind"
_MAX_HIDDEN = 0.4  # of a box behind another: the thing must still be known by what shows
_PLACING_ATTEMPTS = 24
TOUCH = 0.01  # how far a thing sinks into the one it stands on, so that the drawn lines meet


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One object. (x, y) is its centre; width and height are those of the upright picture; depth 0 is drawn first."""

    noun: Noun
    x: float
    y: float
    width: float
    height: float
    angle: float
    flipped: bool
    tint: tuple[float, float, float]  # factors of red, green and blue
    depth: int

    @property
    def half_width(self) -> float:
        """Half the width of the upright box around the turned picture."""
        turn = math.radians(self.angle)
        return (self.width * abs(math.cos(turn)) + self.height * abs(math.sin(turn))) / 2

    @property
    def half_height(self) -> float:
        """Half the height of the upright box around the turned picture."""
        turn = math.radians(self.angle)
        return (self.width * abs(math.sin(turn)) + self.height * abs(math.cos(turn))) / 2

    @property
    def box(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of the turned picture."""
        return (
            self.x - self.half_width,
            self.y - self.half_height,
            self.x + self.half_width,
            self.y + self.half_height,
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """One to four things on a background, the furthest first."""

    background: Background
    things: tuple[Thing, ...]


def overlap(a: Thing, b: Thing) -> float:
    """The part of the smaller box that both boxes share, 0 to 1."""
    (a_left, a_top, a_right, a_bottom), (b_left, b_top, b_right, b_bottom) = a.box, b.box
    width = min(a_right, b_right) - max(a_left, b_left)
    height = min(a_bottom, b_bottom) - max(a_top, b_top)
    smaller = 4 * min(a.half_width * a.half_height, b.half_width * b.half_height)
    return max(width, 0) * max(height, 0) / smaller


def compose_scene(seed: int, split: int, index: int) -> Scene:
    """Scene `index` of a split. Its first noun goes round robin, so that every noun has its share of scenes."""
    rng = np.random.default_rng((seed, split, index))
    first = np.random.default_rng((seed, split)).permutation(len(NOUNS))[index % len(NOUNS)]
    num_kinds = rng.choice([1, 2, 3, 4], p=[0.2, 0.35, 0.35, 0.1])
    others = [other for other in rng.permutation(len(NOUNS)) if other != first][: num_kinds - 1]
    kinds = [NOUNS[kind] for kind in (first, *others)]
    repeats = int(rng.integers(1, 5 - num_kinds, endpoint=True)) if rng.random() < 0.4 else 1
    nouns = kinds[:1] * repeats + kinds[1:]

    largest = (0.78, 0.54, 0.46, 0.4)[len(nouns) - 1]
    size_by_noun = {noun: rng.uniform(0.24, largest) for noun in kinds}
    unplaced = [
        _thing(noun, size_by_noun[noun] * rng.uniform(0.92, 1.08), rng, max_angle=12, max_tint=0.06, depth=depth)
        for depth, noun in enumerate(nouns)
    ]
    placed = _place_pair(unplaced[0], unplaced[1], rng) if repeats == 1 and len(unplaced) > 1 else []
    for thing in unplaced[len(placed) :]:
        placed.append(_place_free(thing, placed, rng))
    return Scene(draw_background(rng), tuple(placed))


def compose_object(noun: Noun, seed: int, split: int, index: int) -> Scene:
    """One object for the linear probe, varied much more than in the scenes."""
    rng = np.random.default_rng((seed, split, NOUNS.index(noun), index))
    thing = _thing(noun, rng.uniform(0.3, 0.68), rng, max_angle=35, max_tint=0.35, depth=0)
    return Scene(draw_background(rng), (_place_free(thing, [], rng),))


def _thing(
    noun: Noun, size: float, rng: np.random.Generator, *, max_angle: float, max_tint: float, depth: int
) -> Thing:
    ratio = aspect(noun.emoji)
    red, green, blue = 1 + rng.uniform(-max_tint, max_tint, size=3)
    return Thing(
        noun=noun,
        x=0.5,
        y=0.5,
        width=size * min(ratio, 1),
        height=size / max(ratio, 1),
        angle=rng.uniform(-max_angle, max_angle),
        flipped=bool(rng.random() < 0.5),
        tint=(red, green, blue),
        depth=depth,
    )


def _place_pair(back: Thing, front: Thing, rng: np.random.Generator) -> list[Thing]:
    """Sometimes `front` on top of `back`, sometimes half before it; else, or if they are too large, nothing placed."""
    arrangement = rng.choice(["stacked", "overlapping", "apart"], p=[0.25, 0.25, 0.5])
    if arrangement == "apart":
        return []
    for _ in range(_PLACING_ATTEMPTS):
        placed = _place_free(back, [], rng)
        if arrangement == "stacked":
            right = rng.uniform(-0.4, 0.4) * back.half_width
            down = TOUCH - back.half_height - front.half_height
        else:
            right = rng.choice([-1, 1]) * rng.uniform(0.4, 0.7) * (back.half_width + front.half_width)
            down = rng.uniform(0, 0.5) * back.half_height
        other = replace(front, x=placed.x + right, y=placed.y + down)
        left, top, right, bottom = other.box
        if min(left, top) >= 0 and max(right, bottom) <= 1 and overlap(placed, other) <= _MAX_HIDDEN:
            return [placed, other]
    return []


def _place_free(thing: Thing, others: list[Thing], rng: np.random.Generator) -> Thing:
    """Somewhere in the picture, off the others; a thing that finds no room shrinks until it does."""
    while True:
        for _ in range(_PLACING_ATTEMPTS):
            placed = replace(
                thing,
                x=rng.uniform(thing.half_width, 1 - thing.half_width),
                y=rng.uniform(thing.half_height, 1 - thing.half_height),
            )
            if all(overlap(placed, other) <= _MAX_SCATTERED_OVERLAP for other in others):
                return placed
        thing = replace(thing, width=0.85 * thing.width, height=0.85 * thing.height)
