from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as Reference

from tests.trainer.probes.cases import case_of
from trainer.probes import fewshot
from trainer.probes.examples import Examples

CPU = torch.device("cpu")
Clouds = Callable[..., Examples]


def standard(data: Examples) -> torch.Tensor:
    x_ND = torch.from_numpy(data.table.astype(np.float64))
    return (x_ND - x_ND.mean(0)) / x_ND.std(0)


@pytest.mark.parametrize("per_class", [1, 5, 40])  # fewer pictures than features, and more
@pytest.mark.parametrize("penalty", [2.0**-10, 1.0, 2.0**10])
def test_ridge__as_scikit_learn(clouds: Clouds, per_class: int, penalty: float) -> None:
    data = clouds(per_class, 0, width=30)
    x_ND = standard(data)
    ridge = fewshot.Ridge.of(x_ND, data.class_ids, 6)
    weight_DK, bias_K = ridge.weights(penalty)
    reference = Reference(alpha=penalty).fit(x_ND, ridge.targets_NK)
    np.testing.assert_allclose(weight_DK, reference.coef_.T, atol=1e-8)
    np.testing.assert_allclose(bias_K, reference.intercept_, atol=1e-8)


def test_left_out__as_fitted_anew_without_each_picture(clouds: Clouds) -> None:
    data = clouds(3, 0)
    x_ND = standard(data)
    ridge = fewshot.Ridge.of(x_ND, data.class_ids, 6)
    for penalty in (0.1, 10.0):
        found = ridge.left_out(penalty)
        for n in range(len(data)):
            rest = np.arange(len(data)) != n
            reference = Reference(alpha=penalty).fit(x_ND[rest], ridge.targets_NK[rest])
            np.testing.assert_allclose(found[n], reference.predict(x_ND[n : n + 1])[0], atol=1e-8)


def test_plan__more_shots_know_more(clouds: Clouds) -> None:
    found = fewshot.probe().run(case_of(clouds(30, 0, spread=1.5), clouds(60, 1, spread=1.5)), 0, lambda *_: None)
    assert [each.setting for each in found] == ["1 shot", "5 shots", "10 shots", "25 shots"]
    top1 = [each.metrics["top1"] for each in found]
    assert 0.3 < top1[0] < top1[-1]
    assert top1[-1] > 0.75
    assert all(2.0**-10 <= float(each.chosen["penalty"]) <= 1.05e6 for each in found)


def test_plan__one_shot_of_features_that_never_change() -> None:
    same = Examples(table=np.ones((4, 3), np.float16), rows=np.arange(4), class_ids=np.array([0, 0, 1, 1]))
    found, *_ = fewshot.probe().run(case_of(same, same, 2), 0, lambda *_: None)
    assert 0 <= found.metrics["top1"] <= 1
