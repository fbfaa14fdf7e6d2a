"""Linear head and loss in one, piece by piece of the vocabulary: a B x K tensor never exists.

The gradients are made in the forward pass, while a piece's logits are at hand. A separable loss makes each piece once,
a `Normed` one twice, which is a third of all products more: its slopes need sums that are known after the last piece.

Shapes: B samples, D features, K classes, P positives; V classes of a piece.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.autograd.function import BackwardCFunction, FunctionCtx, once_differentiable

from trainer.losses.normed import Normed
from trainer.losses.pieces import Pieces
from trainer.losses.positives import Positives, wide
from trainer.losses.terms import Terms

_ALL = slice(None)


def fused_separable_loss(
    features_BD: torch.Tensor,
    head: nn.Linear,
    positives: Positives,
    terms: Terms,
    weights_K: torch.Tensor | None,
    mean_over: float,
) -> torch.Tensor:
    """Scalar, at least float32: `separable_loss` of the head's logits.

    Products are computed in autocast's dtype, if it is on; sums, and the gradients of weight and bias, are of the
    parameters' own.
    """

    def total(pieces: Pieces) -> torch.Tensor:
        return _separable(pieces, terms, weights_K)

    return _fused(features_BD, head, positives, total, mean_over)


def fused_normed_loss(
    features_BD: torch.Tensor, head: nn.Linear, positives: Positives, loss: Normed, mean_over: float
) -> torch.Tensor:
    """Scalar, at least float32: `normed_loss` of the head's logits, computed as in `fused_separable_loss`."""
    return _fused(features_BD, head, positives, lambda pieces: _normed(pieces, loss), mean_over)


def _separable(pieces: Pieces, terms: Terms, weights_K: torch.Tensor | None) -> torch.Tensor:
    """The summed loss, float64; its gradients are in `pieces`."""
    total = pieces.zero()
    for piece in pieces.slices():
        x_BV, at, inside_P = pieces.logits(piece)
        scale_V = None if weights_K is None else weights_K[piece].to(x_BV.dtype)
        x_P = x_BV[at]
        factor_P = inside_P.to(x_BV.dtype) if scale_V is None else inside_P * scale_V[at[1]]
        total += (terms.positive(x_P).double() * factor_P).sum()
        pieces.hide_(x_BV, at, inside_P)
        costs_BV = terms.negative(x_BV)
        total += costs_BV.sum() if scale_V is None else costs_BV.sum(0) @ scale_V
        del costs_BV  # the slopes take as much again
        if pieces.with_gradients:
            slopes_BV = terms.negative_slope_(x_BV)
            if scale_V is not None:
                slopes_BV.mul_(scale_V)
            slopes_BV.index_put_(at, terms.positive_slope(x_P) * factor_P, accumulate=True)
            pieces.add(piece, slopes_BV)
    return total


def _normed(pieces: Pieces, loss: Normed) -> torch.Tensor:
    """The summed loss, float64; its gradients are in `pieces`."""
    x_P = pieces.no_logits()
    for piece in pieces.slices():
        x_BV, at, inside_P = pieces.logits(piece)
        x_P += torch.where(inside_P, x_BV[at], 0)
        loss.look(_ALL, piece, pieces.hide_(x_BV, at, inside_P))
    total = loss.settle(x_P)
    for piece in pieces.slices() if pieces.with_gradients else ():
        x_BV, at, inside_P = pieces.logits(piece)
        slopes_BV = loss.slopes_(_ALL, piece, pieces.hide_(x_BV, at, inside_P))
        slopes_P = loss.positive_slopes().to(slopes_BV.dtype)
        pieces.add(piece, slopes_BV.index_put_(at, torch.where(inside_P, slopes_P, 0), accumulate=True))
    return total


def _fused(
    features_BD: torch.Tensor,
    head: nn.Linear,
    positives: Positives,
    total: Callable[[Pieces], torch.Tensor],
    mean_over: float,
) -> torch.Tensor:
    device = features_BD.device.type
    narrow = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    with torch.autocast(device, enabled=False):
        # Whether gradients are wanted is asked out here: within a function of autograd they never are.
        loss: torch.Tensor = _Fused.apply(
            features_BD, head.weight, head.bias, positives, total, mean_over, narrow, torch.is_grad_enabled()
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
        total: Callable[[Pieces], torch.Tensor],
        mean_over: float,
        narrow: torch.dtype | None,
        with_gradients: bool,
    ) -> torch.Tensor:
        h_BD = features_BD.to(narrow or torch.promote_types(features_BD.dtype, weight_KD.dtype))
        pieces = Pieces(h_BD, weight_KD, bias_K, positives, with_gradients=with_gradients)
        loss = (total(pieces) / mean_over).to(wide(features_BD.dtype))
        if with_gradients:
            ctx.gradients = pieces.gradients  # type: ignore[attr-defined]
            ctx.mean_over, ctx.dtype = mean_over, features_BD.dtype  # type: ignore[attr-defined]
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: BackwardCFunction, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        if not hasattr(ctx, "gradients"):
            raise RuntimeError("The fused loss gives its gradients once; compute it again for another backward pass.")
        grad_h_BD, grad_weight_KD, grad_bias_K = ctx.gradients
        del ctx.gradients
        scale = grad / ctx.mean_over  # type: ignore[attr-defined]
        grads = grad_h_BD.mul_(scale).to(ctx.dtype), grad_weight_KD.mul_(scale), grad_bias_K.mul_(scale)  # type: ignore[attr-defined]
        return *grads, None, None, None, None, None
