import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.arrays.memory import Memory, NumberMemory, collections_spared


def test_memory__asks_once_and_forgets_when_full() -> None:
    asked: list[str] = []

    def find(key: str) -> int:
        asked.append(key)
        return len(key)

    memory = Memory(find, max_size=2)
    assert [memory[key] for key in ("a", "bb", "a", "bb")] == [1, 2, 1, 2]
    assert asked == ["a", "bb"]
    assert (memory["ccc"], dict(memory)) == (3, {"ccc": 3})


@pytest.mark.parametrize("is_enabled", [True, False])
def test_collections_spared__leaves_the_collector_as_it_was(is_enabled: bool) -> None:
    def fail() -> None:
        with collections_spared():
            raise KeyError(gc.isenabled())

    before = gc.isenabled()
    (gc.enable if is_enabled else gc.disable)()
    try:
        with pytest.raises(KeyError, match="False"):
            fail()
        assert gc.isenabled() is is_enabled
    finally:
        (gc.enable if before else gc.disable)()


@given(batches=st.lists(st.lists(st.integers(0, 5_000))))
def test_number_memory__asks_once_for_each_number(batches: list[list[int]]) -> None:
    asked: list[int] = []

    def find(number: int) -> int:
        asked.append(number)
        return 2 * number

    memory = NumberMemory(find)
    for batch in batches:
        numbers = np.array(batch, np.int64)
        np.testing.assert_array_equal(memory.look_up(numbers), 2 * numbers)
    assert len(asked) == len(set(asked)) == len({number for batch in batches for number in batch})
