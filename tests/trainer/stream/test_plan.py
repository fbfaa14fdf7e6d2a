import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelshards.errors import CatlipError
from trainer.stream.plan import Mixture, Plan, Shuffled, make_plan, rank_share, share_sizes
from trainer.stream.steps import MultiScale, PlanConfig, Steps

counts_of_shards = st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(lambda counts: sum(counts) > 0)


def make(counts: list[int], seed: int = 0, window: int = 2) -> Plan:
    return Shuffled(np.array(counts, dtype=np.int64), seed=seed, window_shards=window)


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


def test_plan__another_thread_asks_in_between() -> None:
    """As the one that fetches ahead does; here wherever it could change what this one has just found."""
    asking = False

    class Shared(Shuffled):
        def __setattr__(self, name: str, value: object) -> None:
            nonlocal asking
            super().__setattr__(name, value)
            if name in ("_epoch", "_window") and value is not None and not asking:
                asking = True
                self.locate(90, 95)
                asking = False

    counts = np.array([5, 4, 6, 3])
    shared = Shared(counts, seed=0, window_shards=2)
    assert np.array_equal(shared.locate(0, 40), Shuffled(counts, seed=0, window_shards=2).locate(0, 40))


def deal(*sizes: int, weights: list[float] | None = None) -> Plan:
    return make_plan([np.array([size]) for size in sizes], seed=0, window_shards=2, weights=weights or sizes)


@settings(max_examples=30)
@given(st.lists(st.integers(300, 3000), min_size=2, max_size=4), st.integers(0, 20_000), st.integers(0, 9_000))
def test_mixture__each_stream_goes_on_without_a_gap(sizes: list[int], start: int, length: int) -> None:
    """Whatever stretch of the mixture is asked for, each stream gives its own stretch in its own order."""
    mixed = deal(*sizes)
    before = np.bincount(mixed.locate(0, start)[:, 0], minlength=len(sizes))
    stretch = deal(*sizes).locate(start, start + length)
    for number, size in enumerate(sizes):
        mine = stretch[stretch[:, 0] == number][:, 1]
        alone = Shuffled(np.array([size]), seed=(0, number), window_shards=2)
        assert np.array_equal(mine, alone.locate(before[number], before[number] + len(mine))[:, 1])


@pytest.mark.parametrize("weights", [[3.0, 1.0], [1.0, 1e-3], [0.2, 0.3, 0.5]])
def test_mixture__shares_are_the_weights(weights: list[float]) -> None:
    found = deal(*[50] * len(weights), weights=weights).locate(0, 100_000)[:, 0]
    shares = np.bincount(found, minlength=len(weights)) / 100_000
    assert shares == pytest.approx(np.array(weights) / sum(weights), abs=2e-3)


def test_make_plan__without_weights_an_epoch_is_every_sample_once() -> None:
    plan = make_plan([np.array([40, 20]), np.array([30])], seed=0, window_shards=2)
    found = sorted(map(tuple, plan.locate(90, 180).tolist()))
    assert found == [(shard, nth) for shard, count in enumerate([40, 20, 30]) for nth in range(count)]
    assert isinstance(deal(9, 9), Mixture)


def test_mixture__two_label_sets_of_one_form_are_shuffled_apart() -> None:
    found = deal(500, 500).locate(0, 1_000)
    assert not np.array_equal(found[found[:, 0] == 0][:, 1], found[found[:, 0] == 1][:, 1])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 8))
def test_rank_share__ranks_share_the_batch(shards: list[int], world_size: int) -> None:
    shares = [rank_share(np.array(shards), rank=rank, world_size=world_size) for rank in range(world_size)]
    assert [len(share) for share in shares] == share_sizes(len(shards), world_size)
    assert sorted(np.concatenate(shares).tolist()) == list(range(len(shards)))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all((np.diff(share) > 0).all() for share in shares)


@given(
    counts=counts_of_shards,
    world_size=st.integers(1, 3),
    num_workers=st.integers(1, 3),
    batch_size=st.integers(3, 20),
    scaled=st.booleans(),
)
def test_epoch__every_sample_once_whoever_computes(
    counts: list[int], world_size: int, num_workers: int, batch_size: int, scaled: bool
) -> None:
    """As ranks and their workers cut the steps, with steps of several sizes, too."""
    plan = make(counts)
    scales = MultiScale(num_sizes=3, min_size=16, max_size=32) if scaled else MultiScale()
    config = PlanConfig(batch_size=batch_size, epochs=1.0, multi_scale=scales)
    steps = Steps(config, image_size=32, num_samples=plan.num_samples, seed=0)
    found: dict[int, tuple[int, int]] = {}
    for step in range(steps.num_steps):
        places = steps[step].places
        located = plan.locate(places.start, places.stop)
        for rank in range(world_size):
            mine = rank_share(located[:, 0], rank=rank, world_size=world_size)
            for worker in range(num_workers):
                part = mine[len(mine) * worker // num_workers : len(mine) * (worker + 1) // num_workers]
                for position in part.tolist():
                    assert places.start + position not in found
                    found[places.start + position] = (int(located[position, 0]), int(located[position, 1]))
    assert sorted(found) == list(range(len(found)))
    epoch = sorted(found[place] for place in range(plan.num_samples))
    assert epoch == [(shard, nth) for shard, count in enumerate(counts) for nth in range(count)]


def test_rank_share__a_rank_reads_few_shards() -> None:
    shards = np.random.default_rng(0).integers(0, 8, 1_024)
    read = [len(set(shards[rank_share(shards, rank=rank, world_size=8)].tolist())) for rank in range(8)]
    assert max(read) <= 3


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
