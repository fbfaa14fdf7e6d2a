import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labelshards.errors import CatlipError
from trainer.stream.batch import Batch
from trainer.training.accumulation import check, split


def batch(counts: list[int]) -> Batch:
    offsets = torch.tensor([0, *counts]).cumsum(0)
    return Batch(
        images_BCHW=torch.arange(len(counts)).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2).to(torch.uint8),
        flips_B=torch.arange(len(counts)) % 2 == 0,
        values_P=torch.arange(int(offsets[-1])),
        offsets=offsets,
        tokens_BT=torch.arange(3 * len(counts)).reshape(-1, 3),
        bad=(("00000/k", "empty"),),
    )


@given(counts=st.lists(st.integers(0, 3), min_size=1, max_size=9), num_parts=st.integers(1, 9))
def test_split__parts_together_are_the_batch(counts: list[int], num_parts: int) -> None:
    whole = batch(counts)
    parts = list(split(whole, num_parts))
    assert len(parts) == num_parts
    sizes = [len(part.images_BCHW) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert torch.equal(torch.cat([part.images_BCHW for part in parts]), whole.images_BCHW)
    assert torch.equal(torch.cat([part.flips_B for part in parts]), whole.flips_B)
    assert torch.equal(torch.cat([part.tokens_BT for part in parts]), whole.tokens_BT)
    rows, columns = [], []
    for part, first in zip(parts, torch.tensor([0, *sizes]).cumsum(0).tolist(), strict=False):
        positives = part.positives()
        rows.append(positives.rows_P + first)
        columns.append(positives.columns_P)
    expected = whole.positives()
    assert torch.equal(torch.cat(rows), expected.rows_P)
    assert torch.equal(torch.cat(columns), expected.columns_P)


def test_check__more_parts_than_samples_are_refused() -> None:
    check(4, 8, 2)
    with pytest.raises(CatlipError, match=r"loop.accumulate = 5 is more than the 4 samples .* 2 processes"):
        check(5, 8, 2)
