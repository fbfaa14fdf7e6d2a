import pytest
import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer.optim import Ema, OptimConfig, build_optimizer, learning_rate


def test_learning_rate__warms_up_then_falls_to_the_minimum() -> None:
    config = OptimConfig(lr=1.0, min_lr=0.1, warmup_steps=4)
    rates = [learning_rate(config, step, 20) for step in range(20)]
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rates[4] == 1.0
    assert rates[-1] == pytest.approx(0.1)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[4 + 15 // 2] > 0.55 > rates[4 + 15 // 2 + 1]  # the cosine's middle


def test_learning_rate__a_run_of_one_step_has_one() -> None:
    assert learning_rate(OptimConfig(lr=1.0), 0, 1) == 1.0


def test_warmup__a_twentieth_unless_told() -> None:
    assert OptimConfig().warmup(200_000) == 10_000
    assert OptimConfig(warmup_steps=7).warmup(8) == 7


def test_warmup__longer_than_the_run_is_refused() -> None:
    with pytest.raises(CatlipError, match=r"optim.warmup_steps = 10000.* 300 steps.*--set optim.warmup_steps=15"):
        OptimConfig(warmup_steps=10_000).warmup(300)


def test_build_optimizer__does_not_decay_vectors() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    decayed, plain = build_optimizer(model, OptimConfig(weight_decay=0.3)).param_groups
    assert decayed["weight_decay"] == 0.3
    assert [tuple(p.shape) for p in decayed["params"]] == [(4, 3)]
    assert plain["weight_decay"] == 0
    assert [p.ndim for p in plain["params"]] == [1, 1, 1]


def test_ema__is_the_running_average() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = Ema(model, decay=0.5)
    nn.init.ones_(model.weight)
    expected = 0.0
    for step in range(30):
        ema.update(model, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay)
    torch.testing.assert_close(ema.module.get_parameter("weight").item(), expected)


def test_ema__a_short_run_is_not_its_random_start() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = Ema(model, decay=0.9999)
    nn.init.ones_(model.weight)
    for step in range(20):
        ema.update(model, step)
    assert ema.module.get_parameter("weight").item() > 0.99


def test_ema__takes_buffers_as_they_are() -> None:
    model = nn.BatchNorm1d(2)
    ema = Ema(model, decay=0.9)
    model(torch.ones(4, 2) * 5)
    ema.update(model, 0)
    torch.testing.assert_close(ema.module.get_buffer("running_mean"), model.get_buffer("running_mean"))
