"""Two-way multi-label loss (Kobayashi, CVPR 2023): positives against negatives, by sample and by class.

Shapes: B samples, K classes, P positives.
"""

import torch
import torch.nn.functional as F

from trainer.losses import norms
from trainer.losses.positives import Positives

# The paper's temperature of positives; that of negatives is 1.
_TEMPERATURE = 4.0


class TwoWay:
    """A `Normed` loss of one batch.

    Of each sample that has labels softplus(N + P), where N is the logsumexp of its negatives and P is that of its
    positives (negated, at temperature 4), summed; and the same of each class that occurs, over the samples of this
    batch, as a mean over those classes (times B, so that batches of parts add up). like: the dtype and device of the
    logits' rectangles.
    """

    def __init__(self, num_samples: int, num_classes: int, positives: Positives, like: torch.Tensor) -> None:
        self._positives = positives
        self._num_samples = num_samples
        self._by_row = norms.nothing(num_samples, like)
        self._by_column = norms.nothing(num_classes, like)

    def look(self, rows: slice, columns: slice, x: torch.Tensor) -> None:
        """See `Normed`."""
        self._by_row.add(rows, norms.over(x, 1))
        self._by_column.add(columns, norms.over(x, 0))

    def settle(self, x_P: torch.Tensor) -> torch.Tensor:
        """See `Normed`."""
        row_loss, row_slopes_B, row_pulls_P = _way(self._by_row, x_P, self._positives.rows_P)
        column_loss, column_slopes_K, column_pulls_P = _way(self._by_column, x_P, self._positives.columns_P)
        occurs_K = torch.zeros_like(self._by_column.sums_G).index_fill_(0, self._positives.columns_P, 1)
        weight = self._num_samples / occurs_K.sum().clamp_(min=1)
        self._slopes_P = -(row_pulls_P + column_pulls_P * weight)
        self._row_factors_B = self._by_row.factors(row_slopes_B)
        self._column_factors_K = self._by_column.factors((column_slopes_K * weight).to(x_P.dtype))
        return row_loss + column_loss * weight

    def slopes_(self, rows: slice, columns: slice, x: torch.Tensor) -> torch.Tensor:
        """See `Normed`."""
        by_column = (x - self._by_column.largest_G[columns]).exp_().mul_(self._column_factors_K[columns])
        return x.sub_(self._by_row.largest_G[rows, None]).exp_().mul_(self._row_factors_B[rows, None]).add_(by_column)

    def positive_slopes(self) -> torch.Tensor:
        """See `Normed`."""
        return self._slopes_P


def _way(
    negatives: norms.Norm, x_P: torch.Tensor, group_P: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One of the two ways: (loss, its derivative by each group's N + P, of that each positive's part)."""
    dtype = x_P.dtype
    pulls = norms.by_group(-x_P / _TEMPERATURE, group_P, len(negatives.sums_G))
    # Without positives there is nothing to tell apart, and softplus makes it cost 0.
    gap_G = torch.where(pulls.sums_G > 0, negatives.log() + _TEMPERATURE * pulls.log(), -torch.inf)
    slopes_G = gap_G.sigmoid().to(dtype)
    parts_P = torch.exp(-x_P / _TEMPERATURE - pulls.largest_G[group_P]) / pulls.sums_G[group_P].to(dtype)
    return F.softplus(gap_G).sum(), slopes_G, slopes_G[group_P] * parts_P
