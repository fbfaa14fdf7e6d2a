"""One split of a probe's data: pictures, and the classes that each has.

Shapes: N pictures, K classes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from labelshards.errors import CatlipError

if TYPE_CHECKING:
    from trainer.probes.data.masks import Masks
    from trainer.probes.data.objects import Objects

KINDS = (
    "folders of classes, tars with .cls, Parquet, COCO's instances.json, or a label set; as train/ and test/ or val/, "
    "as files named train* and test*, or as two paths with --test; for segmentation images/ and masks/ in each, or "
    "ADE20K's folders"
)
OUT_OF_RANGE = "label out of range"
NO_LABEL = "no label"
_MOST_DIGITS = 18


def require(path: Path) -> None:
    """Raise CatlipError if there is nothing at `path`."""
    if not path.exists():
        raise CatlipError(f"{path} does not exist. It should hold {KINDS}.")


class Pictures(Protocol):
    """Something that holds encoded pictures; it is sent to worker processes, which read from it at random places."""

    @property
    def digest(self) -> str:
        """Identity of the pictures and their order."""

    def __len__(self) -> int:
        """How many there are."""

    def read(self, number: int) -> bytes:
        """The bytes of one. Raises OSError or CatlipError if they are gone."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """pictures: N of them. classes: names, by class id. skipped: what has no usable label, by reason; not counted in N.

    offsets: int64 [N+1], values: int64; the class ids of picture i are values[offsets[i]:offsets[i+1]], rising.
    multilabel: a picture may have any number of classes; otherwise each has one. masks, objects: of data that says
    where in a picture its classes are.
    """

    pictures: Pictures
    classes: tuple[str, ...]
    offsets: np.ndarray
    values: np.ndarray
    multilabel: bool = False
    skipped: Counter[str] = field(default_factory=Counter)
    masks: "Masks | None" = None
    objects: "Objects | None" = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def class_ids(self) -> np.ndarray:
        """int64 [N]: the class of each picture, where each has one."""
        assert not self.multilabel, "asked for by probes that want one class a picture"
        return self.values

    def truth(self, rows: np.ndarray, classes: slice = slice(None)) -> np.ndarray:
        """bool [B, classes]: which of these classes (a range) these pictures have. rows: int64 [B]."""
        first, stop, _ = classes.indices(len(self.classes))
        counts_B = self.offsets[rows + 1] - self.offsets[rows]
        picture = np.repeat(np.arange(len(rows)), counts_B)
        # Behind the values of the pictures before, as if they all stood in one row.
        places = np.repeat(self.offsets[rows] - np.cumsum(counts_B) + counts_B, counts_B) + np.arange(counts_B.sum())
        values = self.values[places]
        wanted = (first <= values) & (values < stop)
        found = np.zeros((len(rows), stop - first), bool)
        found[picture[wanted], values[wanted] - first] = True
        return found

    @classmethod
    def of_one(
        cls, pictures: Pictures, classes: Sequence[str], class_ids: np.ndarray, skipped: Counter[str] | None = None
    ) -> "Split":
        """A split in which every picture has one class. class_ids: int [N]."""
        return cls(
            pictures=pictures,
            classes=tuple(classes),
            offsets=np.arange(len(class_ids) + 1),
            values=class_ids.astype(np.int64),
            skipped=skipped or Counter(),
        )

    @classmethod
    def of_many(
        cls, pictures: Pictures, classes: Sequence[str], labels: Sequence[np.ndarray], skipped: Counter[str]
    ) -> "Split":
        """A split in which pictures have any number of classes. labels: of each its class ids, int64."""
        unique = [np.unique(each) for each in labels]
        return cls(
            pictures=pictures,
            classes=tuple(classes),
            offsets=np.cumsum([0, *map(len, unique)]),
            values=np.concatenate([np.empty(0, np.int64), *unique]).astype(np.int64),
            multilabel=True,
            skipped=skipped,
        )


def check_pair(train: Split, test: Split, where: str) -> tuple[Split, Split]:
    """Both splits with the class ids of the training split. Raises CatlipError if no probe can be made of them.

    Classes without test pictures are allowed (results count them), classes without training pictures are not.
    """
    if train.multilabel != test.multilabel:
        raise CatlipError(f"{where}: one split has one class a picture, the other has several. Give two of one kind.")
    for split, name in ((train, "training"), (test, "test")):
        if not len(split):
            why = "; ".join(f"{count:,} with {reason}" for reason, count in split.skipped.items())
            raise CatlipError(f"{where}: the {name} split has no labelled picture{f' ({why})' if why else ''}.")
    ids = {name: number for number, name in enumerate(train.classes)}
    present = np.unique(test.values)
    unknown = [test.classes[each] for each in present.tolist() if test.classes[each] not in ids]
    if unknown:
        raise CatlipError(
            f"{where}: no training picture has {_some(unknown)}, which the test split has. Leave it out there."
        )
    if len(np.unique(train.values)) < 2:
        raise CatlipError(f"{where}: the training split has one class alone; a probe tells classes apart.")
    new_ids = np.array([ids.get(name, -1) for name in test.classes], np.int64)
    values = new_ids[test.values]
    if test.multilabel:
        rows = np.repeat(np.arange(len(test)), np.diff(test.offsets))
        values = values[np.lexsort((values, rows))]  # under new numbers, a picture's classes need not rise
    objects = test.objects.renumbered(new_ids.tolist()) if test.objects else None
    return train, replace(test, classes=train.classes, values=values, objects=objects)


def number_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct class names in their order: by number if all are numbers (of 18 digits at most), by letters if not."""
    distinct = set(names)
    if all(name.isdecimal() and len(name) <= _MOST_DIGITS for name in distinct):
        return tuple(sorted(distinct, key=int))
    return tuple(sorted(distinct))


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in sorted(names)[:3])
    return f"{shown} and {len(names) - 3:,} more" if len(names) > 3 else shown
