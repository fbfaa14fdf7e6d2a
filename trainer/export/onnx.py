"""A model as ONNX, checked against PyTorch.

Shapes: B pictures of S x S pixels.
"""

from pathlib import Path

import msgspec
import onnxruntime
import torch
from torch import nn
from torch.export import Dim

from labelshards.errors import CatlipError, first_line
from trainer.encoders import models

INPUT, OUTPUT = "pictures", "output"
MOST_DIFFERENCE = 1e-4  # what other kernels round otherwise stays far below


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """any_size: S is dynamic, too. difference: the largest from PyTorch, absolute."""

    any_size: bool
    difference: float


def convert(model: nn.Module, image_size: int, path: Path) -> Converted:
    """Write `model`, in eval mode on the CPU, to `path`: pictures float32 [B, 3, S, S], normalised, → output [B, …].

    B is dynamic; S too, where the encoder takes other sizes and torch can follow how. Raises CatlipError if torch
    cannot convert the model, or if ONNX Runtime computes something else.
    """
    kinds = (False,) if models.has_fixed_size(model) else (True, False)
    for any_size in kinds:
        try:
            program = _program(model, image_size, any_size)
            break
        except Exception as error:  # torch.export raises a dozen types, for what a model does with sizes above all
            failure = error
    else:
        why = first_line(failure)
        raise CatlipError(f"torch cannot convert this model to ONNX: {why}. Export it as timm.") from failure
    program.save(path)
    # In other numbers and sizes than those of the pictures that it was converted with.
    found = _difference(model, path, [(1, image_size), (3, image_size), *([(2, 2 * image_size)] if any_size else [])])
    if not found <= MOST_DIFFERENCE:  # which is true of NaN, too
        raise CatlipError(
            f"ONNX Runtime differs from PyTorch by {found:.2g}, and {MOST_DIFFERENCE} is the most. Export it as timm."
        )
    return Converted(any_size=any_size, difference=found)


def _program(model: nn.Module, image_size: int, any_size: bool) -> torch.onnx.ONNXProgram:
    sizes = {2: Dim.DYNAMIC, 3: Dim.DYNAMIC} if any_size else {}
    program = torch.onnx.export(
        model,
        (torch.zeros(2, 3, image_size, image_size),),  # two: torch.export takes a size of 1 for a constant
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: Dim("batch"), **sizes},),
        verbose=False,
    )
    assert program is not None, "torch's newer exporter returns one"
    return program


@torch.inference_mode()
def _difference(model: nn.Module, path: Path, shapes: list[tuple[int, int]]) -> float:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    random = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch, size in shapes:
        x_BCHW = torch.randn(batch, 3, size, size, generator=random)
        (found,) = session.run([OUTPUT], {INPUT: x_BCHW.numpy()})
        worst = max(worst, float((torch.from_numpy(found) - model(x_BCHW)).abs().max()))
    return worst
