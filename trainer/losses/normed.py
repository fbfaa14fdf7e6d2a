"""Losses whose slopes depend on sums over whole rows or columns of the logits, so that these are gone through twice.

Here the logits exist, and the gradient is written over them in blocks of rows; `fused` makes them anew instead.

Shapes: B samples, K classes, P positives; [rows, columns] a rectangle of B x K.
"""

from typing import Protocol

import torch
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

from trainer.losses.positives import Positives, row_blocks, wide, without


class Normed(Protocol):
    """One such loss over one batch. Rectangles are float32 (or float64), their positives -inf."""

    def look(self, rows: slice, columns: slice, x: torch.Tensor) -> None:
        """Take in a rectangle of logits, [rows, columns]."""

    def settle(self, x_P: torch.Tensor) -> torch.Tensor:
        """The loss, float64, summed over the batch: after all rectangles, and given the positives' logits."""

    def slopes_(self, rows: slice, columns: slice, x: torch.Tensor) -> torch.Tensor:
        """[rows, columns], its derivative by a rectangle, 0 at the positives; `x` is lost."""

    def positive_slopes(self) -> torch.Tensor:
        """Its derivative by the positives' logits, [P]."""


_ALL = slice(None)


def normed_loss(logits_BK: torch.Tensor, positives: Positives, loss: Normed, mean_over: float) -> torch.Tensor:
    """Scalar, at least float32: the loss divided by `mean_over`.

    The backward pass writes the gradient over the logits, as `separable_loss` does.
    """
    found: torch.Tensor = _InPlace.apply(logits_BK, positives, loss, mean_over)
    return found


class _InPlace(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, logits_BK: torch.Tensor, positives: Positives, loss: Normed, mean_over: float
    ) -> torch.Tensor:
        dtype = wide(logits_BK.dtype)
        x_P = logits_BK[positives].to(dtype)
        first = 0
        with without(positives, logits_BK):
            for block in row_blocks(logits_BK):
                loss.look(slice(first, first + len(block)), _ALL, block.to(dtype))
                first += len(block)
        total = loss.settle(x_P)
        ctx.save_for_backward(logits_BK)
        ctx.rest = positives, loss, mean_over  # type: ignore[attr-defined]
        return (total / mean_over).to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (logits_BK,) = ctx.saved_tensors
        positives, loss, mean_over = ctx.rest  # type: ignore[attr-defined]
        scale = grad / mean_over
        first = 0
        for block in row_blocks(logits_BK):
            slopes = loss.slopes_(slice(first, first + len(block)), _ALL, block.to(grad.dtype))
            block.copy_(slopes.mul_(scale))
            first += len(block)
        # Written, not added: what `slopes_` made of the positives, which are no longer -inf, means nothing.
        logits_BK[positives] = (loss.positive_slopes() * scale).to(logits_BK.dtype)
        return logits_BK, None, None, None
