from pathlib import Path

import pytest

from labelgen.audit.oneclass import Around, OneClass, describe
from labelgen.meaning.atlas import Atlas
from labelshards.labelset import LabelSet
from tests.vocab_factory import write_set

SAMPLES = [
    *[["dog.n.01", "leash.n.01"]] * 4, *[["puppy.n.01"]] * 3, *[["poodle.n.01"]] * 2, ["wolf.n.01"], ["cat.n.01"],
    ["collie.n.01"], ["canine.n.02"], ["sofa.n.01"], ["sofa.n.01"], ["sofa.n.01"],
]  # fmt: skip


@pytest.fixture(scope="module")
def label_set(tmp_path_factory: pytest.TempPathFactory, atlas: Atlas) -> LabelSet:
    return write_set(tmp_path_factory.mktemp("set"), atlas, SAMPLES)


def of(label_set: LabelSet, atlas: Atlas | None, name: str) -> OneClass:
    support = label_set.vocabulary.support.astype(float)
    return describe(label_set, atlas, support, label_set.vocabulary.synsets.index(name))


def test_describe__what_gave_it_and_what_comes_with_it(label_set: LabelSet, atlas: Atlas) -> None:
    dog = of(label_set, atlas, "dog.n.01")
    assert (dog.wnid, dog.support, dog.share, dog.lexname) == ("n02084071", 4, 0.25, "noun.animal")
    assert [(term.term, term.count, term.captions) for term in dog.terms] == [("dog", 4, ["a caption with dog"])]
    assert [(name, each.support, each.lift) for name, each in dog.associates] == [("leash.n.01", 4, 4.0)]


def test_describe__neighbours_in_wordnet(label_set: LabelSet, atlas: Atlas) -> None:
    around = of(label_set, atlas, "dog.n.01").around
    assert around.path[-2:] == ["canine.n.02", "dog.n.01"]
    assert [(each.synset, each.support) for each in around.above] == [
        ("canine.n.02", 1),
        ("domestic_animal.n.01", None),
    ]
    assert [each.synset for each in around.beside] == ["wolf.n.01", "domestic_cat.n.01"][: len(around.beside)]
    below = {each.synset: (each.support, each.below) for each in around.below}
    assert below["puppy.n.01"] == (3, 0)
    assert below["poodle.n.01"] == (2, 0)
    assert below["working_dog.n.01"] == (None, 1)
    assert around.below[0].synset == "puppy.n.01"


def test_describe__without_wordnet_has_no_neighbours(label_set: LabelSet) -> None:
    dog = of(label_set, None, "dog.n.01")
    assert dog.around == Around(path=[], above=[], beside=[], below=[])
    assert dog.terms


def test_describe__many_terms_are_counted(tmp_path: Path, atlas: Atlas) -> None:
    terms = {"dog.n.01": {f"term {number}": 100 - number for number in range(20)}}
    found = of(write_set(tmp_path, atlas, [["dog.n.01"]], terms), atlas, "dog.n.01")
    assert (len(found.terms), found.more_terms) == (12, 8)
