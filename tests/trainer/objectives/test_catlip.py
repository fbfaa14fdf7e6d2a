"""Encoder, head and loss together: what wraps them (autocast, a compiler, DDP) changes nothing."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from tests.labelset_factory import vocabulary
from tests.tiny_run import TINY
from tests.trainer.losses import dense
from trainer.config import load
from trainer.encoders import models
from trainer.losses.config import LossConfig
from trainer.losses.positives import Positives
from trainer.objectives.catlip import Catlip
from trainer.objectives.kinds import kind_of

CLASSES = 60
KINDS = {
    "bce": LossConfig(class_weights="idf"),
    "bce-fused": LossConfig(class_weights="idf", fused=True),
    "asymmetric": LossConfig(kind="asymmetric"),
    "asymmetric-fused": LossConfig(kind="asymmetric", fused=True),
    "softmax": LossConfig(kind="softmax", class_weights="idf"),
    "softmax-fused": LossConfig(kind="softmax", class_weights="idf", fused=True),
    "two-way": LossConfig(kind="two-way"),
    "two-way-fused": LossConfig(kind="two-way", fused=True),
}
ONE_BY_ONE = [
    name for name in KINDS if not name.startswith("two-way")
]  # the two-way loss compares the samples of a batch


def objective(config: LossConfig) -> Catlip:
    torch.manual_seed(0)
    model = models.build(load(None, [*TINY, "model.kwargs.drop_path_rate=0.0"]).model, CLASSES)
    prior = np.linspace(0.3, 0.01, CLASSES)
    models.init_head(model, np.log(prior))
    return Catlip(model, config, prior).train()


def batch(size: int = 6) -> tuple[torch.Tensor, Positives]:
    generator = torch.Generator().manual_seed(3)
    x_BCHW = torch.randn((size, 3, 32, 32), generator=generator)
    _, positives = dense.problem(size, CLASSES, 0.05)
    return x_BCHW, Positives(*(index[positives.rows_P.argsort(stable=True)] for index in positives))


def part(x_BCHW: torch.Tensor, positives: Positives, start: int, stop: int) -> tuple[torch.Tensor, Positives]:
    inside = (positives.rows_P >= start) & (positives.rows_P < stop)
    return x_BCHW[start:stop], Positives(positives.rows_P[inside] - start, positives.columns_P[inside])


def gradients(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name.removeprefix("module."): p.grad for name, p in module.named_parameters() if p.grad is not None}


def assert_near(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() <= tolerance * gradient.norm() + 1e-7, name


def stepped(config: LossConfig) -> tuple[float, dict[str, torch.Tensor]]:
    module = objective(config)
    loss = module(*batch(), 6)
    loss.backward()
    return float(loss.detach()), gradients(module)


@pytest.mark.parametrize("kind", ["bce", "asymmetric", "softmax", "two-way"])
def test_objective__fused_is_the_same_loss(kind: str) -> None:
    loss, expected = stepped(KINDS[kind])
    fused_loss, found = stepped(KINDS[f"{kind}-fused"])
    assert fused_loss == pytest.approx(loss, rel=1e-6)
    assert "model.head.weight" in found
    assert_near(found, expected, 2e-6)


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_objective__accumulated_parts_are_the_whole(name: str) -> None:
    loss, expected = stepped(KINDS[name])
    module = objective(KINDS[name])
    total = 0.0
    for start, stop in ((0, 1), (1, 4), (4, 6)):
        piece = module(*part(*batch(), start, stop), 6)
        piece.backward()
        total += float(piece.detach())
    assert total == pytest.approx(loss, rel=1e-6)
    assert_near(gradients(module), expected, 2e-6)


@pytest.mark.parametrize("name", KINDS)
def test_objective__under_autocast_the_loss_stays_float32(name: str) -> None:
    loss, expected = stepped(KINDS[name])
    module = objective(KINDS[name])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = module(*batch(), 6)
    narrow.backward()
    assert narrow.dtype == torch.float32
    assert float(narrow.detach()) == pytest.approx(loss, rel=0.01)
    found = gradients(module)
    assert all(gradient.dtype == torch.float32 for gradient in found.values())
    head = found["model.head.weight"]
    assert (head - expected["model.head.weight"]).norm() < 0.03 * head.norm()


@pytest.mark.parametrize(("kind", "expected"), [("bce", [0.5, 0.5, 0.75]), ("softmax", [0.2, 0.2, 0.6])])
def test_scorer__what_logits_mean_to_the_loss(kind: str, expected: list[float]) -> None:
    config = load(None, [f"loss.kind={kind}"])
    scorer = kind_of(config).scorer(nn.Identity(), config, vocabulary(3))
    logits_BK = torch.tensor([[0.0, 0.0, math.log(3)]])
    assert torch.equal(scorer.scores(logits_BK), logits_BK)
    torch.testing.assert_close(scorer.probabilities(logits_BK[0]), torch.tensor(expected))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bce", "bce-fused", "softmax"])
def test_objective__compiled_is_the_same(name: str) -> None:
    loss, expected = stepped(KINDS[name])
    module = objective(KINDS[name])
    torch.compiler.reset()
    compiled = torch.compile(module, backend="aot_eager")(*batch(), 6)
    compiled.backward()
    assert float(compiled.detach()) == pytest.approx(loss, rel=1e-6)
    assert_near(gradients(module), expected, 2e-6)


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("name", KINDS)
def test_objective__ddp_reduces_every_gradient(name: str) -> None:
    """Two real ranks are compared with one process in test_processes.py."""
    loss, expected = stepped(KINDS[name])
    module = DistributedDataParallel(objective(KINDS[name]))
    replicated = module(*batch(), 6)
    replicated.backward()
    assert float(replicated.detach()) == loss
    assert_near(gradients(module), expected, 1e-6)
