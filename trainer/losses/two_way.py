"""Two-way multi-label loss (Kobayashi, CVPR 2023): positives against negatives, by sample and by class.

Shapes: B samples, K classes, P positives.
"""

import torch
import torch.nn.functional as F
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

from trainer.losses import norms
from trainer.losses.positives import Positives, row_blocks, wide, without

# The paper's temperature of positives; that of negatives is 1.
_TEMPERATURE = 4.0


def two_way_loss(logits_BK: torch.Tensor, positives: Positives, mean_over: float) -> torch.Tensor:
    """Scalar, at least float32.

    Of each sample that has labels softplus(N + P), where N is the logsumexp of its negatives and P is that of its
    positives (negated, at temperature 4), summed and divided by `mean_over`; and the same of each class that occurs,
    over the samples of this batch, as a mean over those classes (times B / mean_over, so that batches of parts add up).
    The backward pass writes the gradient over the logits, as `separable_loss` does.
    """
    loss: torch.Tensor = _TwoWay.apply(logits_BK, positives, mean_over)
    return loss


class _TwoWay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, logits_BK: torch.Tensor, positives: Positives, mean_over: float) -> torch.Tensor:
        dtype = wide(logits_BK.dtype)
        like = logits_BK.new_empty(0, dtype=dtype)
        rows, by_column = norms.nothing(len(logits_BK), like), norms.nothing(logits_BK.shape[1], like)
        first = 0
        with without(positives, logits_BK):
            for block in row_blocks(logits_BK):
                wide_block = block.to(dtype)
                rows.fill(slice(first, first + len(block)), norms.over(wide_block, 1))
                by_column = by_column.plus(norms.over(wide_block, 0))
                first += len(block)
        x_P = logits_BK[positives].to(dtype)
        row_loss, row_slopes_B, row_pulls_P = _way(rows, x_P, positives.rows_P)
        column_loss, column_slopes_K, column_pulls_P = _way(by_column, x_P, positives.columns_P)
        num_occurring = torch.zeros_like(by_column.sums_G).index_fill_(0, positives.columns_P, 1).sum().clamp_(min=1)
        row_weight, column_weight = 1 / mean_over, len(logits_BK) / mean_over / num_occurring
        pulls_P = row_pulls_P * row_weight + column_pulls_P * column_weight
        row_factors_B = row_slopes_B * row_weight / rows.sums_G.to(dtype)
        column_factors_K = column_slopes_K * column_weight / by_column.sums_G.to(dtype)
        ctx.save_for_backward(logits_BK, rows.largest_G, row_factors_B, by_column.largest_G, column_factors_K, pulls_P)
        ctx.positives = positives  # type: ignore[attr-defined]
        return (row_loss * row_weight + column_loss * column_weight).to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        saved: tuple[torch.Tensor, ...] = ctx.saved_tensors
        logits_BK, row_largest_B, row_factors_B, column_largest_K, column_factors_K, pulls_P = saved
        first = 0
        for block in row_blocks(logits_BK):
            own = slice(first, first + len(block))
            x = block.to(grad.dtype)
            by_column = (x - column_largest_K).exp_().mul_(column_factors_K * grad)
            by_row = (x - row_largest_B[own, None]).exp_().mul_((row_factors_B[own] * grad)[:, None])
            block.copy_(by_row.add_(by_column))
            first = own.stop
        logits_BK[ctx.positives] = (-pulls_P * grad).to(logits_BK.dtype)  # type: ignore[attr-defined]
        return logits_BK, None, None


def _way(
    negatives: norms.Norm, x_P: torch.Tensor, group_P: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One of the two ways: (loss, its derivative by each group's N + P, of that each positive's part)."""
    dtype = x_P.dtype
    pulls = norms.by_group(-x_P / _TEMPERATURE, group_P, len(negatives.sums_G))
    gap_G = torch.where(pulls.sums_G > 0, negatives.log() + _TEMPERATURE * pulls.log(), -torch.inf)
    slopes_G = gap_G.sigmoid().to(dtype)
    parts_P = torch.exp(-x_P / _TEMPERATURE - pulls.largest_G[group_P]) / pulls.sums_G[group_P].to(dtype)
    return F.softplus(gap_G).sum(), slopes_G, slopes_G[group_P] * parts_P
