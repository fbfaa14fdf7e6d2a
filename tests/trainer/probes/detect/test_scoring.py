from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_masks

from tests.trainer.probes.detect.drawn import HEIGHT, WIDTH, write_coco
from trainer.probes.data.objects import Objects
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split
from trainer.probes.detect.scoring import Precision, precision


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """Two pictures: a dog and a cat, and a dog."""
    pictures = [
        [{"box": (2, 2, 20, 20), "category": 5}, {"box": (24, 10, 20, 20), "category": 3}],
        [{"box": (5, 5, 30, 30), "category": 5}],
    ]
    for name in ("train", "val"):
        write_coco(tmp_path / name, pictures)
    return open_splits(tmp_path)[1]


def detection(row: int, class_id: int, box: tuple[int, int, int, int], score: float) -> dict[str, Any]:
    inside = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    left, top, width, height = box
    inside[top : top + height, left : left + width] = 1
    return {
        "image_id": row,
        "category_id": class_id,
        "bbox": list(box),
        "score": score,
        "segmentation": coco_masks.encode(inside),
    }


def measured(split: Split, *detections: dict[str, Any]) -> dict[str, Precision]:
    assert isinstance(split.objects, Objects)
    return precision(list(detections), split, split.objects)


def test_precision__of_everything_found_is_one(split: Split) -> None:
    found = measured(
        split,
        detection(0, 0, (2, 2, 20, 20), 0.9),
        detection(0, 1, (24, 10, 20, 20), 0.8),
        detection(1, 0, (5, 5, 30, 30), 0.7),
    )
    for each in found.values():
        assert each.ap == each.ap50 == pytest.approx(1.0)
        assert each.per_class.tolist() == [pytest.approx(1.0)] * 2


def test_precision__by_hand(split: Split) -> None:
    # Of the two dogs the surer one is right at every overlap, and the other never: precision is 1 up to recall 1/2, so
    # at 51 of 101 recalls. The cat is found with an overlap of 300 / 500 = 0.6: right at 0.5, 0.55 and 0.6 of ten.
    found = measured(
        split,
        detection(0, 0, (2, 2, 20, 20), 0.9),
        detection(1, 0, (0, 0, 5, 5), 0.5),
        detection(0, 1, (24, 10, 12, 20), 0.8),
    )
    for each in found.values():
        assert each.per_class.tolist() == [pytest.approx(51 / 101), pytest.approx(0.3)]
        assert each.ap == pytest.approx((51 / 101 + 0.3) / 2)
        assert each.ap50 == pytest.approx((51 / 101 + 1) / 2)


def test_precision__of_nothing_found_is_zero(split: Split) -> None:
    for each in measured(split).values():
        assert (each.ap, each.ap50, each.per_class.tolist()) == (0.0, 0.0, [0.0, 0.0])
