"""Linear heads on frozen features: as many as there are learning rates to try, trained at once.

Shapes: N pictures, D features, K classes, L heads, B pictures of a batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

_EVAL_BATCH = 4096


@dataclass(frozen=True, kw_only=True)
class LabelledFeatures:
    """Features of readable pictures and their classes.

    features_ND: float16. class_ids: int64 [N]. broken: how many pictures were left out.
    """

    features_ND: np.ndarray
    class_ids: np.ndarray
    broken: int = 0

    @classmethod
    def of(cls, features_ND: np.ndarray, class_ids: np.ndarray) -> "LabelledFeatures":
        """A split's features without the rows of broken pictures, which are NaN."""
        bad = np.isnan(np.asarray(features_ND[:, 0]))
        if not bad.any():
            return cls(features_ND=features_ND, class_ids=class_ids)
        return cls(features_ND=features_ND[~bad], class_ids=class_ids[~bad], broken=int(bad.sum()))

    def part(self, rows: np.ndarray) -> "LabelledFeatures":
        """The samples in `rows` (int64)."""
        return LabelledFeatures(features_ND=self.features_ND[rows], class_ids=self.class_ids[rows])


@dataclass(frozen=True, kw_only=True)
class Heads:
    """L linear classifiers over standardised features. mean_D, std_D, weight_LDK, bias_LK: float32."""

    mean_D: torch.Tensor
    std_D: torch.Tensor
    weight_LDK: torch.Tensor
    bias_LK: torch.Tensor

    @torch.inference_mode()
    def accuracies(self, split: LabelledFeatures) -> list[tuple[float, float]]:
        """(top-1, top-5) of each head; with fewer than five classes, top-5 is 1."""
        hits_L2 = torch.zeros((len(self.bias_LK), 2), dtype=torch.int64, device=self.bias_LK.device)
        for start in range(0, len(split.class_ids), _EVAL_BATCH):
            x_BD = _standardised(split.features_ND[start : start + _EVAL_BATCH], self.mean_D, self.std_D)
            logits_LBK = torch.einsum("bd,ldk->lbk", x_BD, self.weight_LDK) + self.bias_LK[:, None]
            top_LB5 = logits_LBK.topk(min(5, logits_LBK.shape[-1]), dim=-1).indices
            y_B = torch.from_numpy(split.class_ids[start : start + _EVAL_BATCH]).to(top_LB5.device)
            right_LB5 = top_LB5 == y_B[:, None]
            hits_L2 += torch.stack([right_LB5[..., 0].sum(1), right_LB5.sum((1, 2))], dim=1)
        shares: list[list[float]] = (hits_L2 / len(split.class_ids)).tolist()
        return [(top1, top5) for top1, top5 in shares]


def fit(
    split: LabelledFeatures,
    num_classes: int,
    rates: Sequence[float],
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    device: torch.device,
) -> Heads:
    """One head for each learning rate: AdamW without weight decay, cosine to 0.

    Heads start at 0: the problem is convex. All see the same batches, and none feels another one's gradient.
    """
    mean_D, std_D = (moment.to(device) for moment in _moments(split.features_ND))
    num_rows, num_features = split.features_ND.shape
    weights: list[torch.Tensor] = [nn.Parameter(torch.zeros(num_features, num_classes, device=device)) for _ in rates]
    biases: list[torch.Tensor] = [nn.Parameter(torch.zeros(num_classes, device=device)) for _ in rates]
    groups = [{"params": pair, "lr": lr} for *pair, lr in zip(weights, biases, rates, strict=True)]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0, fused=True)
    num_steps = epochs * math.ceil(num_rows / batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(num_rows)
        for start in range(0, num_rows, batch_size):
            rows = order[start : start + batch_size]
            x_BD = _standardised(split.features_ND[rows], mean_D, std_D)
            y_B = torch.from_numpy(split.class_ids[rows]).to(device)
            logits_LBK = torch.einsum("bd,ldk->lbk", x_BD, torch.stack(weights)) + torch.stack(biases)[:, None]
            loss = F.cross_entropy(logits_LBK.flatten(0, 1), y_B.repeat(len(rates)), reduction="sum") / len(rows)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return Heads(
        mean_D=mean_D, std_D=std_D, weight_LDK=torch.stack(weights).detach(), bias_LK=torch.stack(biases).detach()
    )


def _moments(features_ND: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each feature, float32 [D], summed in float64 and in pieces."""
    total_D = np.zeros(features_ND.shape[1])
    squares_D = np.zeros(features_ND.shape[1])
    for start in range(0, len(features_ND), _EVAL_BATCH):
        x_BD = features_ND[start : start + _EVAL_BATCH].astype(np.float64)
        total_D += x_BD.sum(0)
        squares_D += (x_BD**2).sum(0)
    mean_D = total_D / len(features_ND)
    std_D = np.sqrt(np.maximum(squares_D / len(features_ND) - mean_D**2, 0))
    std_D[std_D < 1e-6] = 1.0  # a feature that never changes tells nothing, and must not become infinite
    return torch.from_numpy(mean_D).float(), torch.from_numpy(std_D).float()


def _standardised(features_BD: np.ndarray, mean_D: torch.Tensor, std_D: torch.Tensor) -> torch.Tensor:
    # Copied: a table mapped from a file is read-only, which torch cannot express.
    return (torch.from_numpy(np.array(features_BD)).to(mean_D.device).float() - mean_D) / std_D
