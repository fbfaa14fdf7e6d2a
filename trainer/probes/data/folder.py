"""Pictures as files; and labelled by the folder in which they lie: train/<class>/*.jpg."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from labelshards import storage
from labelshards.errors import CatlipError
from trainer.probes.data.split import Split

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, kw_only=True)
class PictureFiles:
    """paths: below `root`."""

    root: Path
    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    @cached_property
    def digest(self) -> str:
        """Identity of the pictures: where they lie, their sizes and times."""
        root = self.root.resolve()
        lines = (identity(root / path) for path in self.paths)
        return storage.digest("\n".join(lines).encode())

    def read(self, number: int) -> bytes:
        """A file's bytes. Raises OSError, and CatlipError for a name that no file can have."""
        try:
            return (self.root / self.paths[number]).read_bytes()
        except ValueError as error:
            raise CatlipError(f"{self.paths[number]} is no file's name ({error}).") from error


def open_folder(root: Path) -> Split:
    """Classes are the folders that hold at least one picture, by name; what lies deeper belongs to the top folder.

    skipped: empty folders. Raises CatlipError if there is no picture at all.
    """
    by_class = {
        folder.name: sorted(p.relative_to(root) for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        for folder in sorted(root.iterdir())
        if folder.is_dir()
    }
    filled = {name: paths for name, paths in by_class.items() if paths}
    if not filled:
        raise CatlipError(f"{root} has no pictures: it needs a folder for each class, with pictures in it.")
    split = Split.of_one(
        PictureFiles(root=root, paths=tuple(path for paths in filled.values() for path in paths)),
        tuple(filled),
        np.repeat(np.arange(len(filled)), [len(paths) for paths in filled.values()]),
    )
    if empty := len(by_class) - len(filled):
        split.skipped["an empty folder"] = empty
    return split


def identity(path: Path) -> str:
    """What changes when a file does, without reading it; pictures without compression of one shape have one size."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return f"{path} is not there"
    return f"{path} {status.st_size} {status.st_mtime_ns}"
