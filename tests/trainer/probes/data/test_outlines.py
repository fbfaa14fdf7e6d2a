import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_masks

from trainer.probes.data.outlines import is_outline

SIZE = (5, 7)


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=7, max_size=7))
def test_is_outline__of_what_pycocotools_writes(columns: list[list[bool]]) -> None:
    mask_HW = np.asfortranarray(np.array(columns, np.uint8).T)
    text = coco_masks.encode(mask_HW)["counts"].decode()
    runs = [0] if mask_HW.T.ravel()[0] else []
    steps = np.flatnonzero(np.diff(mask_HW.T.ravel())) + 1
    runs += np.diff([0, *steps, 35]).tolist()
    for counts in (text, runs):
        assert is_outline(json.dumps({"size": [5, 7], "counts": counts}).encode(), SIZE)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own, on Python 3.12
@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
def test_is_outline__no_text_covers_more_than_the_picture(text: str) -> None:
    if is_outline(json.dumps({"size": [5, 7], "counts": text}).encode(), SIZE):
        assert coco_masks.decode({"size": [5, 7], "counts": text}).shape == SIZE


@pytest.mark.parametrize(
    "outline",
    [
        [], [[]], [[0, 0, 4, 4]], [[0, 0, 4, 0, 4, 4, 1]], [[0, 0, 4, 0, 4, 1e9]], [[0, 0, 4, 0, 4, -1e9]], [None], 3,
        "x", [["a"] * 6], {"counts": [35]}, {"size": [5, 7], "counts": []}, {"size": [5, 7], "counts": [36]},
        {"size": [5, 7], "counts": [-1, 36]}, {"size": [7, 5], "counts": [35]}, {"size": [5, 7], "counts": "oooooooo0"},
        {"size": [5, 7], "counts": [2**40, 35 - 2**40]}, {"size": [5, 7], "counts": "S"},
        {"size": [5, 7], "counts": "é"},
    ],
)  # fmt: skip
def test_is_outline__refuses_what_would_be_written_past_the_picture(outline: Any) -> None:  # noqa: ANN401
    assert not is_outline(json.dumps(outline).encode(), SIZE)


def test_is_outline__polygons_may_leave_the_picture_a_little() -> None:
    assert is_outline(b"[[-1, -1, 8.5, 0, 4, 6], [0, 0, 1, 0, 1, 1]]", SIZE)
    assert not is_outline(b"[" * 5_000, SIZE)
