from pathlib import Path

import pytest

from labelgen.audit.compare import compare, meanings
from labelgen.meaning.atlas import Atlas
from labelshards.labelset import LabelSet
from tests.vocab_factory import write_set


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, atlas: Atlas) -> tuple[LabelSet, LabelSet]:
    folder = tmp_path_factory.mktemp("sets")
    before = write_set(
        folder / "a",
        atlas,
        [["dog.n.01", "crane.n.04"]] * 4 + [["cat.n.01"]] * 3 + [["sofa.n.01"]],
        {"dog.n.01": {"dog": 4}, "crane.n.04": {"crane": 4}, "cat.n.01": {"cat": 3}, "sofa.n.01": {"couch": 1}},
    )
    after = write_set(
        folder / "b",
        atlas,
        [["cat.n.01", "crane.n.05"]] * 3 + [["dog.n.01", "crane.n.04"]] * 1,
        {"cat.n.01": {"cat": 3}, "crane.n.05": {"crane": 3}, "dog.n.01": {"dog": 1}, "crane.n.04": {"crane": 1}},
    )
    return before, after


def test_compare__added_removed_moved(both: tuple[LabelSet, LabelSet]) -> None:
    found = compare(*both)
    assert [(each.synset, each.support) for each in found.added] == [("crane.n.05", 3)]
    assert [(each.synset, each.support) for each in found.removed] == [("sofa.n.01", 1)]
    assert {each.synset: (each.class_id_a, each.class_id_b) for each in found.moved} == {
        "crane.n.04": (0, 2), "dog.n.01": (1, 3), "cat.n.01": (2, 0),
    }  # fmt: skip


def test_compare__ratio_is_of_shares(both: tuple[LabelSet, LabelSet]) -> None:
    ratios = {each.synset: each.ratio for each in compare(*both).both}
    assert ratios == {"dog.n.01": 0.5, "crane.n.04": 0.5, "cat.n.01": 2.0}  # 8 samples and 4


def test_compare__terms_that_mean_something_else(both: tuple[LabelSet, LabelSet]) -> None:
    (crane,) = compare(*both).senses
    assert (crane.term, crane.a, crane.b) == ("crane", {"crane.n.04": 4}, {"crane.n.05": 3, "crane.n.04": 1})
    assert meanings(*both, "couch").b == {}
    assert meanings(*both, "couch").a == {"sofa.n.01": 1}


def test_compare__with_itself_nothing_differs(both: tuple[LabelSet, LabelSet]) -> None:
    found = compare(both[0], both[0])
    assert [*found.added, *found.removed, *found.moved, *found.senses] == []
    assert {each.ratio for each in found.both} == {1.0}


def test_compare__with_a_vocabulary_that_has_no_samples(
    tmp_path: Path, atlas: Atlas, both: tuple[LabelSet, LabelSet]
) -> None:
    empty = write_set(tmp_path, atlas, [[]], {})
    assert len(compare(both[0], empty).removed) == len(both[0].vocabulary)
    assert len(compare(empty, both[0]).added) == len(both[0].vocabulary)


def test_compare__of_shares_nothing_is_said_without_samples(
    tmp_path: Path, atlas: Atlas, both: tuple[LabelSet, LabelSet]
) -> None:
    alone = write_set(tmp_path, atlas, [], {}, vocabulary=both[0].vocabulary)
    assert {each.ratio for each in compare(alone, both[0]).both} == {None}
