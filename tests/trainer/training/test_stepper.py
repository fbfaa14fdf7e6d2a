"""Loss and gradients are those of the global batch, however it is split."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.pair import finish_pair
from tests.trainer.one_step import one_step
from trainer.distributed import World

ALONE = World(device=torch.device("cpu"))


@pytest.fixture(scope="module")
def whole(labels: Path) -> dict[str, torch.Tensor]:
    return one_step(labels, ALONE)


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert (found[name] - tensor).norm() <= 1e-6 * tensor.norm(), name


@pytest.mark.parametrize("parts", [2, 5, 12])
def test_stepper__parts_are_the_whole(labels: Path, whole: dict[str, torch.Tensor], parts: int) -> None:
    assert_same(one_step(labels, ALONE, f"loop.accumulate={parts}"), whole)


@pytest.mark.slow
def test_stepper__two_ranks_are_the_whole(labels: Path, whole: dict[str, torch.Tensor], tmp_path: Path) -> None:
    fsdp, augmented = "distributed.strategy=fsdp", "augment.range=true"
    cases = ["", "loop.accumulate=2", fsdp, f"{fsdp} loop.accumulate=3", augmented, f"{fsdp} {augmented}"]
    finish_pair(["-m", "tests.trainer.one_step", str(labels), str(tmp_path), *cases])
    *plain, ranges, sharded_ranges = (load_file(tmp_path / str(number)) for number in range(len(cases)))
    for found in plain:
        assert_same(found, whole)
    # Each rank draws magnitudes of its own, so this is another loss than that of one process.
    assert ranges["augment.raw"].all()
    assert_same(sharded_ranges, ranges)
