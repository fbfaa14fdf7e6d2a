"""Readers of pictures, and of labelled pictures as other people keep them: what probes and tags are given."""

import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from labelgen.report import pictures as report_pictures
from labelshards.errors import CatlipError
from tests.attack.reader import Reader
from tests.attack.shapes import of_json, of_table
from tests.attack.source_files import of_tar, parquet_of, sealed_tar, tar_of
from tests.labelset_factory import COLOURS, picture
from trainer import transforms
from trainer.encoders.encoder import PictureInput
from trainer.pictures import finding, units
from trainer.pictures.reading import PictureBatches
from trainer.probes.data.masks import Masks
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split
from trainer.transforms import BrokenImageError

_INPUT = PictureInput(image_size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
_FORMS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")


def _encoded(image: Image.Image, form: str) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form)
    return sink.getvalue()


def _grid(mode: str) -> Image.Image:
    return Image.fromarray(np.arange(12 * 10, dtype=np.uint8).reshape(10, 12)).convert(mode)


_MASK = _encoded(_grid("L").point([value % 3 for value in range(256)]), "PNG")
_PICTURES = [
    *(picture(COLOURS[0], size=(12, 10), form=form) for form in _FORMS),
    *(_encoded(_grid(mode), "PNG") for mode in ("RGBA", "LA", "P", "1", "I;16")),
    _encoded(_grid("CMYK"), "JPEG"),
    _MASK,
]
_RED, _GREEN = (picture(colour, size=(8, 8)) for colour in COLOURS[:2])


def _decode(file: Path, _out: Path) -> None:
    data = file.read_bytes()
    report_pictures._small(data)
    pixels_CHW = transforms.decode(data)
    _INPUT.crop(pixels_CHW)
    transforms.random_resized_crop(pixels_CHW, 16, 0.2, np.random.default_rng(0))


def _probe(file: Path, _out: Path) -> None:
    """Both splits, and some pictures of each, as a probe takes them."""
    folder = next(parent for parent in file.parents if parent.name == "given")
    for split in open_splits(folder):
        assert split.pictures.digest
        _read(split)


def _read(split: Split) -> None:
    split.truth(np.arange(len(split)))
    for number in range(min(4, len(split))):
        try:
            _INPUT.crop(transforms.decode(split.pictures.read(number)))
            if split.masks:
                _lookup(split.masks, split.classes, number)
        except (BrokenImageError, OSError, CatlipError):
            continue
    if split.objects:
        assert split.objects.digest
        for number in range(min(4, len(split))):
            split.objects.masks(number)


def _lookup(masks: Masks, classes: tuple[str, ...], number: int) -> None:
    masks.lookup(classes)[masks.read(number)]


def _tagged(file: Path, _out: Path) -> None:
    """The pictures of a file, as `catlip tag` finds and decodes them."""
    found = finding.find([str(file)], lambda: b"")
    for unit in units.cut(found.sources, {}):
        places = unit.list().places[:4]
        if places:
            PictureBatches(picture=_INPUT)[places]


def of_names(rng: random.Random, data: bytes) -> bytes | None:
    """Names of classes, lines of which have other numbers."""
    lines = data.split(b"\n")
    lines[rng.randrange(len(lines))] = rng.choice(_NAMES)
    return b"\n".join(lines)


_NAMES: Sequence[bytes] = (
    b"-1\t1\t1\t1\tx", b"256\t1\t1\t1\tx", b"9" * 5000 + b"\tx", "\u0661\t1\t1\t1\tx".encode(), b"\xff", b"", b"1",
    b"\t\t", "\u00b2\tx".encode(),
)  # fmt: skip
_TAR = tar_of([("a.jpg", _RED), ("a.cls", b"0"), ("b.jpg", _GREEN), ("b.cls", b"1"), ("c.png", b"x"), ("c.cls", b"x")])
_FEATURES = json.dumps({"info": {"features": {"label": {"names": ["red", "green"]}}}}).encode()
_ROWS = {"image": pa.array([{"bytes": _RED}, {"bytes": _GREEN}, {"bytes": b""}]), "label": [0, 1, 0]}
_TABLE = pa.table(_ROWS)
_TABLES = [
    parquet_of(_TABLE.replace_schema_metadata({b"huggingface": _FEATURES})),
    parquet_of(_TABLE.set_column(1, "labels", pa.array([[0], [1, 0], []]))),
    parquet_of(_TABLE.set_column(1, "label", pa.array(["red", "green", None]))),
]
_INSTANCES = json.dumps(
    {
        "images": [{"id": 1, "file_name": "r.jpg", "width": 8, "height": 8},
                   {"id": 2, "file_name": "g.jpg", "width": 8, "height": 8}],
        "annotations": [
            {"image_id": 1, "category_id": 3, "bbox": [0, 0, 4, 4], "segmentation": [[0, 0, 4, 0, 4, 4]], "area": 8},
            {"image_id": 2, "category_id": 4, "bbox": [1, 1, 4, 4], "iscrowd": 1,
             "segmentation": {"counts": [0, 64], "size": [8, 8]}},
        ],
        "categories": [{"id": 3, "name": "red"}, {"id": 4, "name": "green"}],
    }
).encode()  # fmt: skip
_COCO = {"images/r.jpg": _RED, "images/g.jpg": _GREEN, "instances_test.json": _INSTANCES}
_MASKS = {
    f"{split}/{folder}/{name}.{ending}": data
    for split in ("train", "test")
    for folder, ending, data in (("images", "jpg", picture(COLOURS[0], size=(12, 10))), ("masks", "png", _MASK))
    for name in ("a", "b")
}
_ADE = b"Idx\tRatio\tTrain\tVal\tName\n1\t0.1\t1\t1\twall\n2\t0.1\t1\t1\tsky\n"

READERS = (
    Reader(name="picture", file="a.jpg", seeds=_PICTURES, call=_decode),
    Reader(name="tag-picture", file="a.png", seeds=_PICTURES, call=_tagged),
    Reader(name="tag-tar", file="a.tar", seeds=[_TAR], call=_tagged, shapes=(of_tar,), seal=sealed_tar),
    Reader(name="probe-tar", file="train.tar", seeds=[_TAR], beside={"test.tar": _TAR}, call=_probe, shapes=(of_tar,),
           seal=sealed_tar),
    Reader(name="probe-table", file="train.parquet", seeds=_TABLES, beside={"test.parquet": _TABLES[0]}, call=_probe,
           shapes=(of_table,)),
    Reader(name="probe-coco", file="instances_train.json", seeds=[_INSTANCES], beside=_COCO, call=_probe,
           shapes=(of_json,)),
    Reader(name="probe-folder", file="train/a/a.jpg", seeds=_PICTURES[:3], call=_probe,
           beside={"train/b/b.jpg": _RED, "test/a/a.jpg": _RED, "test/b/b.jpg": _GREEN}),
    Reader(name="probe-mask", file="train/masks/a.png", seeds=[_MASK], call=_probe,
           beside={path: data for path, data in _MASKS.items() if path != "train/masks/a.png"}),
    Reader(name="probe-class-names", file="classes.txt", seeds=[b"wall\nsky\nsea\n"], beside=_MASKS, call=_probe,
           shapes=(of_names,)),
    Reader(name="probe-ade20k-names", file="objectInfo150.txt", seeds=[_ADE], beside=_MASKS, call=_probe,
           shapes=(of_names,)),
)  # fmt: skip
