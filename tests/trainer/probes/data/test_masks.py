from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelshards.errors import CatlipError
from trainer.probes.data.masks import IGNORED
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split


def put(folder: Path, name: str, values: list[list[int]], images: str = "images", masks: str = "masks") -> None:
    mask = np.array(values, np.uint8)
    (folder / images).mkdir(parents=True, exist_ok=True)
    (folder / masks).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", mask.shape[::-1], "red").save(folder / images / f"{name}.jpg")
    Image.fromarray(mask).save(folder / masks / f"{name}.png")


def class_ids(split: Split, number: int) -> list[list[int]]:
    assert split.masks is not None
    found: list[list[int]] = split.masks.lookup(split.classes)[split.masks.read(number)].tolist()
    return found


def test_folders__numbers_that_occur_are_the_classes(tmp_path: Path) -> None:
    put(tmp_path / "train", "b", [[0, 7, 255], [7, 7, 7]])
    put(tmp_path / "train", "a", [[9, 9]])
    put(tmp_path / "val", "c", [[9, 255]])
    told: list[tuple[int, int, str]] = []
    train, val = open_splits(tmp_path, report=lambda *each: told.append(each))
    assert train.classes == val.classes == ("0", "7", "9")
    assert class_ids(train, 0) == [[2, 2]]
    assert class_ids(train, 1) == [[0, 1, IGNORED], [1, 1, 1]]
    assert class_ids(val, 0) == [[2, IGNORED]]
    assert train.values.tolist() == [2, 0, 1]  # as multi-label data, too
    assert train.masks is not None
    assert train.masks.pixels_V[[0, 7, 9, 255]].tolist() == [1, 4, 2, 0]
    assert told == [(1, 2, "masks of train"), (2, 2, "masks of train"), (1, 1, "masks of val")]


def test_folders__names_and_values_out_of_range(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    put(tmp_path / "train", "a", [[0, 1, 2]])
    put(tmp_path / "train", "b", [[0, 1, 255]])
    put(tmp_path / "test", "c", [[1, 200]])
    train, test = open_splits(tmp_path)
    assert train.classes == ("sky", "road")
    assert class_ids(train, 0) == [[0, 1, IGNORED]]
    assert train.skipped == test.skipped == {"a mask in which values are no class (those pixels)": 1}


def test_ade20k__zero_is_no_class_and_names_begin_with_one(tmp_path: Path) -> None:
    (tmp_path / "objectInfo150.txt").write_text(
        "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t9\t9\t1\twall\n2\t0.1\t9\t9\t1\ttree, bush\n"
    )
    for split in ("training", "validation"):
        put(tmp_path, "x", [[0, 1, 2]], f"images/{split}", f"annotations/{split}")
    for found in open_splits(tmp_path):
        assert found.classes == ("wall", "tree, bush")
        assert class_ids(found, 0) == [[IGNORED, 0, 1]]


def test_masks__what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    train = tmp_path / "train"
    for name in ("good", "missing", "damaged", "large", "colour", "picture"):
        put(train, name, [[0, 1]])
    (train / "masks" / "missing.png").unlink()
    (train / "masks" / "damaged.png").write_bytes(b"nothing")
    Image.new("L", (3, 3)).save(train / "masks" / "large.png")
    Image.new("RGB", (2, 1)).save(train / "masks" / "colour.png")
    (train / "images" / "picture.jpg").write_bytes(b"nothing")
    put(tmp_path / "test", "x", [[0, 1]])
    found, _ = open_splits(tmp_path)
    assert len(found) == 1
    assert found.skipped == {
        "a picture without a mask": 1,
        "a mask that is damaged": 1,
        "a mask of another size": 1,
        "a mask that is RGB, not grey or palette": 1,
        "a picture of no known format": 1,
    }


def test_masks__palette_numbers_are_classes(tmp_path: Path) -> None:
    for split in ("train", "test"):
        put(tmp_path / split, "x", [[0, 1]])
        mask = Image.fromarray(np.array([[1, 3]], np.uint8)).convert("P")
        mask.putpalette([200, 10, 10] * 256)
        mask.save(tmp_path / split / "masks" / "x.png")
    train, _ = open_splits(tmp_path)
    assert train.classes == ("1", "3")


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([[0, 0]], [[0, 0]], "one class alone"),
        ([[0, 1]], [[0, 5]], "no training picture has '5', which the test split has"),
        ([[255, 255]], [[0, 5]], "no training picture has '0', '5'"),
    ],
)
def test_masks__what_cannot_be_learned_is_named(
    tmp_path: Path, train: list[list[int]], test: list[list[int]], message: str
) -> None:
    put(tmp_path / "train", "x", train)
    put(tmp_path / "test", "x", test)
    with pytest.raises(CatlipError, match=message):
        open_splits(tmp_path)


def test_masks__empty_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        put(tmp_path / split, "x", [[0, 1]])
    (tmp_path / "train" / "images" / "x.jpg").unlink()
    with pytest.raises(CatlipError, match="images has no pictures"):
        open_splits(tmp_path)


def test_masks__the_real_thing(test_data: Path) -> None:
    _, test = open_splits(test_data / "camvid" / "val", test_data / "camvid" / "val")
    assert len(test) == 101
    assert len(test.classes) == 12
    assert not test.skipped
