"""A linear head gone through in pieces of its classes: their logits, and what their slopes add to the gradients.

Shapes: B samples, D features, K classes, P positives; V classes of a piece.
"""

from collections.abc import Iterator
from typing import TypeAlias

import torch

from trainer.losses.positives import Positives, wide

# Classes of a piece: enough for products at full speed, and little beside the gradient of the head's weight.
_CPU_PIECE = 512
GPU_PIECE = 8_192

# (rows, columns of the piece) at which the positives stand, each int64 [P]
Places: TypeAlias = tuple[torch.Tensor, torch.Tensor]


class Pieces:
    """features · weightᵀ + bias in pieces. gradients: of features (at least float32), weight and bias, if asked for."""

    def __init__(
        self,
        h_BD: torch.Tensor,
        weight_KD: torch.Tensor,
        bias_K: torch.Tensor,
        positives: Positives,
        *,
        with_gradients: bool,
    ) -> None:
        self.with_gradients = with_gradients
        self._h_BD, self._weight_KD, self._bias_K, self._positives = h_BD, weight_KD, bias_K, positives
        self._dtype = wide(h_BD.dtype)
        self.gradients = (
            # The features' are summed over all pieces; each class is in one piece.
            torch.zeros_like(h_BD, dtype=self._dtype),
            torch.empty_like(weight_KD),
            torch.empty_like(bias_K),
        )

    def slices(self) -> Iterator[slice]:
        """The classes of one piece after the other."""
        size = _CPU_PIECE if self._h_BD.device.type == "cpu" else GPU_PIECE
        for first in range(0, len(self._weight_KD), size):
            yield slice(first, min(first + size, len(self._weight_KD)))

    def zero(self) -> torch.Tensor:
        """A scalar to sum up in, float64."""
        return self._h_BD.new_zeros((), dtype=torch.float64)

    def no_logits(self) -> torch.Tensor:
        """[P], zeros, at least float32: a place for the logits of all positives."""
        return self._h_BD.new_zeros(len(self._positives.rows_P), dtype=self._dtype)

    def logits(self, piece: slice) -> tuple[torch.Tensor, Places, torch.Tensor]:
        """(logits [B, V], places of the positives, which of these are in this piece [P]).

        How many are is not known on the host: the others are looked up anywhere, and whoever adds them up takes 0.
        """
        h_BD, (rows_P, columns_P) = self._h_BD, self._positives
        w_VD = self._weight_KD[piece].to(h_BD.dtype)
        x_BV = torch.addmm(self._bias_K[piece].to(h_BD.dtype), h_BD, w_VD.T).to(self._dtype)
        inside_P = (columns_P >= piece.start) & (columns_P < piece.stop)
        return x_BV, (rows_P, (columns_P - piece.start).clamp(0, len(w_VD) - 1)), inside_P

    def hide_(self, x_BV: torch.Tensor, at: Places, inside_P: torch.Tensor) -> torch.Tensor:
        """The logits, [B, V], those of the positives in the piece now -inf."""
        # Added: where a positive of another piece is looked up, a negative's logit stands, and must stay.
        return x_BV.index_put_(at, torch.where(inside_P, -torch.inf, 0).to(x_BV.dtype), accumulate=True)

    def add(self, piece: slice, slopes_BV: torch.Tensor) -> None:
        """Let the gradients have what the loss's slopes by a piece's logits make of them."""
        grad_h_BD, grad_weight_KD, grad_bias_K = self.gradients
        h_BD = self._h_BD
        torch.sum(slopes_BV, 0, dtype=grad_bias_K.dtype, out=grad_bias_K[piece])
        slopes_BV = slopes_BV.to(h_BD.dtype)
        _product_into(grad_weight_KD[piece], slopes_BV.T, h_BD)
        _add_product(grad_h_BD, slopes_BV, self._weight_KD[piece].to(h_BD.dtype))


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
