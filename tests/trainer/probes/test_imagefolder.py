from pathlib import Path

import pytest

from labelshards.errors import CatlipError
from tests.labelset_factory import picture
from trainer.probes.imagefolder import open_splits


def put(data: Path, *names: str) -> None:
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(picture((1, 2, 3)))


def test_open_splits__classes_are_folders(tmp_path: Path) -> None:
    put(tmp_path, "train/b/2.jpg", "train/b/1.PNG", "train/a/deep/er.webp", "test/a/x.jpg", "test/b/y.jpg")
    (tmp_path / "train" / "a" / "notes.txt").write_text("not a picture")
    (tmp_path / "train" / "empty").mkdir()
    train, test = open_splits(tmp_path)
    assert train.classes == test.classes == ("a", "b")
    assert [str(path) for path in train.paths] == ["a/deep/er.webp", "b/1.PNG", "b/2.jpg"]
    assert train.class_ids.tolist() == [0, 1, 1]


def test_open_splits__val_serves_where_there_is_no_test(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg")
    assert len(open_splits(tmp_path)[1]) == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/a/1.jpg"], r"needs train/<class>/ and test/<class>/"),
        (["test/a/1.jpg"], r"needs train/<class>/ and test/<class>/"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/c/1.jpg"], "Only in train: b. Only in test: c."),
        (["train/a/1.jpg", "test/a/1.jpg"], "one class alone"),
        (["train/a/1.txt", "test/a/1.jpg"], "has no pictures"),
    ],
)
def test_open_splits__what_cannot_be_probed_is_named(tmp_path: Path, names: list[str], message: str) -> None:
    put(tmp_path, *names)
    with pytest.raises(CatlipError, match=message):
        open_splits(tmp_path)


def test_digest__changes_with_the_pictures(tmp_path: Path) -> None:
    put(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg")
    before, other_split = (split.digest for split in open_splits(tmp_path))
    assert open_splits(tmp_path)[0].digest == before == other_split  # same names and sizes
    (tmp_path / "train" / "a" / "1.jpg").write_bytes(picture((1, 2, 3), size=(99, 99)))
    assert open_splits(tmp_path)[0].digest != before
