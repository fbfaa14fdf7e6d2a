"""Losses that are sums over logits, each by itself: what a logit costs as a negative and as a positive, and the slopes.

All take and give float32 (or float64) tensors of any shape. Slopes of negatives may be written over their argument.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F


class Terms(Protocol):
    """A separable loss."""

    def negative(self, x: torch.Tensor) -> torch.Tensor:
        """The loss of a class that is not there."""

    def negative_slope_(self, x: torch.Tensor) -> torch.Tensor:
        """Its derivative; `x` is lost."""

    def positive(self, x: torch.Tensor) -> torch.Tensor:
        """The loss of a class that is there."""

    def positive_slope(self, x: torch.Tensor) -> torch.Tensor:
        """Its derivative."""


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """Binary cross-entropy, the paper's loss (arXiv 2404.15653, §3.2)."""

    def negative(self, x: torch.Tensor) -> torch.Tensor:
        """-log(1 - p) = softplus(x)."""
        return F.softplus(x)

    def negative_slope_(self, x: torch.Tensor) -> torch.Tensor:
        """p."""
        return x.sigmoid_()

    def positive(self, x: torch.Tensor) -> torch.Tensor:
        """-log p = softplus(-x)."""
        return F.softplus(-x)

    def positive_slope(self, x: torch.Tensor) -> torch.Tensor:
        """p - 1."""
        return -torch.sigmoid(-x)


def _power(x: torch.Tensor, exponent: float) -> torch.Tensor:
    """x ** exponent; torch is slow at the fourth power, which is the usual one."""
    return x.square().square_() if exponent == 4 else x**exponent


@dataclass(frozen=True, kw_only=True)
class Asymmetric:
    """Asymmetric loss (Ridnik et al., arXiv 2009.14119, section 2): easy classes count little, the easiest nothing.

    A positive costs -(1 - p)^gamma_positive log p; a negative -q^gamma_negative log(1 - q) with q = max(p - margin, 0).
    gamma_negative is at least 1, margin above 0.
    """

    gamma_positive: float
    gamma_negative: float
    margin: float

    def negative(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        q = x.sigmoid().sub_(self.margin).clamp_(min=0)
        return torch.log1p(-q).neg_().mul_(_power(q, self.gamma_negative))

    def negative_slope_(self, x: torch.Tensor) -> torch.Tensor:
        """q^(gamma-1) (q / (1 - q) - gamma log(1 - q)) p (1 - p)."""
        away = torch.sigmoid(-x)  # 1 - p, also where p is nearly 1
        p = x.sigmoid_()
        q = (p - self.margin).clamp_(min=0)
        slope = q / (away + self.margin) - self.gamma_negative * torch.log1p(-q)
        slope.mul_(q.pow_(self.gamma_negative - 1)).mul_(p).mul_(away)
        # Below the margin q is 0, and so is any power of it but the 0th.
        return slope if self.gamma_negative > 1 else slope.masked_fill_(p <= self.margin, 0)

    def positive(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return torch.sigmoid(-x) ** self.gamma_positive * F.softplus(-x)

    def positive_slope(self, x: torch.Tensor) -> torch.Tensor:
        """-(1 - p)^gamma ((1 - p) - gamma p log p)."""
        away = torch.sigmoid(-x)
        return -(away**self.gamma_positive) * (away + self.gamma_positive * torch.sigmoid(x) * F.softplus(-x))
