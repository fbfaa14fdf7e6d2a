import numpy as np
import pytest
import torch

from trainer.probes.heads import LabelledFeatures, fit
from trainer.probes.linear import held_out_split

CPU = torch.device("cpu")


def clouds(num_per_class: int, seed: int, num_classes: int = 6, spread: float = 1.0) -> LabelledFeatures:
    """Classes around their own points, on features of very different scales."""
    centres = np.random.default_rng(99).normal(0, 2, (num_classes, 8))
    rng = np.random.default_rng(seed)
    class_ids = np.repeat(np.arange(num_classes), num_per_class)
    features_ND = (centres[class_ids] + rng.normal(0, spread, (len(class_ids), 8))) * np.logspace(-2, 2, 8) + 3
    return LabelledFeatures(features_ND=features_ND.astype(np.float16), class_ids=class_ids)


def test_fit__separable_classes_are_separated() -> None:
    heads = fit(clouds(60, 0, spread=0.3), 6, [1e-2], epochs=30, batch_size=32, seed=0, device=CPU)
    [(top1, top5)] = heads.accuracies(clouds(20, 1, spread=0.3))
    assert top1 > 0.97
    assert top5 >= top1


def test_fit__heads_do_not_feel_each_other() -> None:
    data, rates = clouds(20, 0), [1e-4, 1e-2, 1e-1]
    together = fit(data, 6, rates, epochs=3, batch_size=16, seed=0, device=CPU)
    for index, rate in enumerate(rates):
        alone = fit(data, 6, [rate], epochs=3, batch_size=16, seed=0, device=CPU)
        torch.testing.assert_close(together.weight_LDK[index], alone.weight_LDK[0], rtol=1e-3, atol=1e-5)


def test_fit__a_constant_feature_does_no_harm() -> None:
    data = clouds(20, 0)
    data.features_ND[:, 3] = 7
    heads = fit(data, 6, [1e-2], epochs=5, batch_size=16, seed=0, device=CPU)
    assert heads.weight_LDK.isfinite().all()
    assert heads.accuracies(data)[0][0] > 0.5


def test_accuracies__counted_by_hand() -> None:
    heads = fit(clouds(5, 0), 6, [1e-3], epochs=1, batch_size=8, seed=0, device=CPU)
    data = clouds(50, 2)
    x_ND = (torch.from_numpy(data.features_ND).float() - heads.mean_D) / heads.std_D
    order = (x_ND @ heads.weight_LDK[0] + heads.bias_LK[0]).argsort(1, descending=True).numpy()
    top1 = np.mean(order[:, 0] == data.class_ids)
    top5 = np.mean([class_id in row[:5] for class_id, row in zip(data.class_ids, order, strict=True)])
    assert heads.accuracies(data) == [pytest.approx((top1, top5))]


def test_accuracies__fewer_than_five_classes() -> None:
    data = clouds(10, 0, num_classes=3)
    heads = fit(data, 3, [1e-2], epochs=5, batch_size=8, seed=0, device=CPU)
    assert heads.accuracies(data)[0][1] == 1.0


def test_labelled_features__broken_pictures_are_left_out() -> None:
    features_ND = np.ones((3, 2), dtype=np.float16)
    features_ND[1] = np.nan
    split = LabelledFeatures.of(features_ND, np.array([0, 1, 2]))
    assert (split.class_ids.tolist(), split.broken) == ([0, 2], 1)


def test_held_out_split__takes_a_share_of_every_class() -> None:
    class_ids = np.repeat([0, 1, 2], [50, 10, 1])
    inner, outer = held_out_split(class_ids, 0.1, seed=0)
    assert np.bincount(class_ids[outer], minlength=3).tolist() == [5, 1, 0]
    assert sorted([*inner, *outer]) == list(range(61))
    assert not np.array_equal(outer, held_out_split(class_ids, 0.1, seed=1)[1])
