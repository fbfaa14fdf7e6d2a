"""Linear heads on frozen features: one for each learning rate and each choice of features, trained at once.

Shapes: N pictures, D features, K classes, L learning rates, B pictures of a batch. A view is a list of column ranges.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from trainer.probes import accuracy
from trainer.probes.examples import Examples, Moments
from trainer.probes.plans import Tick

_EVAL_BATCH = 4096

View = tuple[tuple[int, int], ...]


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """How heads are trained: without weight decay, on a cosine from each rate to `final_rate`.

    standardise: features have mean 0 and variance 1, as on the training pictures. init_std: of the first weights (0:
    all are 0, which decides nothing, as the problem is convex).
    """

    optimizer: Literal["adamw", "sgd"]
    rates: tuple[float, ...]
    epochs: int
    batch_size: int
    standardise: bool
    final_rate: float = 0.0
    init_std: float = 0.0
    momentum: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Heads:
    """L classifiers for each view. weights: float32 [L, D of the view, K]; biases: float32 [L, K]. Head v · L + l is
    the l-th rate's on the v-th view."""

    moments: Moments | None
    views: tuple[View, ...]
    weights: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]

    @torch.inference_mode()
    def ranked(self, examples: Examples) -> list[np.ndarray]:
        """For each head int64 [N, up to 5]: the likeliest classes."""
        pieces: list[list[torch.Tensor]] = []
        for start in range(0, len(examples), _EVAL_BATCH):
            x_BD = _prepared(examples, slice(start, start + _EVAL_BATCH), self.moments, self.biases[0].device)
            logits = [
                torch.einsum("bd,ldk->lbk", _seen(x_BD, view), weight_LDK) + bias_LK[:, None]
                for view, weight_LDK, bias_LK in zip(self.views, self.weights, self.biases, strict=True)
            ]
            pieces.append([accuracy.rank(head_BK) for view_LBK in logits for head_BK in view_LBK])
        return [torch.cat(head).numpy() for head in zip(*pieces, strict=True)]


def fit(
    examples: Examples,
    num_classes: int,
    training: Training,
    views: Sequence[View],
    seed: int,
    device: torch.device,
    tick: Tick,
) -> Heads:
    """All heads, on the same batches; none feels another one's gradient. tick(steps done, steps)."""
    moments = Moments.of(examples) if training.standardise else None
    torch_rng = torch.Generator().manual_seed(seed)
    groups = []
    for view in views:
        width = sum(stop - start for start, stop in view)
        for rate in training.rates:
            weight_DK = torch.randn(width, num_classes, generator=torch_rng) * training.init_std
            pair: list[torch.Tensor] = [
                nn.Parameter(weight_DK.to(device)),
                nn.Parameter(torch.zeros(num_classes, device=device)),
            ]
            groups.append({"params": pair, "lr": rate})
    optimizer: torch.optim.Optimizer = (
        torch.optim.AdamW(groups, weight_decay=0.0, fused=True)
        if training.optimizer == "adamw"
        else torch.optim.SGD(groups, momentum=training.momentum, weight_decay=0.0, fused=True)
    )
    num_steps = training.epochs * math.ceil(len(examples) / training.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps, training.final_rate)
    rng = np.random.default_rng(seed)
    targets = torch.from_numpy(examples.class_ids)
    done = 0
    for _ in range(training.epochs):
        order = rng.permutation(len(examples))
        for start in range(0, len(examples), training.batch_size):
            batch = order[start : start + training.batch_size]
            x_BD = _prepared(examples, batch, moments, device)
            y_B = targets[batch].to(device)
            weights, biases = _stacked(groups, len(views))
            losses = [
                _summed_loss(_seen(x_BD, view), weight_LDK, bias_LK, y_B)
                for view, weight_LDK, bias_LK in zip(views, weights, biases, strict=True)
            ]
            optimizer.zero_grad()
            (torch.stack(losses).sum() / len(batch)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            done += 1
            tick(done, num_steps)
    weights, biases = _stacked(groups, len(views))
    return Heads(
        moments=moments,
        views=tuple(views),
        weights=tuple(each.detach() for each in weights),
        biases=tuple(each.detach() for each in biases),
    )


def whole(width: int) -> View:
    """The view of all features."""
    return ((0, width),)


def _summed_loss(
    x_BD: torch.Tensor, weight_LDK: torch.Tensor, bias_LK: torch.Tensor, y_B: torch.Tensor
) -> torch.Tensor:
    logits_LBK = torch.einsum("bd,ldk->lbk", x_BD, weight_LDK) + bias_LK[:, None]
    return F.cross_entropy(logits_LBK.flatten(0, 1), y_B.repeat(len(weight_LDK)), reduction="sum")


def _stacked(groups: Sequence[dict[str, object]], num_views: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    pairs: list[list[torch.Tensor]] = [list(group["params"]) for group in groups]  # type: ignore[call-overload]
    size = len(pairs) // num_views
    by_view = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return (
        [torch.stack([weight for weight, _ in view]) for view in by_view],
        [torch.stack([bias for _, bias in view]) for view in by_view],
    )


def _prepared(
    examples: Examples, which: np.ndarray | slice, moments: Moments | None, device: torch.device
) -> torch.Tensor:
    x_BD = examples.features(which)
    return ((x_BD - moments.mean_D) / moments.std_D if moments else x_BD).to(device)


def _seen(x_BD: torch.Tensor, view: View) -> torch.Tensor:
    parts = [x_BD[:, start:stop] for start, stop in view]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
