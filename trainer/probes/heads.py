"""Linear heads on frozen features: one for each learning rate and each choice of features, trained at once.

Shapes: N pictures, D features, K classes, L learning rates, B pictures of a batch. A view is a list of column ranges.
Targets are int64 [B], the class of each picture (cross-entropy), or float [B, K], a yes or no for each (BCE).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from trainer.probes import accuracy
from trainer.probes.examples import Examples, Features, Moments
from trainer.probes.probe import Tick
from trainer.probes.updates import Training, Updates

_EVAL_BATCH = 4096

View = tuple[tuple[int, int], ...]
# Places in the features (int64 [B]) → targets.
Targets = Callable[[np.ndarray], torch.Tensor]
# (weight [K, D], bias [K]) on features as they are, all of them.
Start = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Heads:
    """L classifiers for each view. weights: float32 [L, D of the view, K]; biases: float32 [L, K]. Head v · L + l is
    the l-th rate's on the v-th view."""

    moments: Moments | None
    views: tuple[View, ...]
    weights: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]

    def __len__(self) -> int:
        return sum(len(bias_LK) for bias_LK in self.biases)

    @torch.inference_mode()
    def ranked(self, features: Features) -> list[np.ndarray]:
        """For each head int64 [N, up to 5]: the likeliest classes."""
        return self._of_each(features, slice(None), accuracy.rank)

    @torch.inference_mode()
    def logits(self, features: Features, classes: slice) -> list[np.ndarray]:
        """For each head float32 [N, classes]."""
        return self._of_each(features, classes, torch.Tensor.cpu)

    def _of_each(
        self, features: Features, classes: slice, what: Callable[[torch.Tensor], torch.Tensor]
    ) -> list[np.ndarray]:
        pieces: list[list[torch.Tensor]] = []
        for start in range(0, len(features), _EVAL_BATCH):
            x_BD = _prepared(features, slice(start, start + _EVAL_BATCH), self.moments, self.biases[0].device)
            logits = [
                torch.einsum("bd,ldk->lbk", _seen(x_BD, view), weight_LDK[..., classes]) + bias_LK[:, None, classes]
                for view, weight_LDK, bias_LK in zip(self.views, self.weights, self.biases, strict=True)
            ]
            pieces.append([what(head_BK) for view_LBK in logits for head_BK in view_LBK])
        return [torch.cat(head).numpy() for head in zip(*pieces, strict=True)]


def classes_of(examples: Examples) -> Targets:
    """The class of each picture."""
    class_ids = torch.from_numpy(examples.class_ids)
    return lambda batch: class_ids[batch]


def fit(
    features: Features,
    targets: Targets,
    num_classes: int,
    training: Training,
    views: Sequence[View],
    seed: int,
    device: torch.device,
    tick: Tick,
    start: Start | None = None,
) -> Heads:
    """All heads, on the same batches; none feels another one's gradient. tick(steps done, steps).

    start: what all of them begin with, if not with training.init_std.
    """
    moments = Moments.of(features) if training.standardise else None
    torch_rng = torch.Generator().manual_seed(seed)
    num_heads = len(training.rates)
    weights, biases = [], []
    for view in views:
        width = sum(stop - start for start, stop in view)
        firsts = [torch.randn(width, num_classes, generator=torch_rng) * training.init_std for _ in training.rates]
        bias_K = torch.zeros(num_classes)
        if start is not None:
            weight_DK, bias_K = _first(start, moments)
            firsts = [weight_DK] * num_heads
        weights.append(torch.stack(firsts, dim=1).to(device).requires_grad_())
        biases.append(bias_K.repeat(num_heads, 1).to(device).requires_grad_())
    updates = Updates(training, [*weights, *biases])
    num_steps = training.epochs * math.ceil(len(features) / training.batch_size)
    rng = np.random.default_rng(seed)
    done = 0
    for _ in range(training.epochs):
        order = rng.permutation(len(features))
        for first_of_batch in range(0, len(features), training.batch_size):
            batch = order[first_of_batch : first_of_batch + training.batch_size]
            x_BD = _prepared(features, batch, moments, device)
            y = targets(batch).to(device)
            losses = [
                _summed_loss(_seen(x_BD, view), weight_DLK, bias_LK, y)
                for view, weight_DLK, bias_LK in zip(views, weights, biases, strict=True)
            ]
            # A sum, not a mean over heads: each keeps the gradient that it would have alone.
            (torch.stack(losses).sum() / len(batch)).backward()  # type: ignore[no-untyped-call]
            updates.step(done / num_steps)
            done += 1
            tick(done, num_steps)
    return Heads(
        moments=moments,
        views=tuple(views),
        weights=tuple(each.detach().transpose(0, 1) for each in weights),
        biases=tuple(each.detach() for each in biases),
    )


def whole(width: int) -> View:
    """The view of all features."""
    return ((0, width),)


def _summed_loss(x_BD: torch.Tensor, weight_DLK: torch.Tensor, bias_LK: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    num_heads, num_classes = bias_LK.shape
    # All rates in one product, for which the rates stand beside the classes.
    logits_BLK = torch.addmm(bias_LK.flatten(), x_BD, weight_DLK.flatten(1)).view(-1, num_heads, num_classes)
    if y.ndim == 2:
        return F.binary_cross_entropy_with_logits(logits_BLK, y[:, None].expand_as(logits_BLK), reduction="sum")
    return F.cross_entropy(logits_BLK.flatten(0, 1), y.repeat_interleave(num_heads), reduction="sum")


def _first(start: Start, moments: Moments | None) -> tuple[torch.Tensor, torch.Tensor]:
    """(weight [D, K], bias [K]) of the same classifier on features as heads see them."""
    weight_DK, bias_K = start[0].T, start[1]
    if moments is None:
        return weight_DK, bias_K
    return weight_DK * moments.std_D[:, None], bias_K + moments.mean_D @ weight_DK  # x W = (z · std + mean) W


def _prepared(
    features: Features, which: np.ndarray | slice, moments: Moments | None, device: torch.device
) -> torch.Tensor:
    x_BD = features.features(which)
    return ((x_BD - moments.mean_D) / moments.std_D if moments else x_BD).to(device)


def _seen(x_BD: torch.Tensor, view: View) -> torch.Tensor:
    parts = [x_BD[:, start:stop] for start, stop in view]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
