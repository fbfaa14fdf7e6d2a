"""Linear head and separable loss in one, piece by piece of the vocabulary: a B x K tensor never exists.

The gradients are made in the forward pass, while a piece's logits are at hand; making the logits again in the backward
pass would cost a third of all products more.

Shapes: B samples, D features, K classes, P positives; V classes of a piece.
"""

import torch
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

from trainer.losses.positives import Positives, wide
from trainer.losses.terms import Terms

# Classes of a piece: enough for products at full speed, and little beside the gradient of the head's weight.
_CPU_PIECE = 512
GPU_PIECE = 8_192


def fused_loss(
    features_BD: torch.Tensor,
    weight_KD: torch.Tensor,
    bias_K: torch.Tensor,
    positives: Positives,
    terms: Terms,
    weights_K: torch.Tensor | None,
    mean_over: float,
) -> torch.Tensor:
    """Scalar, at least float32: `separable_loss` of the logits features · weightᵀ + bias.

    Products are computed in autocast's dtype, if it is on; sums, and the gradients of weight and bias, are of the
    parameters' own.
    """
    device = features_BD.device.type
    narrow = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    with torch.autocast(device, enabled=False):
        loss: torch.Tensor = _Fused.apply(
            features_BD, weight_KD, bias_K, positives, terms, weights_K, mean_over, narrow, torch.is_grad_enabled()
        )
    return loss


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        features_BD: torch.Tensor,
        weight_KD: torch.Tensor,
        bias_K: torch.Tensor,
        positives: Positives,
        terms: Terms,
        weights_K: torch.Tensor | None,
        mean_over: float,
        narrow: torch.dtype | None,
        with_gradients: bool,
    ) -> torch.Tensor:
        dtype = wide(features_BD.dtype)
        h_BD = features_BD.to(narrow or torch.promote_types(features_BD.dtype, weight_KD.dtype))
        total = torch.zeros((), dtype=torch.float64, device=h_BD.device)
        grad_h_BD = torch.zeros_like(h_BD, dtype=dtype)
        grad_weight_KD, grad_bias_K = torch.empty_like(weight_KD), torch.empty_like(bias_K)
        size = _CPU_PIECE if h_BD.device.type == "cpu" else GPU_PIECE
        for first in range(0, len(weight_KD), size):
            piece = slice(first, first + size)
            w_VD = weight_KD[piece].to(h_BD.dtype)
            x_BV = torch.addmm(bias_K[piece].to(h_BD.dtype), h_BD, w_VD.T).to(dtype)
            scale_V = None if weights_K is None else weights_K[piece].to(dtype)
            # Which positives lie in the piece is not known on the host: the others are looked up anywhere and add 0.
            inside_P = (positives.columns_P >= first) & (positives.columns_P < first + len(w_VD))
            at = positives.rows_P, (positives.columns_P - first).clamp(0, len(w_VD) - 1)
            x_P = x_BV[at]
            factor_P = inside_P.to(dtype) if scale_V is None else inside_P * scale_V[at[1]]
            total += (terms.positive(x_P).double() * factor_P).sum()
            x_BV.index_put_(at, torch.where(inside_P, -torch.inf, x_P.new_zeros(())), accumulate=True)
            costs_BV = terms.negative(x_BV)
            total += costs_BV.sum() if scale_V is None else costs_BV.sum(0) @ scale_V
            del costs_BV
            if not with_gradients:
                continue
            slopes_BV = terms.negative_slope_(x_BV)
            if scale_V is not None:
                slopes_BV.mul_(scale_V)
            slopes_BV.index_put_(at, terms.positive_slope(x_P) * factor_P, accumulate=True)
            torch.sum(slopes_BV, 0, dtype=bias_K.dtype, out=grad_bias_K[piece])
            slopes_BV = slopes_BV.to(h_BD.dtype)
            _product_into(grad_weight_KD[piece], slopes_BV.T, h_BD)
            _add_product(grad_h_BD, slopes_BV, w_VD)
        if with_gradients:
            ctx.gradients = grad_h_BD, grad_weight_KD, grad_bias_K  # type: ignore[attr-defined]
            ctx.mean_over, ctx.dtype = mean_over, features_BD.dtype  # type: ignore[attr-defined]
        return (total / mean_over).to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        if not hasattr(ctx, "gradients"):
            raise RuntimeError("The fused loss gives its gradients once; compute it again for another backward pass.")
        grad_h_BD, grad_weight_KD, grad_bias_K = ctx.gradients
        del ctx.gradients
        scale = grad / ctx.mean_over  # type: ignore[attr-defined]
        grads = grad_h_BD.mul_(scale).to(ctx.dtype), grad_weight_KD.mul_(scale), grad_bias_K.mul_(scale)  # type: ignore[attr-defined]
        return *grads, None, None, None, None, None, None


def _product_into(out: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    """out = a · b, whose sums run in float32 whatever the factors' dtype."""
    if out.dtype == a.dtype:
        torch.mm(a, b, out=out)
    else:
        out.copy_(a @ b)


def _add_product(total: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    if total.dtype == a.dtype:
        total.addmm_(a, b)
    else:
        total += a @ b
