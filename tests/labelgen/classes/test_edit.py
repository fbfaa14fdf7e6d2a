from pathlib import Path

import numpy as np
import pytest

from labelgen.classes.edit import Edit, Edits, Merge, Split, read_edit
from labelgen.meaning.atlas import Atlas
from labelshards.errors import CatlipError


def number(name: str, atlas: Atlas) -> int:
    return int(atlas.ids[atlas.places_of([name])[0]])


def what_becomes(edit: Edit, names: list[str], atlas: Atlas) -> list[str | None]:
    found = Edits(edit, atlas).of(np.array([number(name, atlas) for name in names], np.int64))
    return [None if each < 0 else atlas.names[int(atlas.places(np.array([each]))[0])] for each in found.tolist()]


def test_read_edit__three_files(tmp_path: Path) -> None:
    (tmp_path / "deny").write_text(
        "# a comment\n\nstock.n.01  # raised by a corporation\nbelow person.n.01\nnoun.time\n"
    )
    (tmp_path / "merge").write_text("couch.n.01\tsofa.n.01\nbelow dog.n.01\tdog.n.01\n")
    (tmp_path / "split").write_text("bear.n.01\tTeddy  Bear\tteddy.n.01\n")
    files = [str(tmp_path / name) for name in ("deny", "merge", "split")]
    assert read_edit(files[0], files[1], files[2], ["animal.n.01"], 9) == Edit(
        deny=["stock.n.01", "below person.n.01", "noun.time"],
        merge=[Merge("couch.n.01", "sofa.n.01"), Merge("below dog.n.01", "dog.n.01")],
        split=[Split("bear.n.01", "teddy bear", "teddy.n.01")],
        under=["animal.n.01"],
        max_classes=9,
    )
    assert read_edit(None, None, None, (), None).is_empty()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("deny", b"dog.n.01\tcat.n.01\n", r"line 1: expected CLASS, got"),
        ("merge", b"dog.n.01 cat.n.01\n", r"line 1: expected CLASS<TAB>INTO, got"),
        ("split", b"\n\ndog.n.01\tdog\n", r"line 3: expected CLASS<TAB>TERM<TAB>INTO"),
        ("deny", b"\xff\n", "is not UTF-8"),
    ],
)
def test_read_edit__wrong_lines_are_named(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    files = [str(file) if name == each else None for each in ("deny", "merge", "split")]
    with pytest.raises(CatlipError, match=said):
        read_edit(files[0], files[1], files[2], (), None)


def test_read_edit__as_windows_writes_it(tmp_path: Path) -> None:
    (tmp_path / "deny").write_bytes("\ufeffdog.n.01\r\n# why\r\ndog.n.01\r\n".encode())
    (tmp_path / "merge").write_bytes("\ufeff# breeds\r\ncorgi.n.01\tdog.n.01\r\n".encode())
    found = read_edit(str(tmp_path / "deny"), str(tmp_path / "merge"), None, (), None)
    assert found == Edit(deny=["dog.n.01", "dog.n.01"], merge=[Merge("corgi.n.01", "dog.n.01")])


def test_read_edit__missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_edit(str(tmp_path / "none"), None, None, (), None)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (Edit(deny=["dog.n.01"]), [None, "corgi.n.01", "cat.n.01", "week.n.01"]),
        (Edit(deny=["n02084071", "noun.time"]), [None, "corgi.n.01", "cat.n.01", None]),
        (Edit(deny=["below dog.n.01"]), [None, None, "cat.n.01", "week.n.01"]),
        (Edit(under=["canine.n.02"]), ["dog.n.01", "corgi.n.01", None, None]),
        (Edit(under=["canine.n.02", "week.n.01"]), ["dog.n.01", "corgi.n.01", None, "week.n.01"]),
        (Edit(merge=[Merge("cat.n.01", "dog.n.01")]), ["dog.n.01", "corgi.n.01", "dog.n.01", "week.n.01"]),
        (Edit(merge=[Merge("below dog.n.01", "dog.n.01")]), ["dog.n.01", "dog.n.01", "cat.n.01", "week.n.01"]),
        (
            Edit(merge=[Merge("cat.n.01", "corgi.n.01"), Merge("corgi.n.01", "dog.n.01")]),
            ["dog.n.01", "dog.n.01", "dog.n.01", "week.n.01"],
        ),
        (Edit(merge=[Merge("cat.n.01", "dog.n.01")], deny=["dog.n.01"]), [None, "corgi.n.01", None, "week.n.01"]),
        (Edit(merge=[Merge("week.n.01", "dog.n.01")], under=["animal.n.01"]), [
            "dog.n.01", "corgi.n.01", "cat.n.01", "dog.n.01"]),
    ],
)  # fmt: skip
def test_edits__what_becomes_of_classes(edit: Edit, expected: list[str | None], atlas: Atlas) -> None:
    assert what_becomes(edit, ["dog.n.01", "corgi.n.01", "cat.n.01", "week.n.01"], atlas) == expected


def test_edits__compounds_by_their_own_name_or_their_noun(atlas: Atlas) -> None:
    red_car = (number("red.s.01", atlas) << 32) | number("car.n.01", atlas)
    old_car = (number("old.a.01", atlas) << 32) | number("car.n.01", atlas)
    pairs = np.array([red_car, old_car])
    assert Edits(Edit(deny=["red.s.01+car.n.01"]), atlas).of(pairs).tolist() == [-1, old_car]
    assert Edits(Edit(deny=["car.n.01"]), atlas).of(pairs).tolist() == [-1, -1]
    assert Edits(Edit(under=["vehicle.n.01"]), atlas).of(pairs).tolist() == pairs.tolist()
    merged = Edits(Edit(merge=[Merge("red.s.01+car.n.01", "car.n.01")]), atlas).of(pairs)
    assert merged.tolist() == [number("car.n.01", atlas), old_car]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (Edit(deny=["dogg.n.01"]), "no synset 'dogg.n.01'"),
        (Edit(deny=["dog"]), "no synset 'dog'. It has dog.n.01"),
        (Edit(deny=["noun.nothing"]), "no file 'noun.nothing'"),
        (Edit(under=["below dog.n.01"]), "no synset"),
        (Edit(merge=[Merge("dog.n.01", "dog")]), "no synset 'dog'"),
        (Edit(merge=[Merge("dog.n.01", "cat.n.01"), Merge("cat.n.01", "dog.n.01")]), "circle at (dog|cat).n.01"),
        (Edit(merge=[Merge("dog.n.01", "cat.n.01"), Merge("dog.n.01", "car.n.01")]), "into cat.n.01 and into car.n.01"),
        (Edit(split=[Split("dog.n.01", "dog", "dog.n.99")]), "no synset 'dog.n.99'"),
        (Edit(deny=["red.s.01+old.a.01+car.n.01"]), "more than two parts"),
    ],
)
def test_edits__wrong_names(edit: Edit, said: str, atlas: Atlas) -> None:
    with pytest.raises(CatlipError, match=said):
        Edits(edit, atlas)
