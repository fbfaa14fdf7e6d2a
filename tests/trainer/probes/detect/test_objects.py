from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.trainer.probes.detect.drawn import write_coco
from trainer.probes.data.objects import Objects
from trainer.probes.data.opening import open_splits


def split_of(tmp_path: Path, annotations: list[dict[str, Any]], **more: Any) -> Objects | None:  # noqa: ANN401
    for split in ("train", "val"):
        usual = [{"box": (1, 1, 9, 9), "category": each} for each in (5, 3)]
        write_coco(tmp_path / split, [usual, annotations if split == "train" else []], **more)
    return open_splits(tmp_path)[0].objects


def test_objects__boxes_end_with_the_picture_and_polygons_become_masks(tmp_path: Path) -> None:
    objects = split_of(tmp_path, [{"box": (-4, 10, 100, 5), "category": 3}, {"box": (2, 2, 4, 8), "category": 5}])
    assert objects is not None
    wide, tall = objects.by_picture[1]
    assert (wide.box, wide.class_id) == ((0.0, 10.0, 48.0, 15.0), 1)
    assert (tall.box, tall.class_id) == ((2.0, 2.0, 6.0, 10.0), 0)
    masks_NHW = objects.masks(1)
    assert masks_NHW.shape == (2, 40, 48)
    inside = np.zeros((40, 48), np.uint8)
    inside[2:10, 2:6] = 1
    assert (masks_NHW[1] == inside).all()


def test_objects__runs_are_masks_too(tmp_path: Path) -> None:
    runs = {"size": [40, 48], "counts": [40, 40, 40 * 46]}  # column by column: the second one is inside
    compressed = {"size": [40, 48], "counts": "X1X1Xi1"}
    objects = split_of(tmp_path, [{"box": (1, 0, 1, 40), "category": 3, "segmentation": runs}])
    assert objects is not None
    assert objects.masks(1)[0].sum(0).tolist() == [0, 40, *[0] * 46]
    assert compressed["size"] == runs["size"]


def test_objects__what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    bad: list[dict[str, Any]] = [
        {"box": (3, 3, 0, 5), "category": 3},
        {"box": (3, 3, 5, -1), "category": 3},
        {"box": (90, 3, 5, 5), "category": 3},
        {"box": (3, 3, 5, 5), "category": 3, "segmentation": []},
        {"box": None, "category": 3},
        {"box": (3, 3, 5, 5), "category": 3, "iscrowd": 1},
    ]
    objects = split_of(tmp_path, bad)
    assert objects is not None
    assert objects.skipped == {"a box without area": 3, "an object without box or segmentation": 2}
    [crowd] = objects.by_picture[1]
    assert crowd.crowd


def test_objects__data_without_sizes_or_outlines_has_none(tmp_path: Path) -> None:
    assert split_of(tmp_path / "a", [], sizes=False) is None
    assert split_of(tmp_path / "b", [], outlines=False) is None


def test_objects__the_test_split_speaks_of_the_training_splits_classes(tmp_path: Path) -> None:
    write_coco(tmp_path / "train", [[{"box": (1, 1, 9, 9), "category": each} for each in (5, 3)]])
    write_coco(tmp_path / "val", [[{"box": (1, 1, 9, 9), "category": 3}]], categories=[(3, "cat")])
    train, test = open_splits(tmp_path)
    assert train.classes == test.classes == ("dog", "cat")
    assert test.objects is not None
    assert [one.class_id for one in test.objects.by_picture[0]] == [1]


def test_objects__the_real_thing(test_data: Path) -> None:
    train, _ = open_splits(test_data / "coco-mini")
    assert train.objects is not None
    assert sum(map(len, train.objects.by_picture)) == 731
    for row in range(5):
        masks_NHW = train.objects.masks(row)
        for one, mask_HW in zip(train.objects.by_picture[row], masks_NHW, strict=True):
            assert mask_HW.sum() == pytest.approx(one.area, rel=0.5, abs=20)
    assert msgspec.json.decode(train.objects.by_picture[0][0].segmentation)
