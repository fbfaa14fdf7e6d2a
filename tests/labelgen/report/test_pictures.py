"""Small pictures of classes."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from labelgen.report import pictures
from labelgen.report.pictures import Found, thumbnails
from labelshards.labelset import LabelSet
from tests import labelset_factory
from tests.labelset_factory import COLOURS, Item, picture


def write(folder: Path, items: Sequence[Item], num_classes: int) -> LabelSet:
    return LabelSet.open(str(labelset_factory.write_label_set(folder, [items], num_classes=num_classes)))


def find(label_set: LabelSet, per_class: int = 2, budget: int = 10**6, moved: dict[str, str] | None = None) -> Found:
    order = np.arange(len(label_set.vocabulary))
    steps: list[tuple[int, int]] = []
    found = thumbnails(
        label_set, order, per_class=per_class, budget_bytes=budget, moved=moved or {},
        on_step=lambda done, total: steps.append((done, total)),
    )  # fmt: skip
    assert all(done <= total for done, total in steps)
    return found


def test_thumbnails__show_their_class(tmp_path: Path) -> None:
    items = [Item(key=str(at), labels=[at % 4], image=picture(COLOURS[at % 4], (90, 50), at)) for at in range(20)]
    found = find(write(tmp_path, items, 4))
    assert found.problem is None
    assert [len(of_class) for of_class in found.of_class] == [2, 2, 2, 2]
    for class_id, of_class in enumerate(found.of_class):
        for at in of_class:
            image = Image.open(io.BytesIO(found.pictures[at].webp))
            assert (image.format, image.size) == ("WEBP", (112, 112))
            assert np.abs(np.asarray(image).mean(axis=(0, 1)) - COLOURS[class_id]).max() < 25
            assert int(found.pictures[at].key) % 4 == class_id
            assert found.pictures[at].caption == "a caption"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=st.lists(st.sets(st.integers(0, 4), max_size=4), min_size=1, max_size=12), per_class=st.integers(0, 3))
def test_thumbnails__as_many_as_there_are(
    tmp_path_factory: pytest.TempPathFactory, labels: list[set[int]], per_class: int
) -> None:
    """Each class gets what it may have, of what there is; a picture that two classes share is there once."""
    data = picture((1, 2, 3), (8, 8))
    items = [Item(key=str(at), labels=sorted(mine), image=data) for at, mine in enumerate(labels)]
    found = find(write(tmp_path_factory.mktemp("drawn"), items, 5), per_class)
    for class_id, of_class in enumerate(found.of_class):
        assert len(of_class) == len(set(of_class)) == min(per_class, sum(class_id in mine for mine in labels))
        assert all(class_id in labels[int(found.pictures[at].key)] for at in of_class)
    assert len({each.key for each in found.pictures}) == len(found.pictures)


def test_thumbnails__first_of_every_class_before_second_of_any(tmp_path: Path) -> None:
    items = [Item(key=str(at), labels=[at % 3], image=picture((9, 9, 9), seed=at)) for at in range(12)]
    label_set = write(tmp_path, items, 3)
    one = len(find(label_set).pictures[0].webp)
    found = find(label_set, per_class=4, budget=3 * one)
    assert [len(of_class) for of_class in found.of_class] == [1, 1, 1]
    assert found.problem == "Pictures end after 3, so that the page stays small."


def test_thumbnails__what_cannot_be_decoded_is_passed_over(tmp_path: Path) -> None:
    bad = [b"", b"no picture", picture((0, 0, 0))[:60], b"<script>"]
    items = [Item(key=f"bad{at}", labels=[0], image=data) for at, data in enumerate(bad)]
    items += [
        Item(key=f"good{at}", labels=[1], image=picture((0, 200, 0), form=form))
        for at, form in enumerate(("PNG", "GIF"))
    ]
    found = find(write(tmp_path, items, 2))
    assert [len(of_class) for of_class in found.of_class] == [0, 2]
    assert found.problem is not None
    assert found.problem.startswith("Pictures that cannot be decoded are left out, the first: bad")


def test_thumbnails__unusual_pictures(tmp_path: Path) -> None:
    """Grey, with a palette and transparency, CMYK, one pixel, lying on its side."""
    kinds = [
        Image.new(mode, size) for mode, size in (("L", (30, 20)), ("P", (5, 90)), ("RGBA", (1, 1)), ("I;16", (9, 9)))
    ]
    data = []
    for image in kinds:
        out = io.BytesIO()
        image.save(out, "PNG")
        data.append(out.getvalue())
    for mode, exif in (("CMYK", Image.Exif()), ("RGB", Image.Exif())):
        exif[0x0112] = 6
        out = io.BytesIO()
        Image.new(mode, (40, 20)).save(out, "JPEG", exif=exif)
        data.append(out.getvalue())
    items = [Item(key=str(at), labels=[at], image=each) for at, each in enumerate(data)]
    found = find(write(tmp_path, items, len(items)))
    assert (found.problem, [len(each) for each in found.of_class]) == (None, [1] * len(items))


def test_thumbnails__tar_that_is_gone_or_changed(tmp_path: Path) -> None:
    items = [Item(key=str(at), labels=[0], image=picture((9, 9, 9))) for at in range(4)]
    label_set = write(tmp_path, items, 1)
    (tar,) = (tmp_path / "tars").iterdir()
    moved = tar.rename(tmp_path / "00000.tar")
    assert "00000.tar is gone" in str(find(label_set).problem)
    assert find(label_set, moved={str(tmp_path / "tars"): str(tmp_path)}).problem is None
    moved.write_bytes(moved.read_bytes() + b"more")
    assert "bytes" in str(find(label_set, moved={str(tmp_path / "tars"): str(tmp_path)}).problem)


def test_thumbnails__large_as_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    found = find(write(tmp_path, [Item(key="1", labels=[0], image=picture((1, 1, 1), (90, 90)))], 1))
    assert found.pictures == []
    assert "cannot be decoded" in str(found.problem)


def test_thumbnails__shards_are_taken_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_MOST_SHARDS", 3)
    root = labelset_factory.write_label_set(tmp_path, labelset_factory.coloured(9, 2, 1), num_classes=1)
    found = find(LabelSet.open(str(root)), per_class=100)
    assert sorted({each.key[:2] for each in found.pictures}) == ["00", "04", "08"]
