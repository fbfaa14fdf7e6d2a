"""A step of pairs on two ranks is that of one process, under DDP and FSDP2, also with shares of different sizes."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.pair import finish_pair
from tests.trainer.objectives.test_losses import ALONE, assert_same
from tests.trainer.objectives.tiny_text import TEXT
from tests.trainer.one_step import one_step

CASES = [
    [f"objective={kind}", f"distributed.strategy={strategy}", "plan.batch_size=7", *TEXT]
    for kind in ("clip", "siglip")
    for strategy in ("ddp", "fsdp")
]


@pytest.mark.slow
def test_step__two_ranks_are_the_whole(labels: Path, tmp_path: Path) -> None:
    finish_pair(["-m", "tests.trainer.one_step", str(labels), str(tmp_path), *map(" ".join, CASES)])
    for number, case in enumerate(CASES):
        found, expected = load_file(tmp_path / str(number)), one_step(labels, ALONE, *case)
        # A sum over all pairs of what mostly cancels: of a few float32 rounding errors, not of the gradient's own size.
        assert found.pop("log_scale").item() == pytest.approx(expected.pop("log_scale").item(), rel=2e-5)
        assert_same(found, expected)
