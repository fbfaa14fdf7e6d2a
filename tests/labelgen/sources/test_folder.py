import os
import tarfile
from pathlib import Path

import pytest

from labelgen import sources
from labelgen.sources import folder
from labelgen.sources.fields import Fields
from labelgen.sources.sample import Problem, SourceError
from labelshards.images import ImageReader, ImageRef
from tests.labelgen.sources.reading import read, try_reading


def put(root: Path, **contents: str | bytes) -> None:
    """Files by name; `__` stands for `/`, `_` for `.`."""
    for name, content in contents.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_folder__pictures_with_text_beside_them(tmp_path: Path) -> None:
    put(tmp_path, b__dog_jpg="picture", b__dog_txt="a dog", a_PNG="x", a_TXT="a cat", c_webp="x")
    put(tmp_path, c_json='{"captions": ["one", "two"]}', c_txt="no", d_jpeg="x", d_json='{"alt": "a bird"}')
    found = read(tmp_path)
    assert found.keys == ["a", "b/dog", "c", "d"]
    assert found.captions == [("a cat",), ("a dog",), ("one", "two"), ()]
    assert found.problems == [(), (), (), (Problem.MISSING_CAPTION,)]
    assert read(tmp_path, fields=Fields(caption_keys=("alt",))).captions == [
        ("a cat",), ("a dog",), ("no",), ("a bird",),
    ]  # fmt: skip
    image = found.samples[1].image
    assert image is not None
    assert ImageReader().read(image.file, ImageRef(0, image.offset, image.size), "b/dog") == b"picture"


def test_folder__what_does_not_fit_is_counted(tmp_path: Path) -> None:
    put(tmp_path, a_jpg="", a_txt="a dog", b_jpg="x", c_txt="no picture", d_txt="none", d_json="{}", e_jpg="x")
    put(tmp_path, e_png="y", e_txt=b"caf\xe9", f_jpg="x", f_json="{", g_gif="x", _h_jpg="x", _git__i_jpg="x")
    found = read(tmp_path)
    assert found.keys == ["a", "b", "e", "e", "f"]
    not_utf8, missing = Problem.CAPTION_NOT_UTF8, Problem.MISSING_CAPTION
    assert found.problems == [
        (Problem.EMPTY_IMAGE,), (missing,), (not_utf8,), (Problem.DUPLICATE_KEY, not_utf8),
        (Problem.BROKEN_JSON, missing),
    ]  # fmt: skip
    assert found.leftovers == {Problem.CAPTION_FILE_ALONE: 3}


def test_folder__flickr8k(test_data: Path, tmp_path: Path) -> None:
    tar = test_data / "flickr8k" / "val" / "00000.tar"
    with tarfile.open(tar) as archive:
        archive.extractall(tmp_path, filter="data")
    from_tar, found = read(tar), read(tmp_path)
    assert (found.keys, found.captions, found.problems) == (from_tar.keys, from_tar.captions, from_tar.problems)
    assert [sample.image.size for sample in found.samples if sample.image] == [
        sample.image.size for sample in from_tar.samples if sample.image
    ]


def test_folder__many_pictures_are_cut_into_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        put(tmp_path, **{f"{number}_jpg": "x", f"{number}_txt": f"dog {number}"})
    put(tmp_path, **{"35_txt": "alone"})
    whole = read(tmp_path)
    monkeypatch.setattr(folder, "ROWS_PER_SHARD", 3)
    parts = read(tmp_path)
    assert parts.rows_per_shard == [3, 2, 2]
    assert (parts.samples, parts.leftovers) == (whole.samples, whole.leftovers)
    shards = sources.plan([f"{tmp_path}/"], Fields())
    assert [shard.name for shard in shards] == [f"{tmp_path.name}-{number:05d}" for number in range(3)]


@pytest.mark.parametrize("change", ["picture", "caption", "gone"])
def test_folder__changed_after_planning(tmp_path: Path, change: str) -> None:
    put(tmp_path, a_jpg="x", a_txt="a dog", b_jpg="x")
    (shard,) = sources.plan([str(tmp_path)], Fields())
    if change == "gone":
        (tmp_path / "b.jpg").unlink()
    else:
        put(tmp_path, **{"a_jpg" if change == "picture" else "a_txt": "another"})
    with pytest.raises(SourceError, match="changed while it was read"):
        list(sources.read(shard, Fields()))
    (again,) = sources.plan([str(tmp_path)], Fields())
    assert again.identity != shard.identity


def test_folder__without_pictures(tmp_path: Path) -> None:
    put(tmp_path, a_txt="a dog", x_tar="x")
    with pytest.raises(SourceError, match=r"is a folder without pictures\. Name its files, for example '.*/\*\.tar'"):
        try_reading(tmp_path)


def test_folder__dangling_link(tmp_path: Path) -> None:
    put(tmp_path, a_jpg="x", a_txt="a dog", b_txt="a cat", c_jpg="x")
    (tmp_path / "b.jpg").symlink_to("nothing")
    found = read(tmp_path)
    assert found.captions[:2] == [("a dog",), ("a cat",)]
    assert found.problems[1] == (Problem.MISSING_IMAGE,)
    (tmp_path / "c.txt").symlink_to("nothing")
    assert try_reading(tmp_path).errors == [f"{tmp_path}/c.txt cannot be read: No such file or directory."]


def test_folder__name_that_is_not_utf8(tmp_path: Path) -> None:
    try:
        (tmp_path / os.fsdecode(b"\xff.jpg")).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(SourceError, match="cannot be written down"):
        try_reading(tmp_path)
