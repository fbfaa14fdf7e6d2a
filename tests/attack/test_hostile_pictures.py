"""Pictures, masks and data for probes that are larger inside than outside, or say what is not so."""

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelgen.report import pictures as report_pictures
from labelshards.errors import CatlipError
from labelshards.vocabulary import Vocabulary
from tests.attack.probe_data import READERS
from tests.attack.test_hostile_sources import within
from tests.labelgen.sources.reading import try_reading
from tests.labelset_factory import COLOURS, picture
from trainer import transforms
from trainer.probes.data.masks import open_masks
from trainer.probes.data.opening import open_splits
from trainer.probes.data.split import Split
from trainer.transforms import BrokenImageError

GIVEN = {reader.name: reader for reader in READERS}


def png(width: int, height: int, rows: int = 0) -> bytes:
    """A grey PNG that says it has so many pixels; `rows` of them are there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes((width + 1) * rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


BOMBS: dict[str, Callable[[], bytes]] = {
    "png": lambda: png(30_000, 30_000, 30),
    "png that nobody could hold": lambda: png(2**31 - 1, 2**31 - 1),
    "jpeg": lambda: _sized(picture(COLOURS[0]), b"\xff\xc0\x00\x11\x08", 65_500, 65_500),
    "gif": lambda: b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + picture(COLOURS[0], form="GIF")[10:],
}


def _sized(jpeg: bytes, mark: bytes, width: int, height: int) -> bytes:
    at = jpeg.index(mark) + len(mark)
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


@pytest.mark.parametrize("name", BOMBS)
def test_decode__a_bomb_is_a_reason_and_costs_nothing(name: str) -> None:
    data = BOMBS[name]()
    assert len(data) < 200_000
    with within(300):
        with pytest.raises(BrokenImageError) as refused:
            transforms.decode(data)
        assert refused.value.reason in ("too large", "damaged", "no known format")
        assert report_pictures._small(data) is None


def test_open_masks__a_bomb_is_counted(tmp_path: Path) -> None:
    """Both as a mask and as a picture beside one."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(picture(COLOURS[0], size=(12, 10)))
    (tmp_path / "masks" / "a.png").write_bytes(png(9_500, 9_500, 9_500))
    (tmp_path / "images" / "b.png").write_bytes(BOMBS["png"]())
    (tmp_path / "masks" / "b.png").write_bytes(BOMBS["png"]())
    with within(300):
        split = open_masks(tmp_path / "images", tmp_path / "masks", tmp_path, lambda *_: None)
    assert split.skipped == {"a mask that is too large": 1, "a picture of no known format": 1}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("classes.txt", b"\xff\xfe", "is not UTF-8"),
        ("objectInfo150.txt", b"Idx\tName\n\xff\tx\n", "is not UTF-8"),
        ("objectInfo150.txt", b"Idx\tName\n" + b"9" * 5_000 + b"\tx\n1\twall\n300\tsky\n", None),
        ("classes.txt", b"wall\n" * 300, None),
    ],
)
def test_open_masks__names_of_more_classes_than_a_mask_can_say(
    tmp_path: Path, name: str, content: bytes, expected: str | None
) -> None:
    put(tmp_path, GIVEN["probe-class-names"].beside)
    (tmp_path / name).write_bytes(content)
    if expected:
        with pytest.raises(CatlipError, match=expected):
            opened(tmp_path)
    else:
        split = opened(tmp_path)
        assert split.masks is not None
        assert split.masks.lookup(split.classes).max() <= 255


def put(folder: Path, files: Any) -> None:  # noqa: ANN401
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def opened(folder: Path) -> Split:
    return open_masks(folder / "train" / "images", folder / "train" / "masks", folder, lambda *_: None)


def table(
    column: pa.Array, metadata: dict[bytes, bytes] | None = None, name: str = "label", rows_a_group: int | None = None
) -> bytes:
    image = pa.array([picture(COLOURS[row % 2], size=(8, 8)) for row in range(len(column))], pa.binary())
    sink = io.BytesIO()
    content = pa.table({"image": image, name: column}).replace_schema_metadata(metadata)
    pq.write_table(content, sink, row_group_size=rows_a_group)
    return sink.getvalue()


def features(names: Any) -> dict[bytes, bytes]:  # noqa: ANN401
    return {b"huggingface": json.dumps({"info": {"features": {"label": {"names": names}}}}).encode()}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"PAR1" + bytes(40) + b"PAR1", "not Parquet files with the same columns"),
        (b"", "not Parquet files with the same columns"),
        (table(pa.array([2**62, 0], pa.timestamp("us"))), r"timestamp\[us\] in 'label'; labels are"),
        (table(pa.array([[[1]], [[2]]])), "list<.*> in 'label'; labels are"),
        (table(pa.array([0.5, float("nan")])), "double in 'label'; labels are"),
        (table(pa.array(["dog", "cat"])).replace(b"dog", b"\x80og"), "'label' cannot be read"),
    ],
)
def test_open_tables__what_is_no_label_is_one_line(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "train.parquet").write_bytes(data)
    (tmp_path / "test.parquet").write_bytes(table(pa.array([0, 1])))
    with pytest.raises(CatlipError, match=expected) as refused:
        open_splits(tmp_path)
    assert "\n" not in str(refused.value)


def test_tables__names_of_columns_that_are_not_utf8_are_one_line(tmp_path: Path) -> None:
    """pyarrow reads them when it opens a file, and has an error of its own for that."""
    data = table(pa.array([0, 1])).replace(b"image", b"\xae\xae\xae\xae\xae")
    for split in ("train", "test"):
        (tmp_path / f"{split}.parquet").write_bytes(data)
    with pytest.raises(CatlipError, match="not Parquet files with the same columns"):
        open_splits(tmp_path)
    with pytest.raises(CatlipError, match="is not a readable Parquet file"):
        Vocabulary.from_bytes(data, "vocabulary.parquet")
    [error] = try_reading(tmp_path / "train.parquet").errors
    assert "is not a whole Parquet file" in error


@pytest.mark.parametrize("names", [5, {"a": 1}, [[]], None, [None], "a"])
def test_open_tables__names_that_are_none(tmp_path: Path, names: object) -> None:
    """Either numbers are the names, or there is one class, of which no probe can be made."""
    for split in ("train", "test"):
        (tmp_path / f"{split}.parquet").write_bytes(table(pa.array([0, 1]), features(names)))
    if names in (5, None):
        assert open_splits(tmp_path)[0].classes == ("0", "1")
    else:
        with pytest.raises(CatlipError, match="one class alone"):
            open_splits(tmp_path)


def test_open_tables__bytes_that_are_gone_or_broken_are_one_line(tmp_path: Path) -> None:
    """The footer is whole, and the pages are not."""
    for split in ("train", "test"):
        (tmp_path / f"{split}.parquet").write_bytes(table(pa.array([0, 1, 0, 1])))
    train, _ = open_splits(tmp_path)
    data = bytearray((tmp_path / "train.parquet").read_bytes())
    data[4:200] = bytes(196)
    (tmp_path / "train.parquet").write_bytes(data)
    with pytest.raises(CatlipError, match=r"train.parquet: row group 0 cannot be read"):
        train.pictures.read(0)


def test_open_tables__a_row_group_with_fewer_rows_than_it_says_is_one_line(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.parquet").write_bytes(table(pa.array([0, 1, 0, 1]), rows_a_group=2))
    train, _ = open_splits(tmp_path)
    assert train.pictures.read(0)
    (tmp_path / "train.parquet").write_bytes(table(pa.array([0, 1]), rows_a_group=1))
    with pytest.raises(CatlipError, match=r"train.parquet: row group 1 cannot be read"):
        train.pictures.read(3)


def test_open_tars__a_class_of_a_gigabyte_and_numbers_without_end(tmp_path: Path) -> None:
    from tests.attack.source_files import tar_of

    red = picture(COLOURS[0], size=(8, 8))
    long = [
        ("a.jpg", red),
        ("a.cls", b"9" * 5_000),
        ("b.jpg", red),
        ("b.cls", b"1"),
        ("c.jpg", red),
        ("c.cls", b"x" * 10**6),
    ]
    for split in ("train", "test"):
        (tmp_path / f"{split}.tar").write_bytes(tar_of(long))
    train, _ = open_splits(tmp_path)
    assert [len(name) for name in train.classes] == [1, 1024, 1024]


def test_open_coco__what_is_no_json_of_instances_is_one_line(tmp_path: Path) -> None:
    put(tmp_path, GIVEN["probe-coco"].beside)
    for data in (b"\xff", b"[" * 100_000, b'{"images": [{"id": 1e999}]}', b'{"images": "\xff"}'):
        (tmp_path / "instances_train.json").write_bytes(data)
        with pytest.raises(CatlipError, match="is not COCO's JSON"):
            open_splits(tmp_path)


def test_open_coco__names_that_no_file_can_have(tmp_path: Path) -> None:
    """A picture that is not there is a picture that is not there, however it is called."""
    put(tmp_path, GIVEN["probe-coco"].beside)
    content = json.loads(GIVEN["probe-coco"].seeds[0])
    for number, name in enumerate(["\0", "a" * 5_000, "..", ""], 3):
        content["images"].append({"id": number, "file_name": name, "width": 8, "height": 8})
    (tmp_path / "instances_train.json").write_text(json.dumps(content))
    train, _ = open_splits(tmp_path)
    assert train.pictures.digest
    for number in range(2, 6):
        with pytest.raises((OSError, CatlipError)):
            train.pictures.read(number)


@pytest.mark.parametrize("size", [(10**18, 10**18), (-8, -8), (0, 8), (10**6, 10**6)])
def test_open_coco__a_size_that_no_picture_has_leaves_its_objects_out(tmp_path: Path, size: tuple[int, int]) -> None:
    put(tmp_path, GIVEN["probe-coco"].beside)
    content = json.loads(GIVEN["probe-coco"].seeds[0])
    content["images"][1] |= dict(zip(("height", "width"), size, strict=True))
    (tmp_path / "instances_train.json").write_text(json.dumps(content))
    train, _ = open_splits(tmp_path)
    assert train.objects is not None
    assert train.objects.skipped == {"a box without area": 1}
    assert train.objects.masks(1).shape == (0, 0, 0)


def test_open_coco__an_outline_that_would_be_written_past_its_picture_is_counted(tmp_path: Path) -> None:
    """pycocotools writes as many pixels as the runs say, into as many as the picture has."""
    put(tmp_path, GIVEN["probe-coco"].beside)
    content = json.loads(GIVEN["probe-coco"].seeds[0])
    content["annotations"][1]["segmentation"]["counts"] = [0, 1_000_000]
    (tmp_path / "instances_train.json").write_bytes(json.dumps(content).encode())
    train, _ = open_splits(tmp_path)
    assert train.objects is not None
    assert train.objects.skipped == {"a segmentation that outlines nothing in its picture": 1}
    assert train.objects.masks(0).shape == (1, 8, 8)
