"""Sums of exponentials as pairs (largest, sum by the largest), so that large logits and small losses keep their digits.

A logsumexp of 100 in float32 is right to 4e-6 only, and so would be every probability that is taken from it; and of a
class that is nearly certain, the sum is 1 and a little, which float32 cuts off.

Shapes: B samples, K classes, P positives, G groups (B or K).
"""

from typing import NamedTuple

import torch


class Norm(NamedTuple):
    """Σ exp(x) = sums (float64) · exp(largest) of each group, both [G]; an empty group's sum is 0."""

    largest_G: torch.Tensor
    sums_G: torch.Tensor

    def log(self) -> torch.Tensor:
        """float64 [G]: the logsumexp, -inf of an empty group."""
        return self.largest_G.double() + self.sums_G.log()

    def add(self, groups: slice, other: "Norm") -> None:
        """Let some groups have `other` in them, too."""
        mine = Norm(self.largest_G[groups], self.sums_G[groups])
        largest = torch.maximum(mine.largest_G, other.largest_G)
        sums = mine.sums_G * (mine.largest_G - largest).exp() + other.sums_G * (other.largest_G - largest).exp()
        self.largest_G[groups], self.sums_G[groups] = largest, sums

    def factors(self, slopes_G: torch.Tensor) -> torch.Tensor:
        """[G]: what exp(x - largest) is to be multiplied with for slopes · exp(x) / Σ exp; 0 if both are 0."""
        # A sum has exp(largest - largest) in it: below 1 are those of empty groups alone.
        return slopes_G / self.sums_G.clamp(min=1).to(slopes_G.dtype)


def over(x_BK: torch.Tensor, dim: int) -> Norm:
    """The norm of each row (dim 1) or column (dim 0)."""
    largest = x_BK.amax(dim).clamp_(min=torch.finfo(x_BK.dtype).min)  # finite, where all is -inf
    return Norm(largest, (x_BK - largest.unsqueeze(dim)).exp_().sum(dim, dtype=torch.float64))


def nothing(num_groups: int, like: torch.Tensor) -> Norm:
    """The norm of G empty groups, of the dtype and on the device of `like`, a tensor of any shape."""
    lowest = like.new_full((num_groups,), torch.finfo(like.dtype).min)
    return Norm(lowest, torch.zeros_like(lowest, dtype=torch.float64))


def by_group(values_P: torch.Tensor, group_P: torch.Tensor, num_groups: int) -> Norm:
    """The norm of each group's values."""
    largest, zeros = nothing(num_groups, values_P)
    largest = largest.scatter_reduce(0, group_P, values_P, "amax")
    return Norm(largest, zeros.index_add(0, group_P, torch.exp(values_P - largest[group_P]).double()))
