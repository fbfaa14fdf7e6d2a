"""Binary cross-entropy on sparse labels: summed over the classes, averaged over the batch, as in the paper (§3.2).

With logits x and positives P, BCE is  Σ softplus(x) - Σ_P x:  the positives enter at their own coordinates alone, so a
dense B x K target never exists. Work goes block of rows by block of rows, so that of B x K there are only the logits,
which the model made, and their gradient, which it needs.

Shapes: B samples, K classes, P positives.
"""

import torch
import torch.nn.functional as F
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

# 4 MiB of float32: a block's temporaries stay in a core's cache, and are enough work for one launch on a GPU.
_BLOCK_ELEMENTS = 1 << 20


def sparse_bce(logits_BK: torch.Tensor, rows_P: torch.Tensor, columns_P: torch.Tensor) -> torch.Tensor:
    """Scalar loss, at least float32 whatever the logits are; sums run in float64.

    rows_P, columns_P: int64 coordinates of the positives, each at most once. No positive at all is fine.
    """
    loss: torch.Tensor = _SparseBCE.apply(logits_BK, rows_P, columns_P)
    return loss


class _SparseBCE(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, logits_BK: torch.Tensor, rows_P: torch.Tensor, columns_P: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(logits_BK, rows_P, columns_P)
        wide = torch.promote_types(logits_BK.dtype, torch.float32)
        total = -logits_BK[rows_P, columns_P].sum(dtype=torch.float64)
        for block in _blocks(logits_BK):
            total += F.softplus(block.to(wide)).sum(dtype=torch.float64)
        return (total / len(logits_BK)).to(wide)

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, grad: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        saved: tuple[torch.Tensor, ...] = ctx.saved_tensors
        logits_BK, rows_P, columns_P = saved
        scale = grad / len(logits_BK)
        grad_BK = torch.empty_like(logits_BK)
        for block, grad_block in zip(_blocks(logits_BK), _blocks(grad_BK), strict=True):
            grad_block.copy_(torch.sigmoid(block.to(scale.dtype)).mul_(scale))
        # The value at a positive is written anew, not corrected by -1: in bfloat16 the difference would be rounded.
        at_positives = (torch.sigmoid(logits_BK[rows_P, columns_P].to(scale.dtype)) - 1) * scale
        grad_BK[rows_P, columns_P] = at_positives.to(grad_BK.dtype)
        return grad_BK, None, None


def _blocks(x_BK: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.split(x_BK, max(1, _BLOCK_ELEMENTS // max(1, x_BK.shape[1])))
