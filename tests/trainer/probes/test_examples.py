import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.probes.examples import Examples, held_out, shots, stratified

CLASSES = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(np.array)


@given(CLASSES, st.floats(0.01, 1), st.integers(0, 9))
def test_stratified__every_class_keeps_its_share(class_ids: np.ndarray, fraction: float, seed: int) -> None:
    chosen = stratified(class_ids, fraction, seed)
    for class_id, size in zip(*np.unique(class_ids, return_counts=True), strict=True):
        assert np.sum(class_ids[chosen] == class_id) == max(1, round(fraction * size))
    assert np.all(np.diff(chosen) > 0)


@given(CLASSES, st.integers(1, 9), st.integers(0, 9))
def test_shots__as_many_as_there_are_and_nested(class_ids: np.ndarray, number: int, seed: int) -> None:
    chosen = shots(class_ids, number, seed)
    for class_id, size in zip(*np.unique(class_ids, return_counts=True), strict=True):
        assert np.sum(class_ids[chosen] == class_id) == min(number, size)
    assert set(chosen.tolist()) <= set(shots(class_ids, number + 1, seed).tolist())


def test_stratified__smaller_fractions_lie_in_larger_ones() -> None:
    class_ids = np.repeat([0, 1, 2], [100, 40, 7])
    assert set(stratified(class_ids, 0.1, 3).tolist()) <= set(stratified(class_ids, 0.5, 3).tolist())
    assert not np.array_equal(stratified(class_ids, 0.1, 3), stratified(class_ids, 0.1, 4))


def test_held_out__takes_a_share_of_every_class() -> None:
    class_ids = np.repeat([0, 1, 2], [50, 10, 1])
    inner, outer = held_out(class_ids, 0.1, seed=0)
    assert np.bincount(class_ids[outer], minlength=3).tolist() == [5, 1, 0]
    assert sorted([*inner, *outer]) == list(range(61))
    assert not np.array_equal(outer, held_out(class_ids, 0.1, seed=1)[1])


def test_part__of_a_part() -> None:
    table = np.arange(20, dtype=np.float16).reshape(10, 2)
    examples = Examples(table=table, rows=np.array([1, 3, 5, 7]), class_ids=np.array([0, 1, 2, 3]))
    part = examples.part(np.array([1, 3])).part(np.array([1]))
    assert part.features(slice(0, 9)).tolist() == [[14, 15]]
    assert part.class_ids.tolist() == [3]
