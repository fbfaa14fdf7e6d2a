from pathlib import Path

import pytest

from labelshards.errors import CatlipError
from tests.labelset_factory import Item, coloured, write_label_set
from trainer.pictures.finding import Found, find


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a/c.PNG", "a/d.txt", ".hidden/e.jpg", "00.tar", "01.tar", "02.tar", "a/.f.jpg", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def no_stdin() -> bytes:
    raise AssertionError("nobody named -")


def named(found: Found, folder: Path) -> list[str]:
    return [source.uri.removeprefix(f"{folder}/") for source in found.sources]


def test_find__a_folder_is_searched_without_hidden_files(folder: Path) -> None:
    found = find([str(folder)], no_stdin)
    assert named(found, folder) == ["00.tar", "01.tar", "02.tar", "a/c.PNG", "b.jpg"]
    assert [source.key for source in found.sources[3:]] == ["a/c.PNG", "b.jpg"]
    assert [source.folder for source in found.sources] == [None, None, None, str(folder), str(folder)]


def test_find__ranges_and_globs(folder: Path) -> None:
    assert named(find([f"{folder}/{{00..01}}.tar"], no_stdin), folder) == ["00.tar", "01.tar"]
    assert named(find([f"{folder}/*"], no_stdin), folder) == ["00.tar", "01.tar", "02.tar", "a/c.PNG", "b.jpg"]


def test_find__a_named_file_is_taken_whatever_it_is_called(folder: Path) -> None:
    [source] = find([f"{folder}/notes.md"], no_stdin).sources
    assert (source.key, source.folder) == ("notes.md", str(folder))


def test_find__each_file_once(folder: Path) -> None:
    found = find([f"{folder}/b.jpg", f"{folder}/00.tar", f"{folder}/*.jpg", str(folder)], no_stdin)
    assert named(found, folder)[:2] == ["b.jpg", "00.tar"]
    assert len(found.sources) == 5
    assert found.repeated == 3


@pytest.mark.parametrize("between", [b"\n", b"\r\n", b"\0"])
def test_find__a_list_on_stdin(folder: Path, between: bytes) -> None:
    lines = [f"{folder}/b.jpg".encode(), b"", f"{folder}/gone.jpg".encode(), f"{folder}/a".encode()]
    found = find(["-"], lambda: between.join(lines))
    assert named(found, folder) == ["b.jpg", "gone.jpg", "a/c.PNG"]
    assert found.sources[1].size == 0, "what is gone has its row, and a reason"


def test_find__a_picture_on_stdin() -> None:
    [source] = find(["-"], lambda: b"\xff\xd8\xff\xe0 a picture").sources
    assert (source.uri, source.key, source.data) == ("-", "-", b"\xff\xd8\xff\xe0 a picture")


def test_find__a_label_set_is_its_label_shards(tmp_path: Path) -> None:
    labels = write_label_set(tmp_path, [*coloured(1, 2), [Item(key="x", image=None)]])
    found = find([str(labels)], no_stdin)
    assert named(found, labels) == ["shards/00000.parquet"], "the other one has no picture"
    assert [source.label_set for source in found.sources] == [str(labels)]


def test_find__in_a_store() -> None:
    import fsspec

    fs = fsspec.filesystem("memory")
    fs.pipe({"/shards/a.tar": b"1", "/shards/b/c.jpg": b"22"})
    found = find(["memory://shards"], no_stdin)
    assert [(source.uri, source.size) for source in found.sources] == [
        ("memory:///shards/a.tar", 1),
        ("memory:///shards/b/c.jpg", 2),
    ]
    assert found.sources[1].key == "b/c.jpg"


@pytest.mark.parametrize(
    ("word", "said"),
    [("gone.jpg", "does not exist"), ("*.gif", "No file matches"), ("a/.nothing", "No picture in")],
)
def test_find__what_names_nothing_is_an_error(folder: Path, word: str, said: str) -> None:
    (folder / "a/.nothing").mkdir()
    with pytest.raises(CatlipError, match=said):
        find([f"{folder}/{word}"], no_stdin)
