from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samplegen.drawing import draw
from samplegen.emoji_nouns import NOUNS
from samplegen.relations import true_relations
from samplegen.scenes import Scene, compose_scene
from samplegen.things import Thing, box_overlap, covered, drop, gap_below

DOOR = next(noun for noun in NOUNS if noun.singular == "door")
SIZE = 192


def door(x: float, y: float, *, size: float = 0.2, depth: int = 0) -> Thing:
    """A rectangle, as wide as two thirds of `size`."""
    return Thing(
        noun=DOOR, x=x, y=y, width=size * 2 / 3, height=size, angle=0, flipped=False, tint=(1, 1, 1), depth=depth
    )


@pytest.mark.parametrize(
    ("subject", "other", "expected"),
    [
        (door(0.2, 0.5), door(0.8, 0.5), {"to the left of"}),
        (door(0.8, 0.5), door(0.2, 0.5), {"to the right of"}),
        (door(0.5, 0.2), door(0.5, 0.8), {"above"}),
        (door(0.5, 0.8), door(0.5, 0.2), {"below"}),
        (door(0.4, 0.5), door(0.6, 0.5), {"to the left of", "next to", "near"}),
        (door(0.2, 0.2), door(0.8, 0.8), set()),
        (door(0.5, 0.3), door(0.5, 0.5), {"on top of", "near"}),
        (door(0.5, 0.5), door(0.5, 0.3), {"below", "near"}),
        (door(0.5, 0.5, depth=1), door(0.55, 0.55), {"in front of"}),
        (door(0.5, 0.5), door(0.55, 0.55, depth=1), {"behind"}),
    ],
)
def test_true_relations__of_two_rectangles(subject: Thing, other: Thing, expected: set[str]) -> None:
    assert set(true_relations([subject], [other])) == expected


def test_true_relations__of_groups_hold_for_each_pair() -> None:
    left, right, middle = door(0.1, 0.5), door(0.9, 0.5), door(0.5, 0.5)
    assert true_relations([left, middle], [right]) == ["to the left of"]
    assert true_relations([left, right], [middle]) == []


def test_box_overlap_and_covered__of_rectangles() -> None:
    assert box_overlap(door(0.5, 0.5), door(0.5, 0.5)) == pytest.approx(1)
    assert box_overlap(door(0.2, 0.5), door(0.8, 0.5)) == 0
    assert covered(door(0.5, 0.5), door(0.5, 0.6)) == pytest.approx(0.5, abs=0.08)
    assert covered(door(0.5, 0.5, size=0.4), door(0.5, 0.5)) == pytest.approx(0.25, abs=0.05)


def test_drop__ends_in_contact() -> None:
    fallen = drop(door(0.5, 0.2), door(0.5, 0.45))
    assert fallen is not None
    assert gap_below(fallen, door(0.5, 0.45)) == pytest.approx(0, abs=0.011)


def test_drop__misses_or_falls_too_far() -> None:
    assert drop(door(0.1, 0.2), door(0.9, 0.6)) is None
    assert drop(door(0.5, 0.1), door(0.5, 0.9)) is None


OPPOSITES = {"to the left of": "to the right of", "above": "below", "behind": "in front of"}
SYMMETRIC = ("next to", "near")


@given(st.integers(0, 2**30), st.integers(0, 10_000))
@settings(max_examples=100)
def test_true_relations__agree_with_their_opposites(seed: int, index: int) -> None:
    things = compose_scene(seed, 0, index).things
    for a in things:
        for b in things:
            if a is not b:
                there, back = true_relations([a], [b]), true_relations([b], [a])
                for phrase, opposite in OPPOSITES.items():
                    assert not (phrase in there and opposite not in back)
                    assert not (phrase in there and opposite in there)
                assert all((phrase in there) == (phrase in back) for phrase in SYMMETRIC)


def _drawn(scene: Scene, thing: Thing) -> npt.NDArray[np.bool_]:
    """Where `thing` alone changes the picture: an account of its place that shares no code with `relations`."""
    white = replace(scene.background, texture="plain", rgb=(255, 0, 255))
    empty, full = (draw(Scene(white, things), SIZE).astype(int) for things in ((), (thing,)))
    return np.asarray(np.abs(full - empty).max(axis=2) > 40)


@given(st.integers(0, 2**30), st.integers(0, 10_000))
@settings(max_examples=80)
def test_true_relations__are_seen_in_the_picture(seed: int, index: int) -> None:
    scene = compose_scene(seed, 0, index)
    drawn = {thing: _drawn(scene, thing) for thing in scene.things}
    for a in scene.things:
        for b in scene.things:
            if a is b:
                continue
            (a_rows, a_columns), (b_rows, b_columns) = np.nonzero(drawn[a]), np.nonzero(drawn[b])
            slack = 0.05 * SIZE
            for phrase in true_relations([a], [b]):
                match phrase:
                    case "to the left of":
                        assert a_columns.max() <= b_columns.min() + slack
                    case "to the right of":
                        assert a_columns.min() >= b_columns.max() - slack
                    case "above":
                        assert a_rows.max() <= b_rows.min() + slack
                    case "below":
                        assert a_rows.min() >= b_rows.max() - slack
                    case "on top of":
                        assert a_rows.mean() < b_rows.min() + 0.5 * np.ptp(b_rows)
                        lowered = np.roll(drawn[a], round(slack), axis=0)
                        assert (lowered & drawn[b]).any()
                    case "in front of" | "behind":
                        assert (drawn[a] & drawn[b]).any()
                    case _:
                        assert phrase in ("next to", "near")
                        distance = np.hypot(a_rows.mean() - b_rows.mean(), a_columns.mean() - b_columns.mean())
                        assert distance < 0.85 * SIZE
