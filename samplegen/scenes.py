"""What is where: scenes as plain values, drawn from a seed."""

from dataclasses import dataclass, replace

import numpy as np

from samplegen.backgrounds import Background, draw_background
from samplegen.emoji_nouns import NOUNS, Noun
from samplegen.glyphs import aspect
from samplegen.things import Thing, box_overlap, covered, drop

_MAX_BOX_OVERLAP = 0.06  # of things that nothing is to be said about: natural, and seldom "behind"
_COVERED = (0.1, 0.4)  # of a thing behind another: enough to be seen, and what shows must still tell what it is
_PLACING_ATTEMPTS = 24


@dataclass(frozen=True, slots=True)
class Scene:
    """One to four things on a background, the furthest first."""

    background: Background
    things: tuple[Thing, ...]


def compose_scene(seed: int, split: int, index: int) -> Scene:
    """Scene `index` of a split. Its first noun goes round robin, so that every noun has its share of scenes."""
    rng = np.random.default_rng((seed, split, index))
    first = np.random.default_rng((seed, split)).permutation(len(NOUNS))[index % len(NOUNS)]
    num_kinds = rng.choice([1, 2, 3, 4], p=[0.2, 0.35, 0.35, 0.1])
    others = [other for other in rng.permutation(len(NOUNS)) if other != first][: num_kinds - 1]
    kinds = [NOUNS[kind] for kind in (first, *others)]
    repeats = int(rng.integers(1, 5 - num_kinds, endpoint=True)) if rng.random() < 0.4 else 1
    nouns = kinds[:1] * repeats + kinds[1:]

    largest = (0.78, 0.54, 0.46, 0.4)[len(nouns) - 1]  # more things find room only if they are smaller
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
    red, green, blue = rng.uniform(1 - max_tint, 1 + max_tint, size=3).tolist()
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
    if arrangement == "stacked":  # upright: what leans does not stand
        back, front = replace(back, angle=back.angle / 6), replace(front, angle=front.angle / 6)
    for _ in range(_PLACING_ATTEMPTS):
        back = _place_free(back, [], rng)
        if arrangement == "stacked":
            x = back.x + rng.uniform(-0.2, 0.2) * back.width
            other = drop(replace(front, x=x, y=back.y - back.height / 2 - front.height / 2), back)
            fits = other is not None
        else:
            x = back.x + rng.choice([-1, 1]) * rng.uniform(0.2, 0.35) * (back.width + front.width)
            other = replace(front, x=x, y=back.y + rng.uniform(0, 0.25) * back.height)
            fits = _COVERED[0] <= covered(back, other) <= _COVERED[1]
        if other and fits and min(other.box) >= 0 and max(other.box) <= 1:
            return [back, other]
    return []


def _place_free(thing: Thing, others: list[Thing], rng: np.random.Generator) -> Thing:
    """Somewhere in the picture, off the others; a thing that finds no room shrinks until it does."""
    while True:
        for _ in range(_PLACING_ATTEMPTS):
            left, top, right, bottom = replace(thing, x=0, y=0).box
            placed = replace(thing, x=rng.uniform(-left, 1 - right), y=rng.uniform(-top, 1 - bottom))
            if all(box_overlap(placed, other) <= _MAX_BOX_OVERLAP for other in others):
                return placed
        thing = replace(thing, width=0.85 * thing.width, height=0.85 * thing.height)
