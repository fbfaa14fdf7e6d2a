"""Tallies, against Counter; however small the memory, and in whatever order things come."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.arrays import tally
from labelgen.arrays.tally import Tally

BATCHES = st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=12)


# So many numbers before the compiled loops: none, some of those that come, or all.
MANY = st.sampled_from([0, 40, 1 << 20])


def filled(batches: list[list[int]], in_memory: int, many: int) -> Tally:
    found = Tally(in_memory, many)
    for number, batch in enumerate(batches):
        if number % 2:
            numbers, counts = np.unique(np.array(batch, np.int64), return_counts=True)
            found.add(numbers, counts)
        else:
            found.add(np.array(batch, np.int64))
    return found


@given(batches=BATCHES, in_memory=st.integers(1, 50), many=MANY, threshold=st.integers(0, 5))
def test_above__is_a_counter(batches: list[list[int]], in_memory: int, many: int, threshold: int) -> None:
    counter = Counter(number for batch in batches for number in batch)
    expected = sorted((number, count) for number, count in counter.items() if count > threshold)
    found = filled(batches, in_memory, many)
    for _ in range(2):  # asking changes nothing
        run = found.above(threshold)
        assert list(zip(run.numbers.tolist(), run.counts.tolist(), strict=True)) == expected


@given(batches=BATCHES, in_memory=st.integers(1, 50), many=MANY, at_most=st.integers(1, 20), data=st.data())
def test_above__at_most_so_many_in_any_order(
    batches: list[list[int]], in_memory: int, many: int, at_most: int, data: st.DataObject
) -> None:
    counter = Counter(number for batch in batches for number in batch)
    threshold = 0
    while sum(count > threshold for count in counter.values()) > at_most:
        threshold += 1
    run = filled(data.draw(st.permutations(batches)), in_memory, many).above(0, at_most)
    assert dict(zip(run.numbers.tolist(), run.counts.tolist(), strict=True)) == {
        number: count for number, count in counter.items() if count > threshold
    }


@pytest.mark.parametrize("many", [0, 1_000, 1 << 20])
def test_tally__files_are_merged_block_by_block(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(tally, "_BLOCK", 16)
    monkeypatch.setattr(tally, "_MAX_FILES", 3)
    random = np.random.default_rng(0)
    found, expected = Tally(in_memory=100, many=many), Counter[int]()
    for _ in range(60):
        numbers = random.zipf(1.3, 50) % 5_000
        found.add(numbers)
        expected.update(numbers.tolist())
    assert 1 <= len(found._files) <= 3
    run = found.above(0)
    assert dict(zip(run.numbers.tolist(), run.counts.tolist(), strict=True)) == expected
