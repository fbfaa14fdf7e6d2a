"""Which loss a run has: the recipe's `[loss]`, and what becomes of it over a vocabulary.

Shapes: B samples, D features, K classes.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
import torch
from torch import nn

from labelshards.errors import CatlipError
from trainer.losses.fused import fused_normed_loss, fused_separable_loss
from trainer.losses.normed import Normed, normed_loss
from trainer.losses.positives import Positives, wide
from trainer.losses.separable import separable_loss
from trainer.losses.softmax import Softmax
from trainer.losses.terms import Asymmetric, BinaryCrossEntropy, Terms
from trainer.losses.two_way import TwoWay

# A class in every picture or in none would start at an infinite logit.
_MIN_PRIOR, _MAX_PRIOR = 1e-9, 0.99


class LossConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[loss]`: what a step minimises. docs/training.md compares them.

    kind: binary cross-entropy summed over the classes, as in the paper; softmax, as in SuperClass; asymmetric (ASL);
    or two-way. class_weights: "idf" lets rare classes count more. fused: head and loss in one, without logits, which
    takes less memory. gamma_positive, gamma_negative, margin: of the asymmetric loss.
    """

    kind: Literal["bce", "softmax", "asymmetric", "two-way"] = "bce"
    class_weights: Literal["none", "idf"] = "none"
    fused: bool = False
    gamma_positive: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    gamma_negative: Annotated[float, msgspec.Meta(ge=1)] = 4.0
    margin: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.05

    def terms(self) -> Terms | None:
        """The terms of a loss that is separable."""
        if self.kind == "asymmetric":
            return Asymmetric(
                gamma_positive=self.gamma_positive, gamma_negative=self.gamma_negative, margin=self.margin
            )
        return BinaryCrossEntropy() if self.kind == "bce" else None

    def check(self) -> None:
        """Raise CatlipError if two settings do not go together."""
        if self.class_weights != "none" and self.kind == "two-way":
            raise CatlipError("The two-way loss has no class weights. Try --set loss.class_weights=none.")


def idf(prior_K: np.ndarray) -> np.ndarray:
    """float64 [K]: log(1 / prior) of each class (as in SuperClass), so scaled that a label weighs 1 on average."""
    weights: np.ndarray = -np.log(prior_K.clip(_MIN_PRIOR, _MAX_PRIOR))
    total = prior_K.sum()
    return weights / ((weights * prior_K).sum() / total) if total else weights


def initial_bias(config: LossConfig, prior_K: np.ndarray) -> np.ndarray:
    """float64 [K]: the head's bias with which it predicts `prior_K`, the classes' frequencies, for any picture."""
    p = prior_K.clip(_MIN_PRIOR, _MAX_PRIOR)
    bias: np.ndarray = np.log(p) if config.kind == "softmax" else np.log(p) - np.log1p(-p)
    return bias


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss over a head. weights_K: float32 on the head's device, or None for equal ones."""

    config: LossConfig
    weights_K: torch.Tensor | None

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def __call__(
        self, features_BD: torch.Tensor, head: nn.Linear, positives: Positives, mean_over: float
    ) -> torch.Tensor:
        """Scalar, at least float32: summed over the batch, divided by `mean_over`.

        A compiled model stops before it: its gradient is written by hand, and a compiler finds nothing to gain in it.
        """
        terms = self.config.terms()
        if self.config.fused:
            if terms is not None:
                return fused_separable_loss(features_BD, head, positives, terms, self.weights_K, mean_over)
            return fused_normed_loss(
                features_BD, head, positives, self._normed(features_BD, head.out_features, positives), mean_over
            )
        logits_BK = head(features_BD)
        # A sum over tens of thousands of classes needs more digits than the head's product.
        with torch.autocast(logits_BK.device.type, enabled=False):
            if terms is not None:
                return separable_loss(logits_BK, positives, terms, self.weights_K, mean_over)
            return normed_loss(logits_BK, positives, self._normed(logits_BK, logits_BK.shape[1], positives), mean_over)

    def _normed(self, of: torch.Tensor, num_classes: int, positives: Positives) -> Normed:
        """The loss of a batch that needs sums over rows or columns."""
        like = of.new_empty(0, dtype=wide(of.dtype))
        if self.config.kind == "softmax":
            return Softmax(len(of), positives, self.weights_K, like)
        return TwoWay(len(of), num_classes, positives, like)
