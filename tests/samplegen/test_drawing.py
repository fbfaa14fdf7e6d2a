import io
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from samplegen.backgrounds import Background, Texture, draw_background, paint
from samplegen.drawing import draw, jpeg
from samplegen.scenes import Scene, compose_scene

MAGENTA = Background(color="pink", rgb=(255, 0, 255), texture="plain", angle=0, period=0.1, seed=0)


def changed(scene: Scene, size: int) -> npt.NDArray[np.bool_]:
    """Where the things of `scene` show on a colour that no emoji has."""
    empty, full = (draw(Scene(MAGENTA, things), size).astype(int) for things in ((), scene.things))
    return np.asarray(np.abs(full - empty).max(axis=2) > 60)


def test_draw__things_stand_where_the_scene_says() -> None:
    for index in range(40):
        scene = compose_scene(5, 0, index)
        for thing in scene.things:
            mask = changed(Scene(MAGENTA, (thing,)), 96)
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            seen = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 96
            assert np.abs(seen - thing.box).max() <= 2 / 96


@pytest.mark.parametrize("size", [32, 96, 160])
def test_draw__any_size_shows_the_same_scene(size: int) -> None:
    scene = compose_scene(1, 0, 3)
    picture = draw(scene, size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert changed(scene, size).mean() == pytest.approx(changed(scene, 96).mean(), abs=0.03)


def test_draw__front_hides_back() -> None:
    scene = compose_scene(0, 0, 1)
    one = replace(scene.things[0], x=0.5, y=0.5)
    other = replace(scene.things[-1], x=0.5, y=0.5, depth=1)
    assert one.noun != other.noun
    alone, over = (draw(Scene(MAGENTA, things), 96) for things in ((other,), (one, other)))
    inside = changed(Scene(MAGENTA, (other,)), 96)
    assert (alone == over).all(axis=2)[inside].mean() > 0.8


def test_draw__flipped_is_the_mirror_image() -> None:
    scene = compose_scene(0, 0, 1)
    upright = replace(scene.things[0], x=0.5, y=0.5, angle=0, width=0.5, height=0.5, flipped=False)
    pictures = [draw(Scene(MAGENTA, (replace(upright, flipped=flipped),)), 96) for flipped in (False, True)]
    np.testing.assert_array_equal(pictures[0][:, ::-1], pictures[1])


def test_draw__tint_scales_the_colours() -> None:
    scene = compose_scene(0, 0, 1)
    pictures = [
        draw(Scene(MAGENTA, (replace(scene.things[0], tint=(factor, 1, 1)),)), 96).astype(int) for factor in (1, 0.5)
    ]
    inside = changed(Scene(MAGENTA, scene.things[:1]), 96)
    assert pictures[1][..., 0][inside].sum() < 0.7 * pictures[0][..., 0][inside].sum()


def test_jpeg__is_a_jpeg_and_the_same_after_other_work() -> None:
    scene = compose_scene(2, 0, 0)
    once = jpeg(scene, 64)
    for index in range(80):  # more than the caches of poses hold
        jpeg(compose_scene(2, 0, index), 64)
    assert jpeg(scene, 64) == once
    with Image.open(io.BytesIO(once)) as picture:
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (64, 64), "RGB")


@pytest.mark.parametrize("texture", ["plain", "gradient", "noise", "striped", "dotted"])
def test_paint__every_texture_keeps_its_colour(texture: Texture) -> None:
    for index in range(40):
        background = replace(draw_background(np.random.default_rng(index)), texture=texture)
        pixels = paint(background, 48)
        assert pixels.shape == (48, 48, 3)
        assert (len(np.unique(pixels.reshape(-1, 3), axis=0)) == 1) == (texture == "plain")
        red, green, blue = pixels.reshape(-1, 3).mean(axis=0)
        match background.color:
            case "red" | "pink" | "brown":
                assert red == max(red, green, blue)
            case "green":
                assert green == max(red, green, blue)
            case "blue" | "purple":
                assert blue == max(red, green, blue)
            case "yellow":
                assert min(red, green) > blue + 20
            case _:
                assert np.ptp([red, green, blue]) < 25
