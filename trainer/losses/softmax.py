"""Softmax over all classes against the labels' shares, as SuperClass trains (arXiv 2411.03313).

Shapes: B samples, K classes, P positives.
"""

import torch
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

from trainer.losses import norms
from trainer.losses.positives import Positives, row_blocks, wide


def softmax_loss(
    logits_BK: torch.Tensor, positives: Positives, weights_K: torch.Tensor | None, mean_over: float
) -> torch.Tensor:
    """Scalar, at least float32: cross-entropy of the softmax against the labels, summed and divided by `mean_over`.

    A sample's labels share 1 in proportion to their classes' weights; a sample without labels costs nothing. The
    backward pass writes the gradient over the logits, as `separable_loss` does.
    """
    loss: torch.Tensor = _Softmax.apply(logits_BK, positives, weights_K, mean_over)
    return loss


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        logits_BK: torch.Tensor,
        positives: Positives,
        weights_K: torch.Tensor | None,
        mean_over: float,
    ) -> torch.Tensor:
        dtype = wide(logits_BK.dtype)
        columns_P = positives.columns_P
        # What is there once for each positive is float64: of a class that is nearly certain, share and softmax cancel.
        weights_P = (
            torch.ones_like(columns_P, dtype=torch.float64) if weights_K is None else weights_K[columns_P].double()
        )
        sums_B = torch.zeros(len(logits_BK), dtype=torch.float64, device=logits_BK.device)
        sums_B.index_add_(0, positives.rows_P, weights_P)
        shares_P = weights_P / sums_B[positives.rows_P]
        norm = norms.nothing(len(logits_BK), logits_BK.new_empty(0, dtype=dtype))
        first = 0
        for block in row_blocks(logits_BK):
            norm.fill(slice(first, first + len(block)), norms.over(block.to(dtype), 1))
            first += len(block)
        ctx.save_for_backward(logits_BK, *norm, sums_B > 0, shares_P)
        ctx.rest = positives, mean_over  # type: ignore[attr-defined]
        costs_P = shares_P * (norm.log()[positives.rows_P] - logits_BK[positives])
        return (costs_P.sum() / mean_over).to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        saved: tuple[torch.Tensor, ...] = ctx.saved_tensors
        logits_BK, largest_B, sums_B, labelled_B, shares_P = saved
        positives, mean_over = ctx.rest  # type: ignore[attr-defined]
        rows_P = positives.rows_P
        scale = grad / mean_over
        factors_B = labelled_B * scale / sums_B.to(grad.dtype)
        softmax_P = torch.exp(logits_BK[positives].double() - largest_B[rows_P]) / sums_B[rows_P]
        first = 0
        for block in row_blocks(logits_BK):
            rows = slice(first, first + len(block))
            exponentials = block.to(grad.dtype).sub_(largest_B[rows, None]).exp_()
            block.copy_(exponentials.mul_(factors_B[rows, None]))
            first = rows.stop
        logits_BK[positives] = ((softmax_P - shares_P) * scale).to(logits_BK.dtype)
        return logits_BK, None, None, None
