"""A separable loss over logits that exist: gone through in blocks of rows, the gradient written over the logits.

Shapes: B samples, K classes, P positives.
"""

import torch
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

from trainer.losses.positives import Positives, row_blocks, wide, without
from trainer.losses.terms import Terms


def separable_loss(
    logits_BK: torch.Tensor, positives: Positives, terms: Terms, weights_K: torch.Tensor | None, mean_over: float
) -> torch.Tensor:
    """Scalar, at least float32: the terms of all logits, times their class's weight, summed and divided by `mean_over`.

    The backward pass writes the gradient over the logits, which nobody can use after that: whoever needs them in
    another backward pass gets torch's error about a tensor modified in place, never a wrong number.
    """
    loss: torch.Tensor = _Separable.apply(logits_BK, positives, terms, weights_K, mean_over)
    return loss


class _Separable(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        logits_BK: torch.Tensor,
        positives: Positives,
        terms: Terms,
        weights_K: torch.Tensor | None,
        mean_over: float,
    ) -> torch.Tensor:
        ctx.rest = positives, terms, weights_K, mean_over  # type: ignore[attr-defined]
        dtype = wide(logits_BK.dtype)
        costs_P = terms.positive(logits_BK[positives].to(dtype)).double()
        if weights_K is not None:
            costs_P *= weights_K[positives.columns_P]
        total = costs_P.sum()
        with without(positives, logits_BK):
            for block in row_blocks(logits_BK):
                costs = terms.negative(block.to(dtype))
                # A block is summed in float32, pairwise, and blocks in float64, as fast and as exact as is needed.
                total += costs.sum() if weights_K is None else costs.sum(0) @ weights_K.to(dtype)
        ctx.save_for_backward(logits_BK)
        return (total / mean_over).to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        (logits_BK,) = ctx.saved_tensors
        positives, terms, weights_K, mean_over = ctx.rest  # type: ignore[attr-defined]
        scale = grad / mean_over
        # A positive's slope is written anew, not corrected by a difference: in bfloat16 that would be rounded away.
        slopes_P = terms.positive_slope(logits_BK[positives].to(grad.dtype)) * scale
        if weights_K is not None:
            slopes_P *= weights_K[positives.columns_P]
            scale = scale * weights_K
        for block in row_blocks(logits_BK):
            block.copy_(terms.negative_slope_(block.to(grad.dtype)).mul_(scale))
        logits_BK[positives] = slopes_P.to(logits_BK.dtype)
        return logits_BK, None, None, None, None
