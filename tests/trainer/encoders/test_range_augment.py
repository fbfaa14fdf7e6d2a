from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny_run import Recorder, go
from tests.trainer.one_step import one_step
from trainer import run
from trainer.distributed import World
from trainer.encoders.range_augment import AugmentConfig, RangeAugment, distance
from trainer.training.checkpoints import read_tensors

ALONE = World(device=torch.device("cpu"))
MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.5, 0.2)


def pictures(num: int = 64) -> torch.Tensor:
    """Normalised pixels."""
    pixels = torch.rand((num, 3, 12, 12), generator=torch.Generator().manual_seed(0))
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def test_range_augment__psnr_is_that_of_the_pixels() -> None:
    x = pictures()
    changed, psnr = RangeAugment(MEAN, STD)(x)
    std = torch.tensor(STD)[:, None, None]
    error = ((changed - x) * std).square().mean((1, 2, 3)).detach()
    torch.testing.assert_close(psnr.detach(), -10 * torch.log10(error), rtol=1e-3, atol=1e-3)
    assert changed.shape == x.shape


def test_range_augment__without_ranges_nothing_changes() -> None:
    augment = RangeAugment(MEAN, STD)
    torch.nn.init.constant_(augment.raw, -9.0)
    changed, psnr = augment(pictures())
    torch.testing.assert_close(changed, pictures(), atol=1e-5, rtol=1e-4)
    assert psnr.min() > 79


@pytest.mark.parametrize("target", [15.0, 25.0, 40.0])
def test_range_augment__learns_ranges_that_hit_the_target(target: float) -> None:
    torch.manual_seed(0)
    augment = RangeAugment(MEAN, STD)
    optimizer = torch.optim.Adam(augment.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        distance(augment(pictures())[1], target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    psnr = augment(pictures(256))[1]
    assert psnr.median().item() == pytest.approx(target, abs=2.5)
    ranges = augment.ranges()
    assert (ranges > 0).all()
    assert (ranges[:4] < 0.9).all()


def test_target__falls_from_easy_to_hard() -> None:
    config = AugmentConfig()
    targets = [config.target(step, 101) for step in range(101)]
    assert (targets[0], targets[50], targets[100]) == pytest.approx((40.0, 30.0, 20.0))
    assert targets == sorted(targets, reverse=True)
    assert config.target(0, 1) == 40.0


def test_step__ranges_get_gradients_and_parts_of_the_loss(labels: Path) -> None:
    plain, augmented = one_step(labels, ALONE), one_step(labels, ALONE, "augment.range=true")
    assert augmented["loss"] > plain["loss"]
    assert augmented["norm"] != plain["norm"]


def test_train__with_range_augment_resumes_with_the_same_bits(labels: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "run"
    on = ("augment.range=true", "augment.last_psnr=10")
    go(labels, whole, *on)
    go(labels, out, *on, watcher=Recorder(6))
    assert go(labels, out, *on).finished
    names = [folder / "checkpoints" / "step-00000012.safetensors" for folder in (whole, out)]
    assert names[0].read_bytes() == names[1].read_bytes()
    tensors = read_tensors(names[0])
    assert tensors["optim.step.augment.raw"] == 12
    first = RangeAugment(MEAN, STD).raw
    assert not np.array_equal(tensors["augment.raw"], first.detach())
    logged = [line.ranges for line in run.read_metrics(whole)]
    assert [*logged[-1]] == ["darker", "brighter", "flatter", "steeper", "noise"]
    widest = np.array([0.9, 0.9, 0.9, 0.9, 0.5])
    assert [*logged[-1].values()] == pytest.approx(widest / (1 + np.exp(-10 * tensors["augment.raw"].numpy())))
    assert logged[0] != logged[-1]
