"""Logistic regression to convergence, its L2 penalty swept, as CLIP's linear probe does it.

Shapes: N pictures, D features, K classes, B pictures of a piece.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from trainer.probes import accuracy
from trainer.probes.examples import Examples, Moments
from trainer.probes.probe import Tick

# Powers of ten at first, then eight steps a power between the neighbours of the best: CLIP's 96 values, by bisection.
_COARSE = tuple(range(-48, 49, 16))
_STEPS_PER_POWER = 8
_MAX_ITERATIONS = 1000
_TOLERANCE = 1e-6
_PIECE = 16384

SETTINGS: dict[str, Any] = {
    "penalty": "lambda / 2 * |W|^2 beside the mean loss; the intercept is free",
    "lambdas": "10^(-6 ... 6), 8 a power, by bisection",
    "features": "centred, divided by their root mean square",
    "max_iterations": _MAX_ITERATIONS,
}


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """A classifier. mean_D, weight_DK, bias_K: float32; features are (x - mean) / scale."""

    mean_D: torch.Tensor
    scale: float
    weight_DK: torch.Tensor
    bias_K: torch.Tensor

    def ranked(self, examples: Examples) -> np.ndarray:
        """int64 [N, up to 5]: the likeliest classes."""
        pieces = []
        for start in range(0, len(examples), _PIECE):
            x_BD = examples.features(slice(start, start + _PIECE)).to(self.weight_DK.device)
            pieces.append(accuracy.rank((x_BD - self.mean_D) / self.scale @ self.weight_DK + self.bias_K))
        return torch.cat(pieces).numpy()


def classify(
    inner: Examples,
    outer: Examples,
    train: Examples,
    test: Examples,
    num_classes: int,
    device: torch.device,
    tick: Tick,
) -> tuple[np.ndarray, dict[str, str]]:
    """(ranked classes of the test pictures, int64 [N, up to 5]; what was chosen: the penalty best on `outer`)."""
    right: dict[int, float] = {}
    found: dict[int, Logistic] = {}
    spacing = _COARSE[1] - _COARSE[0]
    num_fits = len(_COARSE) + 2 * int(np.log2(spacing)) + 1

    def look(power: int) -> None:
        if power in right or not _COARSE[0] <= power <= _COARSE[-1]:
            return
        near = min(found, key=lambda other: abs(other - power)) if found else None
        found[power] = fit(inner, num_classes, _strength(power), device, found[near] if near is not None else None)
        right[power] = float(np.mean(found[power].ranked(outer)[:, 0] == outer.class_ids))
        tick(len(right), num_fits)

    for power in reversed(_COARSE):  # from the strongest penalty on: its minimum is near 0, and the next one's near it
        look(power)
    while spacing > 1:
        spacing //= 2
        best = max(right, key=lambda power: (right[power], power))
        for power in (best - spacing, best + spacing):
            look(power)
    best = max(right, key=lambda power: (right[power], power))
    final = fit(train, num_classes, _strength(best), device, found[best])
    tick(num_fits, num_fits)
    return final.ranked(test), {"lambda": f"{_strength(best):.2g}", "held-out top-1": f"{right[best]:.1%}"}


def fit(
    examples: Examples, num_classes: int, strength: float, device: torch.device, start: Logistic | None = None
) -> Logistic:
    """Minimise mean cross-entropy + strength / 2 · |W|² by L-BFGS, from 0 or from another classifier's weights.

    The optimiser moves coordinates in which the loss curves about alike in all directions (`_Coordinates`): the minimum
    is the same, and takes tens of steps where W itself would take a thousand.
    """
    moments = Moments.of(examples)
    mean_D, scale = moments.mean_D.to(device), moments.scale
    targets = torch.from_numpy(examples.class_ids)
    pieces = [slice(first, first + _PIECE) for first in range(0, len(examples), _PIECE)]

    def prepared(piece: slice | np.ndarray) -> torch.Tensor:
        return (examples.features(piece).to(device) - mean_D) / scale

    kept = prepared(pieces[0]) if len(pieces) == 1 else None
    sample = np.linspace(0, len(examples) - 1, min(len(examples), _PIECE)).astype(np.int64)
    coordinates = _Coordinates.of(kept if kept is not None else prepared(sample), num_classes, strength)
    moved_DK = torch.zeros(examples.width, num_classes, device=device)
    bias_K = torch.zeros(num_classes, device=device)
    if start is not None:
        moved_DK, bias_K = coordinates.inverse_DD @ start.weight_DK, start.bias_K.clone()  # it is moved in place
    optimizer = torch.optim.LBFGS(
        [moved_DK.requires_grad_(), bias_K.requires_grad_()],
        max_iter=_MAX_ITERATIONS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=1e-9,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        # The graph ends at W: so pieces go backward one by one, and the last product is made once, by hand.
        weight_DK = (coordinates.basis_DD @ moved_DK).detach().requires_grad_()
        total = strength / 2 * (weight_DK**2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        value = total.detach()
        for piece in pieces:
            x_BD = kept if kept is not None else prepared(piece)
            part = F.cross_entropy(x_BD @ weight_DK + bias_K, targets[piece].to(device), reduction="sum") / len(
                examples
            )
            part.backward()  # type: ignore[no-untyped-call]
            value = value + part.detach()
        assert weight_DK.grad is not None, "the penalty has one"
        moved_DK.grad = coordinates.basis_DD.T @ weight_DK.grad
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    weight_DK = coordinates.basis_DD @ moved_DK.detach()
    return Logistic(mean_D=mean_D, scale=scale, weight_DK=weight_DK, bias_K=bias_K.detach())


@dataclass(frozen=True, kw_only=True)
class _Coordinates:
    """W = basis · U. inverse_DD: U = inverse · W. Both float32."""

    basis_DD: torch.Tensor
    inverse_DD: torch.Tensor

    @classmethod
    def of(cls, x_BD: torch.Tensor, num_classes: int, strength: float) -> "_Coordinates":
        """Those in which the Hessian at W = 0, covariance / K + strength, is the identity. x_BD: centred features."""
        variance_D, directions_DD = torch.linalg.eigh((x_BD.T @ x_BD).double() / len(x_BD))
        root_D = (variance_D.clamp(min=0) / num_classes + strength).sqrt()
        return cls(basis_DD=(directions_DD / root_D).float(), inverse_DD=(directions_DD * root_D).T.float())


def _strength(power: int) -> float:
    return float(10 ** (power / _STEPS_PER_POWER))
