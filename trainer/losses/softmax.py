"""Softmax over all classes against the labels' shares, as SuperClass trains (arXiv 2411.03313).

Shapes: B samples, K classes, P positives.
"""

import torch

from trainer.losses import norms
from trainer.losses.positives import Positives


class Softmax:
    """Cross-entropy of the softmax against the labels: a `Normed` loss of one batch.

    A sample's labels share 1 in proportion to their classes' weights; a sample without labels costs nothing. like: the
    dtype and device of the logits' rectangles.
    """

    def __init__(
        self, num_samples: int, positives: Positives, weights_K: torch.Tensor | None, like: torch.Tensor
    ) -> None:
        self._rows_P = positives.rows_P
        columns_P = positives.columns_P
        # What is there once for each positive is float64: of a class that is nearly certain, share and softmax cancel.
        weights_P = (
            torch.ones_like(columns_P, dtype=torch.float64) if weights_K is None else weights_K[columns_P].double()
        )
        sums_B = torch.zeros(num_samples, dtype=torch.float64, device=like.device)
        sums_B.index_add_(0, self._rows_P, weights_P)
        self._shares_P = weights_P / sums_B[self._rows_P]
        self._labelled_B = sums_B > 0
        self._norm = norms.nothing(num_samples, like)

    def look(self, rows: slice, _columns: slice, x: torch.Tensor) -> None:
        """See `Normed`."""
        self._norm.add(rows, norms.over(x, 1))

    def settle(self, x_P: torch.Tensor) -> torch.Tensor:
        """See `Normed`."""
        rows_P = self._rows_P
        self._norm.add(slice(None), norms.by_group(x_P, rows_P, len(self._labelled_B)))
        self._factors_B = self._norm.factors(self._labelled_B.to(x_P.dtype))
        softmax_P = torch.exp(x_P.double() - self._norm.largest_G[rows_P]) / self._norm.sums_G[rows_P]
        self._slopes_P = softmax_P - self._shares_P
        return (self._shares_P * (self._norm.log()[rows_P] - x_P)).sum()

    def slopes_(self, rows: slice, _columns: slice, x: torch.Tensor) -> torch.Tensor:
        """See `Normed`."""
        return x.sub_(self._norm.largest_G[rows, None]).exp_().mul_(self._factors_B[rows, None])

    def positive_slopes(self) -> torch.Tensor:
        """See `Normed`."""
        return self._slopes_P
