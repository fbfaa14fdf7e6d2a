"""The losses the usual way: dense targets, float64, torch's own derivatives."""

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F

from trainer.losses.positives import Positives

# (logits, dense targets, class weights or None) → loss summed over the batch and divided by B
Dense: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


def bce(x_BK: torch.Tensor, y_BK: torch.Tensor, weights_K: torch.Tensor | None) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(x_BK, y_BK, weights_K, reduction="sum") / len(x_BK)


def asymmetric(
    x_BK: torch.Tensor, y_BK: torch.Tensor, weights_K: torch.Tensor | None, gamma_negative: float = 4.0
) -> torch.Tensor:
    """gamma_positive 1, margin 0.05."""
    p = x_BK.sigmoid()
    q = (p - 0.05).clamp(min=0)
    costs = -y_BK * (1 - p) * F.logsigmoid(x_BK) - (1 - y_BK) * q**gamma_negative * torch.log1p(-q)
    return (costs if weights_K is None else costs * weights_K).sum() / len(x_BK)


def softmax(x_BK: torch.Tensor, y_BK: torch.Tensor, weights_K: torch.Tensor | None) -> torch.Tensor:
    y_BK = y_BK if weights_K is None else y_BK * weights_K
    shares = y_BK / y_BK.sum(1, keepdim=True).clamp(min=1e-30)
    return -(shares * x_BK.log_softmax(1)).sum() / len(x_BK)


def two_way(x_BK: torch.Tensor, y_BK: torch.Tensor, _weights_K: torch.Tensor | None) -> torch.Tensor:
    inf = torch.tensor(torch.inf, dtype=x_BK.dtype)
    total = torch.zeros((), dtype=x_BK.dtype)
    for dim in (1, 0):
        occurs = y_BK.any(dim) & ~y_BK.all(dim)  # without negatives there is nothing to lose
        negatives = torch.where(y_BK > 0, -inf, x_BK).logsumexp(dim)[occurs]
        positives = torch.where(y_BK > 0, -x_BK / 4, -inf).logsumexp(dim)[occurs]
        costs = torch.zeros(int(y_BK.any(dim).sum()), dtype=x_BK.dtype)
        if len(costs):
            costs[: len(negatives)] = F.softplus(negatives + 4 * positives)
            total = total + costs.sum() / (len(x_BK) if dim else len(costs))
    return total


def value_and_gradient(
    dense: Dense, logits_BK: torch.Tensor, positives: Positives, weights_K: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both in float64."""
    x_BK = logits_BK.detach().double().requires_grad_()
    y_BK = torch.zeros(x_BK.shape, dtype=torch.float64)
    y_BK[positives] = 1
    loss = dense(x_BK, y_BK, None if weights_K is None else weights_K.double())
    if not loss.requires_grad:
        return loss, torch.zeros_like(x_BK)
    [gradient] = torch.autograd.grad(loss, x_BK)
    return loss.detach(), gradient


def problem(batch: int, classes: int, share: float, seed: int = 0) -> tuple[torch.Tensor, Positives]:
    """Logits, and positives at random places, `share` of all, in any order."""
    generator = torch.Generator().manual_seed(seed)
    logits_BK = torch.randn((batch, classes), generator=generator) * 4
    flat = torch.randperm(batch * classes, generator=generator)[: round(share * batch * classes)]
    return logits_BK, Positives(flat // classes, flat % classes)
