import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelshards.errors import CatlipError
from trainer.plan import Plan, PlanConfig, rank_places

counts_of_shards = st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(lambda counts: sum(counts) > 0)


def make(counts: list[int], seed: int = 0, window: int = 2) -> Plan:
    return Plan(np.array(counts, dtype=np.int64), seed=seed, window_shards=window)


@given(counts_of_shards, st.integers(0, 5), st.integers(1, 9), st.integers(0, 3))
def test_plan__every_sample_once_per_epoch(counts: list[int], seed: int, window: int, epoch: int) -> None:
    plan = make(counts, seed, window)
    first = epoch * plan.num_samples
    found = sorted(map(tuple, plan.locate(first, first + plan.num_samples).tolist()))
    assert found == [(shard, nth) for shard, count in enumerate(counts) for nth in range(count)]


@given(counts_of_shards, st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_plan__any_place_can_be_computed_alone(counts: list[int], start: int, length: int, cut: int) -> None:
    whole = make(counts).locate(start, start + length)
    middle = start + min(cut, length)
    plan = make(counts)
    later = plan.locate(middle, start + length)  # first, as after a resume
    assert np.array_equal(whole, np.concatenate([plan.locate(start, middle), later]))


@given(st.integers(0, 50), st.integers(1, 6), st.integers(1, 8))
def test_rank_places__ranks_share_the_global_batch(step: int, share: int, world_size: int) -> None:
    batch_size = share * world_size
    places = [
        place
        for rank in range(world_size)
        for place in rank_places(step, batch_size=batch_size, rank=rank, world_size=world_size)
    ]
    assert places == list(range(step * batch_size, (step + 1) * batch_size))


def test_rank_places__uneven_ranks_are_refused_with_a_size_that_works() -> None:
    with pytest.raises(CatlipError, match=r"plan.batch_size = 10 .* 4 processes.*--set plan.batch_size=12"):
        rank_places(0, batch_size=10, rank=0, world_size=4)


def test_plan__a_window_never_spans_more_shards_than_asked() -> None:
    plan = make([5] * 12, window=3)
    shards = plan.locate(0, 60)[:, 0]
    for window in shards.reshape(4, 15):
        assert len(set(window.tolist())) == 3


def test_plan__epochs_and_seeds_differ() -> None:
    plan = make([30, 30])
    first, second = plan.locate(0, 60), plan.locate(60, 120)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, make([30, 30], seed=1).locate(0, 60))
    assert np.array_equal(first, make([30, 30]).locate(0, 60))


def test_plan__shuffles_within_shards() -> None:
    order = make([50], window=1).locate(0, 50)[:, 1]
    assert not np.array_equal(order, np.arange(50))


def test_plan__golden_order() -> None:
    """The order is part of what makes old runs resumable; a change here breaks them."""
    assert make([3, 0, 2, 4], seed=7).locate(5, 14).tolist() == [
        [3, 0],
        [3, 2],
        [3, 3],
        [3, 1],
        [0, 1],
        [2, 0],
        [0, 0],
        [2, 1],
        [0, 2],
    ]


def test_plan__nothing_to_train_on_is_refused() -> None:
    with pytest.raises(CatlipError, match="nothing to train on"):
        make([0, 0])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"epochs": 2.0, "batch_size": 32}, 7),
        ({"epochs": 0.01, "batch_size": 32}, 1),
        ({"epochs": 2.0, "steps": 3, "batch_size": 32}, 3),
    ],
)
def test_num_steps__epochs_round_up_and_steps_win(settings: dict[str, float], expected: int) -> None:
    assert PlanConfig(**settings).num_steps(100) == expected  # type: ignore[arg-type]
