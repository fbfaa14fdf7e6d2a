from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelshards.errors import CatlipError
from trainer.stream.steps import MultiScale, Phase, PlanConfig, Steps


def make(num_samples: int = 1_000, image_size: int = 224, seed: int = 0, **settings: Any) -> Steps:  # noqa: ANN401
    return Steps(PlanConfig(**settings), image_size=image_size, num_samples=num_samples, seed=seed)


PAPER = MultiScale(num_sizes=25)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"epochs": 2.0, "batch_size": 32}, 7),
        ({"epochs": 0.01, "batch_size": 32}, 1),
        ({"epochs": 2.0, "steps": 3, "batch_size": 32}, 3),
    ],
)
def test_num_steps__epochs_round_up_and_steps_win(settings: dict[str, Any], expected: int) -> None:
    assert make(100, **settings).num_steps == expected


def test_steps__of_one_size_follow_each_other() -> None:
    steps = make(batch_size=8, steps=5)
    assert [steps[n] for n in (0, 1, 4)] == [(0, 8, 224), (8, 8, 224), (32, 8, 224)]
    assert steps[5].first == 40


def test_multi_scale__has_the_papers_sizes() -> None:
    sizes = PAPER.sizes()
    assert sizes == list(range(128, 321, 16))
    assert len(sizes) == 13
    assert np.mean([224**2 / size**2 for size in sizes]) == pytest.approx(1.272, abs=1e-3)


@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 3), st.integers(13, 2_000))
def test_multi_scale__steps_leave_no_gap(start: int, length: int, seed: int, batch_size: int) -> None:
    steps = make(batch_size=batch_size, multi_scale=PAPER, seed=seed, steps=1_000)
    place = steps[start].first
    for step in range(start, start + length):
        assert steps[step].first == place
        place = steps[step].places.stop
    assert place == steps[start + length].first


@given(st.integers(1, 100_000), st.floats(0.01, 3), st.integers(13, 3_000))
def test_multi_scale__epochs_end_with_the_first_step_that_reaches_them(
    num_samples: int, epochs: float, batch_size: int
) -> None:
    steps = make(num_samples, epochs=epochs, batch_size=batch_size, multi_scale=PAPER)
    assert steps[steps.num_steps].first >= epochs * num_samples
    assert steps.num_steps == 1 or steps[steps.num_steps - 1].first < epochs * num_samples


def test_multi_scale__pixels_stay_and_every_size_comes_once_a_round() -> None:
    steps = make(batch_size=1_024, multi_scale=PAPER, steps=100)
    for start in (0, 13, 26):
        assert sorted(steps[n].image_size for n in range(start, start + 13)) == PAPER.sizes()
    assert [steps[n].image_size for n in range(13)] != [steps[n].image_size for n in range(13, 26)]
    for n in range(13):
        assert steps[n].batch_size == 224**2 * 1_024 // steps[n].image_size ** 2


@given(st.integers(1, 8))
def test_most_pixels__no_share_is_larger(world_size: int) -> None:
    for steps in (
        make(batch_size=100, multi_scale=PAPER, steps=40),
        make(batch_size=10, steps=40, phases=[Phase(until=0.5, image_size=320)]),
    ):
        largest = max(-(-steps[n].batch_size // world_size) * steps[n].image_size ** 2 for n in range(40))
        assert largest <= steps.most_pixels(world_size) <= largest * 1.01


def test_phases__end_where_they_say() -> None:
    phases = [Phase(until=0.25, image_size=96), Phase(until=0.75, image_size=112)]
    steps = make(batch_size=8, steps=8, phases=phases)
    assert [steps[n].image_size for n in range(8)] == [96, 96, 112, 112, 112, 112, 224, 224]
    assert [steps[n].first for n in range(8)] == list(range(0, 64, 8))
    assert steps.image_sizes() == [96, 112, 224]
    assert make(steps=8, phases=[Phase(until=1.0, image_size=96)]).image_sizes() == [96]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": [1.0]}, "plan.weights has 1 numbers for 2 label sets"),
        ({"phases": [Phase(until=0.5, image_size=96), Phase(until=0.5, image_size=112)]}, "end one after the other"),
        ({"phases": [Phase(until=0.5, image_size=96)], "multi_scale": PAPER}, "two ways to choose a resolution"),
        ({"multi_scale": MultiScale(num_sizes=3, min_size=320, max_size=128)}, "320 to 128 pixels .* are no sizes"),
        ({"multi_scale": MultiScale(num_sizes=3, min_size=1, max_size=9)}, "1 to 9 pixels .* are no sizes"),
        ({"batch_size": 3}, "plan.batch_size = 3 .* too few for 4 processes. Try --set plan.batch_size=4"),
        ({"batch_size": 7, "multi_scale": PAPER}, "gives steps of 3 samples, too few for 4 processes"),
    ],
)
def test_check__what_cannot_be_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CatlipError, match=message):
        PlanConfig(**settings).check(2, 4, 224)


def test_check__the_papers_plan_is_fine() -> None:
    PlanConfig(multi_scale=PAPER, weights=[2.0, 1.0]).check(2, 256, 224)
