"""Labelled pictures as folders: DATA/train/<class>/*.jpg and DATA/test/<class>/*.jpg (or val/)."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from labelshards import storage
from labelshards.errors import CatlipError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_TEST_NAMES = ("test", "val")


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """One split. paths: below `root`, sorted within their class. class_ids: int64 [number of paths]."""

    root: Path
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    class_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def digest(self) -> str:
        """Identity of the pictures: names and sizes."""
        lines = (f"{path} {(self.root / path).stat().st_size}" for path in self.paths)
        return storage.digest("\n".join(lines).encode())


def open_splits(data: Path) -> tuple[ImageFolder, ImageFolder]:
    """(train, test) of folder `data`. Raises CatlipError if a split is missing or their classes are not the same."""
    test_name = next((name for name in _TEST_NAMES if (data / name).is_dir()), None)
    if not (data / "train").is_dir() or test_name is None:
        raise CatlipError(
            f"{data} is not an image folder with splits: it needs train/<class>/ and test/<class>/ (or val/)."
        )
    train, test = _open(data / "train"), _open(data / test_name)
    if train.classes != test.classes:
        only_train, only_test = set(train.classes) - set(test.classes), set(test.classes) - set(train.classes)
        raise CatlipError(
            f"{data}: train/ and {test_name}/ must have the same classes. {_some('Only in train: ', only_train)}"
            f"{_some(f'Only in {test_name}: ', only_test)}"
        )
    if len(train.classes) < 2:
        raise CatlipError(f"{data / 'train'} has one class alone; a probe tells classes apart.")
    return train, test


def _open(root: Path) -> ImageFolder:
    """Classes are the folders that hold at least one picture, by name; what lies deeper belongs to the top folder."""
    by_class = {
        folder.name: sorted(p.relative_to(root) for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        for folder in sorted(root.iterdir())
        if folder.is_dir()
    }
    by_class = {name: paths for name, paths in by_class.items() if paths}
    if not by_class:
        raise CatlipError(f"{root} has no pictures: it needs a folder for each class, with pictures in it.")
    return ImageFolder(
        root=root,
        classes=tuple(by_class),
        paths=tuple(path for paths in by_class.values() for path in paths),
        class_ids=np.repeat(np.arange(len(by_class)), [len(paths) for paths in by_class.values()]),
    )


def _some(what: str, names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:3]) + (", …" if len(names) > 3 else "")
    return f"{what}{shown}. " if names else ""
