from pathlib import Path

import pytest
import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer.export import onnx


class Drifting(nn.Module):
    """A mean of each picture's channels that is another one once it has been converted."""

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return x_BCHW.mean((2, 3)) + (0.0 if torch.compiler.is_exporting() else 0.01)


class Undecided(nn.Module):
    """What it computes depends on what it sees."""

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return x_BCHW if x_BCHW.sum() > 0 else -x_BCHW


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Drifting(), r"ONNX Runtime differs from PyTorch by 0\.01"),
        (Undecided(), "torch cannot convert this model to ONNX: "),
    ],
)
def test_convert__what_cannot_be_vouched_for_is_refused(tmp_path: Path, model: nn.Module, message: str) -> None:
    with pytest.raises(CatlipError, match=message):
        onnx.convert(model.eval(), 8, tmp_path / "model.onnx")
