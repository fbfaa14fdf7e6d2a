import multiprocessing
from pathlib import Path

import pytest
import torch

from labelshards.errors import CatlipError
from tests.tiny_run import TINY
from trainer.config import load
from trainer.distributed import World
from trainer.training.dryrun import judge, measure


@pytest.mark.parametrize(
    ("num_workers", "loader", "together", "cores", "bound_by"),
    [
        (4, 800.0, 800.0, 6.0, "loader"),
        (8, 1_600.0, 1_200.0, 6.0, "step"),
        (0, 400.0, 300.0, 3.0, "loader"),  # one after the other: 1/400 + 1/1,200 s an image
    ],
)
def test_judge__of_a_step_with_1200_images_a_second(
    num_workers: int, loader: float, together: float, cores: float, bound_by: str
) -> None:
    found = judge(device="cuda", num_workers=num_workers, batch_size=8, image_size=224, loader=loader, step=1_200.0)
    assert found.images_per_second == pytest.approx(together)
    assert found.cores_needed == pytest.approx(cores)
    assert found.bound_by == bound_by


def test_measure__with_loader_processes(labels: Path) -> None:
    config = load(None, [*TINY, "data.num_workers=2"])
    found = measure(config, labels=[str(labels)], world=World(device=torch.device("cpu")), seconds=0.05)
    assert (found.num_workers, found.batch_size, found.image_size) == (2, 8, 32)
    loader, step = found.loader_images_per_second, found.step_images_per_second
    assert found.images_per_second == min(loader, step)
    assert found.cores_needed == pytest.approx(2 * step / loader)
    assert not multiprocessing.active_children()


def test_measure__what_training_refuses(labels: Path) -> None:
    config = load(None, [*TINY, "loop.accumulate=9"])
    with pytest.raises(CatlipError, match=r"loop.accumulate = 9 is more than the 8 samples"):
        measure(config, labels=[str(labels)], world=World(device=torch.device("cpu")), seconds=0.05)
