"""What a page may weigh."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgen.report.budget import budget


def test_budget__small_label_sets_have_all_they_need() -> None:
    found = budget(1_000, 2_000, with_pictures=True)
    assert found.caption_bytes == 6_000
    assert found.picture_bytes == 12_000_000


@pytest.mark.parametrize(("num_classes", "sets", "least"), [(40_000, 1, 200), (79_000, 2, 60), (82_000, 3, 0)])
def test_budget__large_ones_have_what_is_left(num_classes: int, sets: int, least: int) -> None:
    found = budget(num_classes, 40_000 * sets, with_pictures=False)
    assert found.caption_bytes >= least
    assert budget(num_classes, 40_000 * sets, with_pictures=True).caption_bytes <= found.caption_bytes


@given(st.integers(0, 10**6), st.integers(0, 10**7), st.booleans())
def test_budget__is_never_overdrawn(num_classes: int, num_told: int, with_pictures: bool) -> None:
    found = budget(num_classes, num_told, with_pictures=with_pictures)
    assert min(found) >= 0
    fixed = 2_000_000 + 95 * num_classes + 115 * num_told
    if fixed <= 25_000_000:
        assert fixed + 0.6 * found.caption_bytes * num_told + found.picture_bytes <= 25_000_001
    else:
        assert max(found) == 0
