from collections.abc import Callable

import msgspec
import numpy as np
import pytest
import torch

from trainer.probes import accuracy
from trainer.probes.examples import Examples, Moments
from trainer.probes.heads import Heads, View, classes_of, fit, whole
from trainer.probes.updates import Training, Updates

CPU = torch.device("cpu")
QUICK = Training(optimizer="adamw", rates=(1e-2,), epochs=5, batch_size=16, standardise=True)
Clouds = Callable[..., Examples]


def trained(data: Examples, training: Training = QUICK, views: list[View] | None = None, num_classes: int = 6) -> Heads:
    return fit(data, classes_of(data), num_classes, training, views or [whole(data.width)], 0, CPU, lambda *_: None)


def top1(heads: Heads, data: Examples) -> list[float]:
    return [float(np.mean(ranked[:, 0] == data.class_ids)) for ranked in heads.ranked(data)]


def test_fit__separable_classes_are_separated(clouds: Clouds) -> None:
    heads = trained(clouds(60, 0, spread=0.3), msgspec.structs.replace(QUICK, epochs=20))
    assert top1(heads, clouds(20, 1, spread=0.3))[0] > 0.97


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_fit__heads_do_not_feel_each_other(clouds: Clouds, optimizer: str) -> None:
    data, rates = clouds(20, 0), (1e-4, 1e-2, 1e-1)
    views = [whole(8), ((0, 2), (5, 8))]
    training = msgspec.structs.replace(QUICK, optimizer=optimizer, rates=rates, epochs=2)
    together = trained(data, training, views)
    for v, view in enumerate(views):
        for index, rate in enumerate(rates):
            alone = trained(data, msgspec.structs.replace(training, rates=(rate,)), [view])
            torch.testing.assert_close(together.weights[v][index], alone.weights[0][0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_updates__move_each_head_as_torchs_optimisers_do(optimizer: str) -> None:
    training = msgspec.structs.replace(QUICK, optimizer=optimizer, rates=(1e-3, 1e-1), final_rate=1e-4)
    rng = torch.Generator().manual_seed(0)
    together = torch.randn(3, 2, 4, generator=rng).requires_grad_()
    alone = [together[:, head].detach().clone().requires_grad_() for head in range(2)]
    updates = Updates(training, [together])
    theirs: list[torch.optim.Optimizer] = [
        torch.optim.AdamW([one], lr=rate, weight_decay=0.0)
        if optimizer == "adamw"
        else torch.optim.SGD([one], lr=rate, momentum=training.momentum)
        for one, rate in zip(alone, training.rates, strict=True)
    ]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(each, 9, training.final_rate) for each in theirs]
    for step in range(9):
        gradient = torch.randn(3, 2, 4, generator=rng)
        together.grad = gradient
        updates.step(step / 9)
        for head, (one, optim, schedule) in enumerate(zip(alone, theirs, schedules, strict=True)):
            one.grad = gradient[:, head]
            optim.step()
            schedule.step()
    torch.testing.assert_close(together, torch.stack(alone, dim=1), rtol=1e-5, atol=1e-6)


def test_fit__a_view_sees_its_columns_alone(clouds: Clouds) -> None:
    data = clouds(20, 0)
    blind = clouds(20, 0)
    blind.table[:, 2:5] = 0
    views: list[View] = [((0, 2), (5, 8))]
    assert np.array_equal(trained(data, views=views).ranked(data)[0], trained(blind, views=views).ranked(blind)[0])


def test_fit__the_rate_ends_where_it_should(clouds: Clouds) -> None:
    """A head whose rate is 0 from start to end never moves; with a final rate it does."""
    still = trained(clouds(20, 0), msgspec.structs.replace(QUICK, rates=(0.0,)))
    moved = trained(clouds(20, 0), msgspec.structs.replace(QUICK, rates=(0.0,), final_rate=1e-2))
    assert float(still.weights[0].abs().max()) == 0 < float(moved.weights[0].abs().max())


def test_fit__a_constant_feature_does_no_harm(clouds: Clouds) -> None:
    data = clouds(20, 0)
    data.table[:, 3] = 7
    heads = trained(data)
    assert heads.weights[0].isfinite().all()
    assert top1(heads, data)[0] > 0.5


def test_ranked__counted_by_hand(clouds: Clouds) -> None:
    heads = trained(clouds(5, 0))
    data = clouds(50, 2)
    assert heads.moments is not None
    x_ND = (torch.from_numpy(data.table).float() - heads.moments.mean_D) / heads.moments.std_D
    order = (x_ND @ heads.weights[0][0] + heads.biases[0][0]).argsort(1, descending=True).numpy()
    found = accuracy.measure(heads.ranked(data)[0], data.class_ids, 6)
    assert found.top1 == pytest.approx(np.mean(order[:, 0] == data.class_ids))
    inside = [class_id in row[:5] for class_id, row in zip(data.class_ids, order, strict=True)]
    assert found.top5 == pytest.approx(np.mean(inside))


def test_accuracy__by_hand() -> None:
    ranked = np.array([[0, 1], [1, 0], [1, 0], [0, 1]])
    found = accuracy.measure(ranked, np.array([0, 0, 1, 2]), 4)
    assert (found.top1, found.top5) == (0.5, 0.75)
    assert found.per_class[:3].tolist() == [0.5, 1.0, 0.0]
    assert np.isnan(found.per_class[3])
    assert found.mean_per_class == 0.5


def test_moments__as_numpy_has_them(clouds: Clouds) -> None:
    data = clouds(30, 0)
    found = Moments.of(data, chunk=7)
    np.testing.assert_allclose(found.mean_D, data.table.astype(float).mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.std_D, data.table.astype(float).std(0), rtol=1e-4)
