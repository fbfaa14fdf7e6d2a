import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelgen.sources import rows
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Problem
from tests.labelgen.sources.reading import read, try_reading


def image(number: int | str, name: object = "x.jpg") -> dict[str, Any]:
    return {"id": number, "file_name": name, "height": 1}


def caption(number: int | str, text: object) -> dict[str, Any]:
    return {"image_id": number, "id": 1, "caption": text}


def write(path: Path, images: list[Any], annotations: list[Any]) -> Path:
    path.write_text(json.dumps({"info": {}, "images": images, "annotations": annotations}))
    return path


def test_coco__val2017(test_data: Path) -> None:
    found = read(test_data / "coco-captions-val2017.json")
    assert len(found.samples) == 5_000
    assert sum(map(len, found.captions)) == 25_014
    assert found.keys[0] == "397133"
    assert "A black Honda motorcycle parked in front of a garage." in found.captions[found.keys.index("179765")]
    assert not any(found.problems)
    assert found.leftovers == {}
    assert not any(sample.image for sample in found.samples)


def test_coco__pictures_below_a_folder(test_data: Path, tmp_path: Path) -> None:
    pictures = test_data / "coco-mini" / "val" / "images"
    images = json.loads((pictures.parent / "instances.json").read_text())["images"]
    annotations = [caption(entry["id"], "a thing") for entry in images]
    path = write(tmp_path / "x.json", [*images, image(1, "gone.jpg"), image(2, None)], annotations)
    found = read(path, fields=Fields(image_root=str(pictures)))
    for entry, sample in zip(images, found.samples[:-2], strict=True):
        assert sample.image is not None
        assert sample.image.file.uri == str(pictures / entry["file_name"])
        assert sample.image.size == (pictures / entry["file_name"]).stat().st_size
    assert found.problems[-2:] == [(Problem.MISSING_CAPTION, Problem.MISSING_IMAGE)] * 2


def test_coco__captions_of_unknown_images_and_images_without(tmp_path: Path) -> None:
    annotations = [caption(3, "third"), caption(9, "?"), caption(1, "first"), caption(3, ""), caption(2, None)]
    found = read(write(tmp_path / "x.json", [image(3), image(2), image(1), image(3), image(5)], annotations))
    assert found.keys == ["3", "2", "1", "3", "5"]
    assert found.captions == [("third", ""), (), ("first",), ("third", ""), ()]
    missing = (Problem.MISSING_CAPTION,)
    assert found.problems == [(), missing, (), (Problem.DUPLICATE_KEY,), missing]
    assert found.leftovers == {Problem.CAPTION_OF_NO_IMAGE: 1}


def test_coco__ids_may_be_text(tmp_path: Path) -> None:
    found = read(write(tmp_path / "x.json", [image("狗"), image("\ud83d")], [caption("狗", "a dog \ud83d")]))
    assert found.keys == ["狗", "000000001"]
    assert found.captions == [("a dog \ud83d",), ()]
    assert found.problems[1] == (Problem.MISSING_CAPTION, Problem.MISSING_KEY)


def test_coco__row_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.json", [image(n) for n in range(7)], [caption(n, f"c{n}") for n in range(9)])
    whole = read(path)
    monkeypatch.setattr(rows, "ROWS_PER_SHARD", 3)
    parts = read(path)
    assert parts.rows_per_shard == [3, 3, 1]
    assert (parts.samples, parts.leftovers) == (whole.samples, whole.leftovers)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not COCO captions ("),
        (b'{"images": [], "annotations": []}', "lists no image."),
        (
            b'{"images": [{"id": 1}], "annotations": [{"image_id": 1, "category_id": 2}]}',
            "annotations without captions",
        ),
        (b'{"images": [{"id": 1}]}', "missing required field `annotations`"),
        (b'{"images": [{"id": 1}], "annotations": [{"caption": "a dog"}]}', "`$.annotations[0]`"),
        (b'{"images": [{"id": null}], "annotations": []}', "`$.images[0].id`"),
        (b'{"images": [null], "annotations": []}', "`$.images[0]`"),
        (b'{"images": [{"id": 1}], "annotations": [{"image_id": 1, "caption": "a d', "is not COCO captions ("),
        (b'{"images": [{"id": 1}], "annotations": [{"image_id": 1, "caption": "caf\xe9"}]}', "is not COCO captions ("),
        (b"[" * 100_000, "is not COCO captions ("),
    ],
)
def test_coco__refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.json").write_bytes(content)
    found = try_reading(tmp_path / "x.json")
    assert found.samples == []
    assert found.errors[0].startswith(f"{tmp_path}/x.json ")
    assert reason in found.errors[0]
    assert "\n" not in found.errors[0]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(captions=st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=1), min_size=1), mixed=st.randoms())
def test_coco__round_trip(tmp_path: Path, captions: list[list[str]], mixed: Any) -> None:  # noqa: ANN401
    annotations = [caption(number, text) for number, texts in enumerate(captions) for text in texts]
    mixed.shuffle(annotations)
    found = read(write(tmp_path / "x.json", [image(number) for number in range(len(captions))], annotations))
    assert [sorted(texts) for texts in found.captions] == [sorted(texts) for texts in captions]
