import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from labelshards import storage
from labelshards.errors import LabelSetError
from labelshards.images import ImageFile
from labelshards.labelset import LabelSet
from tests.labelset_factory import Item, coloured, picture, write_label_set
from trainer.pictures import units
from trainer.pictures.finding import find
from trainer.pictures.units import Unit, cut

RED = picture((200, 0, 0))


def cut_files(*names: object, moved: dict[str, str] | None = None) -> list[Unit]:
    return cut(find([str(name) for name in names], lambda: b"").sources, moved or {})


def test_cut__a_tar_is_a_unit_and_loose_pictures_come_together(
    tmp_path: Path, write_tar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "PICTURES_PER_PART", 2)
    write_tar(tmp_path / "x.tar", [("1.jpg", RED)])
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(RED)
    found = cut_files(tmp_path)
    assert [len(unit.list().places) for unit in found] == [2, 1, 1]
    assert found[2].name == "x"
    assert found[0].size == 2 * len(RED)


def test_identity__changes_with_a_file_and_with_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(RED)
    before = cut_files(file)[0].identity
    assert cut_files(file)[0].identity == before
    os.utime(file, (1, 1))
    assert cut_files(file)[0].identity != before


def test_list__keys_are_those_of_samples_and_the_first_one_counts(
    tmp_path: Path, write_tar: Callable[..., Path]
) -> None:
    members = [
        ("a/1.jpg", RED),
        ("a/1.txt", b"red"),
        ("a/1.png", RED),
        ("2.jpg", b""),
        ("a/1.jpg", RED),
        ("__x__", b""),
    ]
    places, damage = cut_files(write_tar(tmp_path / "x.tar", members))[0].list()
    assert [(place.key, place.problem) for place in places] == [
        ("a/1", None), ("a/1", units.TWICE), ("2", None), ("a/1", units.TWICE)
    ]  # fmt: skip
    assert damage is None
    assert {place.source for place in places} == {str(tmp_path / "x.tar")}


def test_list__a_tar_that_breaks_off_has_what_stands_before(tmp_path: Path, write_tar: Callable[..., Path]) -> None:
    tar = write_tar(tmp_path / "x.tar", [(f"{number}.jpg", RED) for number in range(4)])
    member = 512 + -(-len(RED) // 512) * 512
    for length, said in ((member + 600, "cut off inside '1.jpg'"), (2 * member, "no end mark")):
        os.truncate(tar, length)
        places, damage = cut_files(tar)[0].list()
        assert [place.key for place in places] == ["0", "1"][: length // member]
        assert said in str(damage)
        write_tar(tar, [(f"{number}.jpg", RED) for number in range(4)])


@pytest.mark.parametrize(("content", "said"), [(b"", "empty"), (b"no tar" * 200, "not a whole tar")])
def test_list__what_is_no_tar(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    places, damage = cut_files(tmp_path / "x.tar")[0].list()
    assert places == []
    assert said in str(damage)


def test_list__an_empty_tar_is_whole(tmp_path: Path, write_tar: Callable[..., Path]) -> None:
    assert cut_files(write_tar(tmp_path / "x.tar", []))[0].list() == ([], None)


def test_list__loose_pictures_of_a_label_set_are_named_by_folder_and_file(tmp_path: Path) -> None:
    labels = write_label_set(tmp_path, coloured(1, 1))
    label_set = LabelSet.open(str(labels))
    loose = replace(label_set.read_shard(0), image_files=(ImageFile(uri=f"{tmp_path}/photos/a.jpg", bytes=9),))
    data = loose.to_bytes(label_set.vocabulary.digest)
    (labels / "shards" / "00000.parquet").write_bytes(data)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"123456789")
    entry = msgspec.structs.replace(label_set.manifest.shards[0], xxh3_64=storage.digest(data))
    manifest = msgspec.structs.replace(label_set.manifest, shards=[entry])
    (labels / "labelset.json").write_bytes(manifest.to_bytes())
    [place] = cut_files(labels)[0].list().places
    assert (place.source, place.key) == (f"{tmp_path}/photos", "a.jpg")


def test_list__of_a_label_set_the_samples_that_have_a_picture(tmp_path: Path) -> None:
    labels = write_label_set(tmp_path, [[Item(key="x", image=RED), Item(key="y", image=None)], *coloured(1, 2)])
    tars = tmp_path / "tars"
    found = cut_files(labels)
    assert [unit.name for unit in found] == ["00000", "00001"]
    assert [[(place.source, place.key) for place in unit.list().places] for unit in found] == [
        [(str(tars / "00000.tar"), "x")],
        [(str(tars / "00001.tar"), "00000"), (str(tars / "00001.tar"), "00001")],
    ]
    assert found[1].list() == cut_files(tars / "00001.tar")[0].list(), "as if the tar had been named"
    moved = tars.rename(tmp_path / "moved")
    with pytest.raises(LabelSetError, match="say where it is with --moved OLD=NEW"):
        found[1].list()
    places = cut_files(labels, moved={str(tars): str(moved)})[1].list().places
    assert [(place.source, place.file.uri) for place in places] == [(f"{tars}/00001.tar", f"{moved}/00001.tar")] * 2
    (labels / "shards" / "00001.parquet").write_bytes(b"other")
    with pytest.raises(LabelSetError, match="changed after the label set was finished"):
        found[1].list()
