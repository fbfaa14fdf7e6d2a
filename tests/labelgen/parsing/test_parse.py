"""Parses one by one ↔ as arrays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labelgen.arrays.numbers import Numbers
from labelgen.parsing.parse import Parse, Word, numbered, one_after_another, one_by_one
from tests.labelgen.tagged import salads

batches = st.lists(salads(), max_size=5)


@given(batch=batches)
def test_numbered__and_back(batch: list[Parse]) -> None:
    numbers = Numbers[Word]()
    assert one_by_one(numbered(batch, numbers), numbers.known) == batch
    assert len(numbers) == len(numbers.known) == len({word for parse in batch for word in parse.words})


@given(first=batches, second=batches, data=st.data())
def test_one_after_another__in_any_order(first: list[Parse], second: list[Parse], data: st.DataObject) -> None:
    numbers = Numbers[Word]()
    both = one_after_another(numbered(first, numbers), numbered(second, numbers))
    together = [*first, *second]
    assert one_by_one(both, numbers.known) == together
    order = data.draw(st.permutations(range(len(together))))
    taken = both.take(np.array(order, np.int64))
    assert one_by_one(taken, numbers.known) == [together[number] for number in order]
