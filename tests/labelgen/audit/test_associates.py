from pathlib import Path

import numpy as np
import pytest

from labelgen.audit.associates import all_associates, associates, read_pairs, top_matrix
from labelgen.meaning.atlas import Atlas
from labelshards.labelset import LabelSet
from tests.vocab_factory import write_set

NAMES = ["dog.n.01", "cat.n.01", "sofa.n.01", "car.n.01", "tree.n.01", "beach.n.01", "road.n.01", "hat.n.01"]


@pytest.fixture
def label_set(tmp_path: Path, atlas: Atlas) -> LabelSet:
    random = np.random.default_rng(3)
    weights = 1 / np.arange(1, 9)
    samples = [[name for name, w in zip(NAMES, weights, strict=True) if random.random() < w] for _ in range(60)]
    return write_set(tmp_path, atlas, [*samples, *[["road.n.01", "car.n.01"]] * 15])


def support_of(label_set: LabelSet) -> np.ndarray:
    return label_set.vocabulary.support.astype(float)


def test_associates__lift_is_against_chance(label_set: LabelSet) -> None:
    car, road = (label_set.vocabulary.synsets.index(name) for name in ("car.n.01", "road.n.01"))
    nearest = associates(label_set, car, support_of(label_set), 3)[0]
    assert nearest.class_id == road
    by_chance = label_set.vocabulary.support[car] * label_set.vocabulary.support[road] / 75
    assert nearest.lift == pytest.approx(nearest.support / by_chance, rel=1e-5)
    assert nearest.pmi == pytest.approx(np.log(nearest.lift), rel=1e-5)
    assert nearest.support >= 15


def test_all_associates__are_those_of_each_class(label_set: LabelSet) -> None:
    support = support_of(label_set)
    every = all_associates(read_pairs(label_set, support), len(label_set.vocabulary), 4)
    for class_id in range(len(label_set.vocabulary)):
        alone = associates(label_set, class_id, support, 4)
        known = every.classes[class_id] < len(label_set.vocabulary)
        assert every.classes[class_id][known].tolist() == [each.class_id for each in alone]
        assert every.support[class_id][known].tolist() == [each.support for each in alone]
        assert every.lift[class_id][known] == pytest.approx([each.lift for each in alone])


def test_associates__three_samples_come_after_three_hundred(tmp_path: Path, atlas: Atlas) -> None:
    samples = [["dog.n.01", "leash.n.01"]] * 60 + [["dog.n.01", "hat.n.01"]] * 3 + [["cat.n.01"]] * 100
    label_set = write_set(tmp_path, atlas, samples)
    dog = label_set.vocabulary.synsets.index("dog.n.01")
    found = [
        label_set.vocabulary.synsets[each.class_id] for each in associates(label_set, dog, support_of(label_set), 5)
    ]
    assert found == ["leash.n.01", "hat.n.01"]


def test_top_matrix__is_symmetric(label_set: LabelSet) -> None:
    matrix = top_matrix(read_pairs(label_set, support_of(label_set)), 5)
    assert matrix.shape == (5, 5)
    assert np.isnan(np.diag(matrix)).all()
    assert np.array_equal(matrix, matrix.T, equal_nan=True)


def test_associates__no_pairs_at_all(tmp_path: Path, atlas: Atlas) -> None:
    label_set = write_set(tmp_path, atlas, [["dog.n.01"], ["cat.n.01"]])
    assert associates(label_set, 0, support_of(label_set), 5) == []
    assert all_associates(read_pairs(label_set, support_of(label_set)), 2, 3).classes.tolist() == [[2, 2, 2], [2, 2, 2]]
