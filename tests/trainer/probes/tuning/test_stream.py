import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelshards.errors import CatlipError
from trainer.probes.tuning.stream import Stream
from trainer.stream.steps import PlanConfig, Steps
from trainer.transforms import BrokenImageError


def stream(num_samples: int, batch_size: int, rank: int = 0, world_size: int = 1, seed: int = 3) -> Stream:
    steps = Steps(PlanConfig(batch_size=batch_size, epochs=2), image_size=8, num_samples=num_samples, seed=seed)
    return Stream(num_samples=num_samples, steps=steps, seed=seed, rank=rank, world_size=world_size)


def number_and_chance(number: int, rng: np.random.Generator) -> tuple[int, float]:
    return number, float(rng.random())


@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 4))
def test_load__ranks_share_a_step_and_an_epoch_is_every_sample_once(
    num_samples: int, batch_size: int, world_size: int
) -> None:
    batch_size *= world_size
    alone = stream(num_samples, batch_size)
    seen = []
    for step in range(alone.steps.num_steps):
        whole, bad = alone.load(step, number_and_chance)
        assert not bad
        parts = [stream(num_samples, batch_size, rank, world_size) for rank in range(world_size)]
        assert [each for part in parts for each in part.load(step, number_and_chance)[0]] == whole
        seen += [number for number, _ in whole]
    assert sorted(seen[:num_samples]) == list(range(num_samples))


def test_load__a_broken_picture_gives_its_place_to_the_next() -> None:
    def read(number: int, rng: np.random.Generator) -> tuple[int, float]:
        if number == 2:
            raise BrokenImageError("broken", "damaged")
        if number == 4:
            raise FileNotFoundError
        return number_and_chance(number, rng)

    usual = [stream(6, 3).load(step, number_and_chance)[0] for step in range(4)]
    found = [stream(6, 3).load(step, read) for step in range(4)]
    assert {each for _, bad in found for each in bad} == {("2", "damaged"), ("4", "not found where it was")}
    for before, (after, _) in zip(usual, found, strict=True):
        assert len(after) == 3
        for old, new in zip(before, after, strict=True):
            assert new[0] not in (2, 4)
            if old[0] not in (2, 4):
                assert new == old  # neither its pixels nor its chances changed


def test_load__all_broken_is_an_error() -> None:
    def read(_number: int, _rng: np.random.Generator) -> int:
        raise BrokenImageError("broken", "too large")

    with pytest.raises(CatlipError, match=r"100 training pictures in a row cannot be read \(too large\)"):
        stream(6, 3).load(0, read)
