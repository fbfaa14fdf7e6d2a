"""A COCO JSON of instances as multi-label data: the classes of a picture are the categories of its objects."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from labelshards.errors import CatlipError
from trainer.probes.data.folder import PictureFiles
from trainer.probes.data.objects import Objects, Outline
from trainer.probes.data.split import OUT_OF_RANGE, Split

_LOOKED_FOR = 100  # pictures, to find out where they are


class _Image(msgspec.Struct):
    id: int
    file_name: str
    width: int | None = None
    height: int | None = None


class _Annotation(Outline, kw_only=True):
    image_id: int
    category_id: int


class _Category(msgspec.Struct):
    id: int
    name: str


class _Instances(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def open_coco(path: Path) -> Split:
    """A picture without objects counts. skipped: objects of categories or pictures that are not listed.

    Pictures are looked for beside the JSON: in images/, in train2017/ for instances_train2017.json (one folder up,
    too), or in its own folder. Raises CatlipError if there are none, or if it is another JSON.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Instances)
    except (ValueError, RecursionError) as error:
        raise CatlipError(f"{path} is not COCO's JSON with images, annotations and categories ({error}).") from error
    class_of = {category.id: class_id for class_id, category in enumerate(found.categories)}  # COCO's ids have gaps
    row_of = {image.id: row for row, image in enumerate(found.images)}
    labels: list[set[int]] = [set() for _ in found.images]
    outlines: list[list[tuple[int, Outline]]] = [[] for _ in found.images]
    skipped: Counter[str] = Counter()
    for annotation in found.annotations:
        class_id, row = class_of.get(annotation.category_id), row_of.get(annotation.image_id)
        if class_id is None or row is None:
            skipped[OUT_OF_RANGE if class_id is None else "no such picture"] += 1
        else:
            labels[row].add(class_id)
            outlines[row].append((class_id, annotation))
    pictures = PictureFiles(root=_root(path, found.images), paths=tuple(Path(each.file_name) for each in found.images))
    classes = [category.name for category in found.categories]
    split = Split.of_many(pictures, classes, [np.array(sorted(each), np.int64) for each in labels], skipped)
    objects = Objects.of([(image.height, image.width) for image in found.images], outlines)
    return replace(split, objects=objects)


def _root(path: Path, images: list[_Image]) -> Path:
    stem = path.stem.removeprefix("instances_")
    for root in (path.parent / "images", path.parent / stem, path.parent.parent / stem, path.parent):
        if any((root / image.file_name).is_file() for image in images[:_LOOKED_FOR]):
            return root
    raise CatlipError(f"{path}: its pictures are not beside it, in images/, {stem}/ or ../{stem}/.")
