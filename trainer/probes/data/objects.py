"""Where the objects of a picture are, as COCO says it: boxes, and outlines or runs for their masks.

Shapes: N objects of a picture, H x W pixels.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import msgspec
import numpy as np

from labelshards import storage
from trainer.probes.data.outlines import is_outline
from trainer.transforms import MAX_PIXELS

NO_AREA = "a box without area"
NO_OUTLINE = "an object without box or segmentation"
BROKEN_OUTLINE = "a segmentation that outlines nothing in its picture"


class Outline(msgspec.Struct):
    """One annotation. bbox: left, top, width, height, in pixels. segmentation: polygons, or runs (RLE), as JSON."""

    bbox: list[float] | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")
    area: float | None = None
    iscrowd: int = 0


@dataclass(frozen=True, kw_only=True)
class OneObject:
    """box: left, top, right, bottom, inside the picture. crowd: a box around many, which is no object to learn."""

    class_id: int
    box: tuple[float, float, float, float]
    area: float
    crowd: bool
    segmentation: bytes


@dataclass(frozen=True, kw_only=True)
class Objects:
    """sizes: (height, width) of each picture, which the outlines go by. by_picture: its objects.

    skipped: objects that cannot be used, by reason.
    """

    sizes: tuple[tuple[int, int], ...]
    by_picture: tuple[tuple[OneObject, ...], ...]
    skipped: Counter[str]

    @classmethod
    def of(
        cls, sizes: Sequence[tuple[int | None, int | None]], outlines: Sequence[Sequence[tuple[int, Outline]]]
    ) -> Self | None:
        """The objects of all pictures; None if no picture has its size, or no object a box and an outline."""
        if any(height is None or width is None for height, width in sizes):
            return None
        known = tuple(_possible(int(height or 0), int(width or 0)) for height, width in sizes)  # none is None any more
        skipped: Counter[str] = Counter()
        by_picture = []
        for size, those in zip(known, outlines, strict=True):
            found = []
            for class_id, outline in those:
                one = _usable(class_id, outline, size)
                if isinstance(one, str):
                    skipped[one] += 1
                else:
                    found.append(one)
            by_picture.append(tuple(found))
        if not any(by_picture):
            return None
        return cls(sizes=known, by_picture=tuple(by_picture), skipped=skipped)

    @cached_property
    def digest(self) -> str:
        """Identity of all objects."""
        lines = [
            repr((row, one.class_id, one.box, one.crowd, one.segmentation))
            for row, those in enumerate(self.by_picture)
            for one in those
        ]
        return storage.digest("\n".join(lines).encode())

    def renumbered(self, new_ids: Sequence[int]) -> Self:
        """The same with class `new_ids[c]` for class c."""
        by_picture = tuple(
            tuple(replace(one, class_id=new_ids[one.class_id]) for one in those) for those in self.by_picture
        )
        return replace(self, by_picture=by_picture)

    def masks(self, number: int) -> np.ndarray:
        """uint8 [N, H, W], 1 inside, of a picture's objects in their order."""
        from pycocotools import mask as coco_masks

        height, width = self.sizes[number]
        found = []
        for one in self.by_picture[number]:
            runs: Any = coco_masks.frPyObjects(msgspec.json.decode(one.segmentation), height, width)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # its arrays are those of an older NumPy
                found.append(coco_masks.decode(coco_masks.merge(runs) if isinstance(runs, list) else runs))
        return np.stack(found) if found else np.zeros((0, height, width), np.uint8)


def _possible(height: int, width: int) -> tuple[int, int]:
    """A size that a picture may have; else one in which nothing has an area."""
    return (height, width) if min(height, width) > 0 and height * width <= MAX_PIXELS else (0, 0)


def _usable(class_id: int, outline: Outline, size: tuple[int, int]) -> OneObject | str:
    """The object, or why it cannot be used."""
    if outline.bbox is None or len(outline.bbox) != 4 or bytes(outline.segmentation) in (b"[]", b"null"):
        return NO_OUTLINE
    left, top, width, height = outline.bbox
    box = (max(0.0, left), max(0.0, top), min(float(size[1]), left + width), min(float(size[0]), top + height))
    if box[2] <= box[0] or box[3] <= box[1]:
        return NO_AREA
    if not is_outline(bytes(outline.segmentation), size):
        return BROKEN_OUTLINE
    return OneObject(
        class_id=class_id,
        box=box,
        area=outline.area if outline.area is not None else width * height,
        crowd=bool(outline.iscrowd),
        segmentation=bytes(outline.segmentation),  # no view that would keep the whole file
    )
