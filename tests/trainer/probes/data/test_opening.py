import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelshards.errors import CatlipError
from tests.labelset_factory import COLOURS, coloured, picture, write_label_set
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split

RED, GREEN = picture(COLOURS[0]), picture(COLOURS[1])


def put(data: Path, *names: str) -> None:
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(RED)


def labels(split: Split) -> list[list[str]]:
    return [
        [split.classes[each] for each in split.values[start:stop]]
        for start, stop in zip(split.offsets, split.offsets[1:], strict=False)
    ]


def test_folder__classes_are_folders(tmp_path: Path) -> None:
    put(tmp_path, "train/b/2.jpg", "train/b/1.PNG", "train/a/deep/er.webp", "test/a/x.jpg", "test/b/y.jpg")
    (tmp_path / "train" / "a" / "notes.txt").write_text("not a picture")
    (tmp_path / "train" / "empty").mkdir()
    train, test = open_splits(tmp_path)
    assert train.classes == test.classes == ("a", "b")
    assert labels(train) == [["a"], ["b"], ["b"]]
    assert train.skipped == {"an empty folder": 1}


def test_folder__classes_without_test_pictures_are_allowed(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "train/c/1.jpg", "val/c/1.jpg", "val/a/1.jpg")
    _, test = open_splits(tmp_path)
    assert test.classes == ("a", "b", "c")
    assert labels(test) == [["a"], ["c"]]


def test_folder__digest_changes_with_the_pictures(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.bmp", "train/b/1.bmp", "test/a/1.bmp", "test/b/1.bmp")
    one = tmp_path / "train" / "a" / "1.bmp"
    one.write_bytes(picture(COLOURS[0], form="BMP"))
    size = one.stat().st_size
    before, other_split = (split.pictures.digest for split in open_splits(tmp_path))
    assert open_splits(tmp_path)[0].pictures.digest == before != other_split
    one.write_bytes(picture((1, 2, 3), form="BMP"))
    os.utime(one, ns=(1, 1))  # another time, however coarse the clock of the file system
    assert one.stat().st_size == size
    assert open_splits(tmp_path)[0].pictures.digest != before


def test_tars__pictures_with_cls(tmp_path: Path, write_tar: Callable[..., Path]) -> None:
    members = [
        ("0.jpg", RED), ("0.cls", b"10\n"),
        ("1.cls", b"2"), ("1.jpg", GREEN),
        ("2.jpg", RED),
        ("3.cls", b"2"),
        ("deep/4.seg.jpg", RED), ("deep/4.cls", b"10"),
    ]  # fmt: skip
    write_tar(tmp_path / "train-000.tar", members[:4])
    write_tar(tmp_path / "train-001.tar", members[4:])
    write_tar(tmp_path / "val-000.tar", members[:2])
    train, test = open_splits(tmp_path)
    assert train.classes == ("2", "10")
    assert labels(train) == [["10"], ["2"], ["10"]]
    assert [train.pictures.read(number) for number in range(3)] == [RED, GREEN, RED]
    assert train.skipped == {"no label": 1, "no picture": 1}
    assert labels(test) == [["10"]]


def table(path: Path, rows: list[dict[str, Any]], metadata: dict[str, str] | None = None, group: int = 2) -> None:
    made = pa.Table.from_pylist(rows)
    pq.write_table(made.replace_schema_metadata(metadata), path, row_group_size=group)


def test_table__bytes_and_labels_in_any_row_group(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": RED if i % 3 else GREEN, "path": None}, "label": i % 2} for i in range(7)]
    table(tmp_path / "train-0.parquet", rows[:4])
    table(tmp_path / "train-1.parquet", rows[4:])
    table(tmp_path / "test.parquet", [*rows[:2], {"image": rows[0]["image"], "label": None}])
    train, test = open_splits(tmp_path)
    assert labels(train) == [[str(i % 2)] for i in range(7)]
    order = [6, 0, 5, 1, 4, 2, 3]
    assert [train.pictures.read(i) for i in order] == [RED if i % 3 else GREEN for i in order]
    assert test.skipped == {"no label": 1}


def test_table__class_names_of_the_schema_and_labels_out_of_range(tmp_path: Path) -> None:
    names = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"]}}}})}
    rows = [{"image": RED, "label": label} for label in (1, 0, 2, -1)]
    table(tmp_path / "train.parquet", rows, names)
    table(tmp_path / "test.parquet", rows[:2], names)
    train, _ = open_splits(tmp_path)
    assert labels(train) == [["dog"], ["cat"]]
    assert train.skipped == {"label out of range": 2}


def test_table__lists_are_many_labels(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"jpg": RED, "labels": each} for each in (["b", "a"], [], ["b", "b"])]
    table(tmp_path / "train.parquet", rows)
    table(tmp_path / "test.parquet", rows)
    train, _ = open_splits(tmp_path)
    assert train.multilabel
    assert labels(train) == [["a", "b"], [], ["b"]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": RED, "caption": "a"}, "needs a column label"),
        ({"url": "x", "label": 1}, "needs one column with pictures"),
        ({"image": RED, "mask": RED, "label": 1}, "it has image, mask of"),
    ],
)
def test_table__other_columns_are_refused(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    for name in ("train", "test"):
        table(tmp_path / f"{name}.parquet", [row, row])
    with pytest.raises(CatlipError, match=message):
        open_splits(tmp_path)


def coco(path: Path, objects: list[tuple[int, int]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"id": number, "file_name": f"{number}.jpg"} for number in (7, 8, 9)]
    annotations = [{"image_id": image, "category_id": category, "bbox": [0, 0, 1, 1]} for image, category in objects]
    categories = [{"id": 5, "name": "dog"}, {"id": 3, "name": "cat"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def test_coco__categories_of_the_objects(tmp_path: Path) -> None:
    objects = [(7, 3), (7, 5), (7, 3), (9, 5), (9, 99), (77, 5)]
    coco(tmp_path / "annotations/instances_train2017.json", objects)
    coco(tmp_path / "annotations/instances_val2017.json", objects[:2])
    put(tmp_path, *(f"{split}2017/{number}.jpg" for split in ("train", "val") for number in (7, 8, 9)))
    train, test = open_splits(tmp_path)
    assert labels(train) == [["dog", "cat"], [], ["dog"]]
    assert train.skipped == {"label out of range": 1, "no such picture": 1}
    assert train.pictures.read(0) == RED
    assert labels(test)[0] == ["dog", "cat"]


def test_coco__the_real_thing(test_data: Path) -> None:
    train, test = open_splits(test_data / "coco-mini")
    assert (len(train), len(test)) == (80, 79)
    assert "person" in train.classes
    assert train.pictures.read(0)[:2] == b"\xff\xd8"


def test_label_set__samples_with_pictures(tmp_path: Path) -> None:
    train_set = write_label_set(tmp_path / "a", coloured(2, 5))
    test_set = write_label_set(tmp_path / "b", coloured(1, 4))
    train, test = open_splits(Path(train_set), Path(test_set))
    assert train.multilabel
    assert (len(train), len(test)) == (10, 4)
    assert [each[0] for each in labels(test)] == [test.classes[row % 4] for row in range(4)]
    assert train.pictures.read(7) == coloured(2, 5)[1][2].image


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/a/1.jpg"], "there is no test split"),
        (["test/a/1.jpg"], "there is no training split"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/c/1.jpg"], "no training picture has 'c'"),
        (["train/a/1.jpg", "test/a/1.jpg"], "one class alone"),
        (["train/a/1.txt", "test/a/1.jpg"], "has no pictures"),
        (["train.tar", "test.tar"], "is not a whole tar"),
        (["train.parquet", "test.parquet"], "not Parquet files"),
        (["train.json", "test.json"], "is not COCO's JSON"),
    ],
)
def test_open_splits__what_cannot_be_probed_is_named(tmp_path: Path, names: list[str], message: str) -> None:
    put(tmp_path, *names)
    with pytest.raises(CatlipError, match=message):
        open_splits(tmp_path)


def test_open_splits__paths_that_are_not_there(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.jpg")
    for arguments in ((tmp_path / "no",), (tmp_path / "train", tmp_path / "no")):
        with pytest.raises(CatlipError, match="does not exist"):
            open_splits(*arguments)


def test_open_splits__no_labelled_picture_says_why(tmp_path: Path, write_tar: Callable[..., Path]) -> None:
    write_tar(tmp_path / "train.tar", [("0.jpg", RED)])
    write_tar(tmp_path / "test.tar", [("0.jpg", RED), ("0.cls", b"1")])
    with pytest.raises(CatlipError, match=r"training split has no labelled picture \(1 with no label\)"):
        open_splits(tmp_path)
