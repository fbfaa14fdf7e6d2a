from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.trainer.probes.cases import case_of
from trainer.probes import knn
from trainer.probes.examples import Examples

CPU = torch.device("cpu")
Clouds = Callable[..., Examples]


def brute_force(train: Examples, test: Examples, num_classes: int, count: int) -> np.ndarray:
    """float64 [N, K] votes, one picture after the other."""
    votes = np.zeros((len(test), num_classes))
    references = [row / np.linalg.norm(row) for row in train.table[train.rows].astype(np.float64)]
    for n, row in enumerate(test.table[test.rows].astype(np.float64)):
        similarity = [float(row @ each) / float(np.linalg.norm(row)) for each in references]
        for place in sorted(range(len(references)), key=lambda place: -similarity[place])[:count]:
            votes[n, train.class_ids[place]] += np.exp(similarity[place] / 0.07)
    return votes


@pytest.mark.parametrize(("train_batch", "test_batch"), [(16384, 1024), (7, 5)])
def test_classify__as_brute_force(
    clouds: Clouds, monkeypatch: pytest.MonkeyPatch, train_batch: int, test_batch: int
) -> None:
    monkeypatch.setattr(knn, "_TRAIN_BATCH", train_batch)
    monkeypatch.setattr(knn, "_TEST_BATCH", test_batch)
    train, test = clouds(10, 0, spread=3.0), clouds(4, 1, spread=3.0)
    for data in (train, test):
        data.table[:] = (data.table - 3) / np.logspace(-2, 2, 8)
    for count, ranked in zip((1, 10, 40), knn.classify(train, test, 6, (1, 10, 40), CPU, lambda *_: None), strict=True):
        votes = brute_force(train, test, 6, count)
        np.testing.assert_array_equal(ranked[:, 0], votes.argmax(1))
        chosen = np.take_along_axis(votes, ranked, 1)
        assert (np.diff(chosen, axis=1) <= 1e-9 * chosen.max()).all()


def test_plan__no_more_neighbours_than_pictures(clouds: Clouds) -> None:
    for per_class, settings in ((5, ["k = 10", "k = 20"]), (1, ["k = 6"])):
        found = knn.probe().run(case_of(clouds(per_class, 0), clouds(2, 1)), 0, lambda *_: None)
        assert [each.setting for each in found] == settings
