from pathlib import Path

import pytest

from labelgen.audit.classes import class_table
from labelgen.audit.find import find_classes
from labelgen.audit.select import select
from labelgen.meaning.atlas import Atlas
from labelshards.errors import CatlipError
from labelshards.labelset import LabelSet
from tests.vocab_factory import write_set

SAMPLES = [
    ["dog.n.01", "sofa.n.01"], ["dog.n.01", "ice_bear.n.01"], ["dog.n.01", "bear.n.01", "crane.n.04"],
    ["crane.n.05", "week.n.01", "sofa.n.01"], ["run.v.01", "teddy.n.01", "bear.n.01"],
]  # fmt: skip


@pytest.fixture(scope="module")
def label_set(tmp_path_factory: pytest.TempPathFactory, atlas: Atlas) -> LabelSet:
    return write_set(tmp_path_factory.mktemp("set"), atlas, SAMPLES)


def names(label_set: LabelSet, found: list[int]) -> list[str]:
    return [label_set.vocabulary.synsets[each] for each in found]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dog.n.01", ["dog.n.01"]),
        ("n02084071", ["dog.n.01"]),
        ("Polar bear", ["ice_bear.n.01"]),
        ("polar_bear", ["ice_bear.n.01"]),
        ("crane", ["crane.n.04", "crane.n.05"]),
        ("couch", ["sofa.n.01"]),
    ],
)
def test_find_classes__by_name_id_or_word(name: str, expected: list[str], label_set: LabelSet) -> None:
    assert names(label_set, find_classes(label_set, name)) == expected


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("dogg", "dog.n.01"),
        ("bare", "bear.n.01"),
        ("dog.n.02", "dog.n.01"),
        ("sopha", "sofa.n.01"),
        ("qqq", "lists them"),
    ],
)
def test_find_classes__unknown_names_the_nearest(name: str, nearest: str, label_set: LabelSet) -> None:
    with pytest.raises(CatlipError, match=f"has no class '{name}'.*{nearest}"):
        find_classes(label_set, name)


def test_find_classes__empty_vocabulary(tmp_path: Path, atlas: Atlas) -> None:
    with pytest.raises(CatlipError, match="no classes at all"):
        find_classes(write_set(tmp_path, atlas, [[]]), "dog")


@pytest.mark.parametrize(
    ("filters", "under", "expected"),
    [
        ([("word", "bear")], None, {"bear.n.01", "ice_bear.n.01", "teddy.n.01"}),
        ([("word", "BEAR"), ("lexname", "noun.animal")], None, {"bear.n.01", "ice_bear.n.01"}),
        ([], "bear.n.01", {"bear.n.01", "ice_bear.n.01"}),
        ([], "n02131653", {"bear.n.01", "ice_bear.n.01"}),
        ([("family", "actions")], None, {"run.v.01"}),
        ([("flag", "unseeable")], None, {"week.n.01"}),
        ([("branch", "furniture.n.01")], None, {"sofa.n.01"}),
        ([("word", "zebra")], None, set()),
        ([], "fish.n.01", set()),
    ],
)
def test_select__filters(
    filters: list[tuple[str, str]], under: str | None, expected: set[str], label_set: LabelSet, atlas: Atlas
) -> None:
    found = select(class_table(label_set, atlas), label_set.vocabulary, atlas, filters, under)
    assert set(found["synset"].to_pylist()) == expected
    assert found["class_id"].to_pylist() == sorted(found["class_id"].to_pylist())


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("support", "dog.n.01"),
        ("rarest", "crane.n.04"),
        ("name", "bear.n.01"),
        ("lexname", "dog.n.01"),
        ("ambiguity", "crane.n.04"),
        ("flags", "week.n.01"),
        ("terms", "dog.n.01"),
    ],
)
def test_select__sorts(sort: str, first: str, label_set: LabelSet, atlas: Atlas) -> None:
    found = select(class_table(label_set, atlas), label_set.vocabulary, atlas, sort=sort)["synset"].to_pylist()
    assert len(found) == 9
    if sort == "ambiguity":
        assert found.index("crane.n.04") < found.index("dog.n.01")
    else:
        assert found[0] == first


@pytest.mark.parametrize(
    ("filters", "under", "said"),
    [
        ([("lexname", "noun.aminal")], None, "There are: noun.animal"),
        ([("flag", "bad")], None, "Flags: odd sense, meta"),
        ([], "bears.n.01", "no synset 'bears.n.01'"),
    ],
)
def test_select__wrong_values_name_the_right_ones(
    filters: list[tuple[str, str]], under: str | None, said: str, label_set: LabelSet, atlas: Atlas
) -> None:
    with pytest.raises(CatlipError, match=said):
        select(class_table(label_set, atlas), label_set.vocabulary, atlas, filters, under)


def test_select__under_needs_wordnet(label_set: LabelSet) -> None:
    with pytest.raises(CatlipError, match="labels setup"):
        select(class_table(label_set, None), label_set.vocabulary, None, under="bear.n.01")
