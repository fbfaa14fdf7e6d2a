from collections.abc import Callable
from pathlib import Path

import pytest

from labelgen.audit import flags
from labelgen.audit.branches import LANDMARKS
from labelgen.audit.classes import CLASSES, class_table
from labelgen.meaning.atlas import Atlas
from labelshards.labelset import LabelSet
from tests.vocab_factory import make_vocabulary, write_set


def table_of(label_set: LabelSet, atlas: Atlas | None) -> dict[str, dict[str, object]]:
    return {row["synset"]: row for row in class_table(label_set, atlas).to_pylist()}


def test_class_table__flags_what_the_published_rule_gives(tmp_path: Path, atlas: Atlas) -> None:
    """The second largest class of the published vocabulary is capital that a corporation raises: "stock photo"."""
    terms = {
        "stock.n.01": {"stock": 90},
        "photograph.n.01": {"photo": 80},
        "capital.n.01": {"capital": 70},
        "dog.n.01": {"dog": 60},
        "king.n.01": {"king": 5},
        "paris.n.01": {"paris": 4},
        "crane.n.04": {"crane": 4},
        "week.n.01": {"week": 3},
        "night.n.01": {"nighttime": 3},
    }
    samples = [[name] for name, of_name in terms.items() for _ in range(sum(of_name.values()))]
    found = table_of(write_set(tmp_path, atlas, samples, terms), atlas)
    assert found["stock.n.01"]["flags"] == ["meta", "unseeable", "ambiguous"]
    assert found["photograph.n.01"]["flags"] == ["meta"]
    assert found["capital.n.01"]["flags"] == ["odd sense", "unseeable", "ambiguous"]
    assert found["capital.n.01"]["other_sense"] == "capital.n.03"
    assert found["dog.n.01"]["flags"] == []
    assert found["king.n.01"]["flags"] == ["people"]
    assert found["paris.n.01"]["flags"] == ["name"]
    assert found["crane.n.04"]["flags"] == ["ambiguous"]
    assert found["week.n.01"]["flags"] == ["unseeable"]
    assert found["night.n.01"]["flags"] == []


def test_class_table__columns(tmp_path: Path, atlas: Atlas) -> None:
    terms = {"dog.n.01": {"dog": 3, "crane": 1}, "sofa.n.01": {"couch": 2}}
    label_set = write_set(
        tmp_path, atlas, [["dog.n.01", "sofa.n.01"], ["dog.n.01"], ["sofa.n.01"], ["dog.n.01"]], terms
    )
    table = class_table(label_set, atlas)
    assert table.schema == CLASSES
    dog, sofa = table.to_pylist()
    assert (dog["class_id"], dog["support"], dog["share"], dog["terms"], dog["top_term"]) == (0, 3, 0.75, 2, "dog")
    assert dog["ambiguity"] == 0.25
    assert dog["branch"] == "mammal.n.01"
    assert (sofa["branch"], sofa["ambiguity"], sofa["other_sense"]) == ("furniture.n.01", 0.0, None)


def test_class_table__without_wordnet_tells_what_it_can(tmp_path: Path, atlas: Atlas) -> None:
    label_set = write_set(tmp_path, atlas, [["person.n.01", "week.n.01"], ["dog.n.01"]])
    found = table_of(label_set, None)
    assert found["week.n.01"]["flags"] == ["unseeable"]
    assert found["dog.n.01"]["branch"] is None
    assert found["dog.n.01"]["ambiguity"] is None


def test_class_table__vocabulary_of_another_corpus_has_no_shares(tmp_path: Path, atlas: Atlas) -> None:
    label_set = write_set(tmp_path, atlas, [["dog.n.01"]], vocabulary=make_vocabulary(atlas, {"dog.n.01": 900}))
    assert class_table(label_set, atlas)["share"].to_pylist() == [None]


def test_class_table__empty_vocabulary(tmp_path: Path, atlas: Atlas) -> None:
    assert len(class_table(write_set(tmp_path, atlas, [[], []]), atlas)) == 0
    assert len(class_table(LabelSet.open(str(tmp_path)), None)) == 0


def test_class_table__of_a_pair_its_noun_counts(tmp_path: Path, atlas: Atlas, build_labels: Callable[..., str]) -> None:
    captions = ["a red car", "a red car and a dog", "a red car on a road", "red cars"]
    folder = build_labels(tmp_path, captions, threshold=0, families={"compounds": 0, "attributes": 0, "actions": 0})
    found = table_of(LabelSet.open(folder), atlas)
    assert found["red.s.01+car.n.01"]["branch"] == "vehicle.n.01"
    assert found["red.s.01+car.n.01"]["flags"] == []


def test_class_table__merged_classes_are_not_ambiguous_among_themselves(
    tmp_path: Path, atlas: Atlas, build_labels: Callable[..., str], one_process: None
) -> None:
    from labelgen.classes.edit import Edit, Merge
    from labelgen.prune import prune

    folder = build_labels(tmp_path, ["a puppy", "a dog", "two dogs"], threshold=0)
    merged = str(tmp_path / "merged")
    prune(folder, merged, Edit(merge=[Merge("puppy.n.01", "dog.n.01")]), None)
    row = table_of(LabelSet.open(merged), atlas)["dog.n.01"]
    assert (row["support"], row["ambiguity"], row["terms"]) == (3, 0.0, 2)


def test_flags__each_has_a_sentence() -> None:
    assert list(flags.FLAG_TEXTS) == sorted(flags.FLAGS, key=list(flags.FLAG_TEXTS).index)
    assert set(flags.FLAG_TEXTS) == set(flags.FLAGS)


def test_landmarks__are_synsets(atlas: Atlas) -> None:
    assert len(atlas.places_of(LANDMARKS)) == len(set(LANDMARKS))


@pytest.mark.parametrize("flag", flags.FLAGS)
def test_flags__as_lists_keeps_each(flag: str) -> None:
    import numpy as np

    given = {name: np.array([name == flag, False, True]) for name in flags.FLAGS}
    assert flags.as_lists(given).to_pylist() == [[flag], [], list(flags.FLAGS)]
