from collections import Counter
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from samplegen.drawing import draw
from samplegen.emoji_nouns import NOUNS, PROBE_NOUNS
from samplegen.scenes import Scene, compose_object, compose_scene
from samplegen.things import covered

seeds = st.integers(0, 2**40)
splits = st.integers(0, 3)
indices = st.integers(0, 100_000)


@given(seeds, splits, indices)
@settings(max_examples=150)
def test_compose_scene__is_legible(seed: int, split: int, index: int) -> None:
    scene = compose_scene(seed, split, index)
    assert 1 <= len(scene.things) <= 4
    assert [thing.depth for thing in scene.things] == list(range(len(scene.things)))
    for thing in scene.things:
        assert -1e-9 <= min(thing.box) < max(thing.box) <= 1 + 1e-9
        assert 0.1 < max(thing.width, thing.height) < 0.85
    for back, front in combinations(scene.things, 2):
        assert covered(back, front) <= 0.5


@given(seeds, splits, indices)
@settings(max_examples=30)
def test_compose_scene__depends_on_nothing_else(seed: int, split: int, index: int) -> None:
    once = compose_scene(seed, split, index)
    compose_scene(seed + 1, split, index)
    assert compose_scene(seed, split, index) == once


def test_compose_scene__seeds_and_splits_differ() -> None:
    scenes = [compose_scene(seed, split, 0) for seed in range(3) for split in range(2)]
    assert len(set(scenes)) == len(scenes)


def test_compose_scene__has_one_to_four_things_and_plurals() -> None:
    scenes = [compose_scene(0, 0, index) for index in range(200)]
    assert {len(scene.things) for scene in scenes} == {1, 2, 3, 4}
    assert any(len({thing.noun for thing in scene.things}) < len(scene.things) for scene in scenes)


def test_compose_scene__every_noun_has_its_share() -> None:
    num_scenes = Counter(
        noun for index in range(1000) for noun in {thing.noun for thing in compose_scene(0, 0, index).things}
    )
    assert min(num_scenes[noun] for noun in NOUNS) >= 12


def test_compose_object__is_one_thing_of_the_noun_and_varies() -> None:
    for noun in PROBE_NOUNS[:4]:
        scenes: list[Scene] = [compose_object(noun, 0, 2, index) for index in range(20)]
        assert all([thing.noun for thing in scene.things] == [noun] for scene in scenes)
        assert all(0 <= min(scene.things[0].box) < max(scene.things[0].box) <= 1 for scene in scenes)
        assert max(abs(scene.things[0].angle) for scene in scenes) > 20
        assert {scene.things[0].flipped for scene in scenes} == {True, False}
        assert len({scene.background.color for scene in scenes}) > 4
        assert len({draw(scene, 32).tobytes() for scene in scenes}) == 20


def test_compose_object__train_and_test_share_no_picture() -> None:
    train, test = ({compose_object(PROBE_NOUNS[0], 0, split, index) for index in range(20)} for split in (2, 3))
    assert not train & test
