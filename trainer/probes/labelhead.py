"""The label head as a classifier of other classes: the rows of a vocabulary stand for the classes of some data.

Shapes: B pictures, D features, K classes of the vocabulary, C classes of the data, M matches of a class.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from labelshards.errors import CatlipError
from labelshards.matching import HYPERNYM, SIMILAR, Match
from labelshards.vocabulary import Vocabulary
from trainer.opening import Opened


@dataclass(frozen=True, kw_only=True)
class LabelHead:
    """A trained classifier. weight_KD, bias_K: float32 on the CPU. log_support_K: of each class's frequency."""

    weight_KD: torch.Tensor
    bias_K: torch.Tensor
    log_support_K: torch.Tensor

    @classmethod
    def of(cls, model: nn.Module, vocabulary: Vocabulary) -> "LabelHead":
        """The head of an encoder whose classes a vocabulary names. Raises CatlipError if they do not fit."""
        found = model.get_classifier()  # type: ignore[operator]
        if not isinstance(found, nn.Linear) or found.out_features != len(vocabulary):
            raise CatlipError(f"The encoder has no linear head over the {len(vocabulary):,} classes of its vocabulary.")
        weight_KD = found.weight.detach().float().cpu()
        bias_K = found.bias.detach().float().cpu() if found.bias is not None else torch.zeros(len(weight_KD))
        support_K = torch.from_numpy(vocabulary.support.copy()).double().clamp(min=1)  # Arrow's own memory is read-only
        return cls(weight_KD=weight_KD, bias_K=bias_K, log_support_K=support_K.log().float())

    def scores(self, features_BD: torch.Tensor, matches: Sequence[Match], *, by_frequency: bool) -> torch.Tensor:
        """float32 [B, C]: how likely each class of the data is, for ranking; -inf where nothing stands for it.

        A class has the odds of all that stand for it together, log sum exp of their logits: it is there if any of them
        is. What stands for more than the class, or beside it, has its odds times the similarity. Without
        `by_frequency` the odds are divided by how frequent those classes are in training, together, so that a class
        is not likely because it was frequent.
        """
        scores_BC = torch.full((len(features_BD), len(matches)), -math.inf)
        for c, match in enumerate(matches):
            if not match.class_ids:
                continue
            logits_BM = features_BD @ self.weight_KD[match.class_ids].T + self.bias_K[match.class_ids]
            scores_BC[:, c] = logits_BM.logsumexp(1)
            if match.kind in (HYPERNYM, SIMILAR):
                scores_BC[:, c] += math.log(match.similarity)
            if not by_frequency:
                scores_BC[:, c] -= self.log_support_K[match.class_ids].logsumexp(0)
        return scores_BC


def label_head(opened: Opened, task: str) -> tuple[LabelHead, Vocabulary]:
    """The head of a model that has one. Raises CatlipError if nobody says what its classes mean."""
    if opened.vocabulary is None:
        raise CatlipError(
            f"{opened.facts.name} has no vocabulary that says what its head's classes are; {task} needs one. It takes "
            "a run of `catlip train`, or a folder exported from one."
        )
    return LabelHead.of(opened.encoder.model, opened.vocabulary), opened.vocabulary
