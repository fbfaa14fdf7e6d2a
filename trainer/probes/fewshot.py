"""Few shots: ridge regression in closed form on some pictures of each class, for many L2 penalties at once.

Shapes: N pictures, D features, K classes, R singular values, P penalties.
"""

from dataclasses import dataclass

import numpy as np
import torch

from trainer.probes import accuracy
from trainer.probes.examples import Examples, Moments, shots
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick

SHOTS = (1, 5, 10, 25)
PENALTIES = tuple(2.0**power for power in range(-10, 21, 2))
_EVAL_BATCH = 4096


@dataclass(frozen=True, kw_only=True)
class Ridge:
    """Least squares on targets of 1 for the class and -1 for the others, the intercept free, by one decomposition.

    All float64 on the CPU. mean_D of the features, target_K of the targets; x - mean = U S V; projected_RK is
    U' (y - target).
    """

    mean_D: torch.Tensor
    target_K: torch.Tensor
    left_NR: torch.Tensor
    singular_R: torch.Tensor
    right_RD: torch.Tensor
    projected_RK: torch.Tensor
    targets_NK: torch.Tensor

    @classmethod
    def of(cls, x_ND: torch.Tensor, class_ids: np.ndarray, num_classes: int) -> "Ridge":
        """Decompose float64 features."""
        targets_NK = torch.full((len(class_ids), num_classes), -1.0, dtype=torch.float64)
        targets_NK[torch.arange(len(class_ids)), torch.from_numpy(class_ids)] = 1.0
        mean_D, target_K = x_ND.mean(0), targets_NK.mean(0)
        left_NR, singular_R, right_RD = torch.linalg.svd(x_ND - mean_D, full_matrices=False)
        return cls(
            mean_D=mean_D,
            target_K=target_K,
            left_NR=left_NR,
            singular_R=singular_R,
            right_RD=right_RD,
            projected_RK=left_NR.T @ (targets_NK - target_K),
            targets_NK=targets_NK,
        )

    def weights(self, penalty: float) -> tuple[torch.Tensor, torch.Tensor]:
        """(weight [D, K], bias [K]) that minimise |x W + b - y|² + penalty · |W|²."""
        shrink_R = self.singular_R / (self.singular_R**2 + penalty)
        weight_DK = self.right_RD.T @ (shrink_R[:, None] * self.projected_RK)
        return weight_DK, self.target_K - self.mean_D @ weight_DK

    def left_out(self, penalty: float) -> torch.Tensor:
        """[N, K]: for each picture what is predicted if it is left out, without fitting anew."""
        shrink_R = self.singular_R**2 / (self.singular_R**2 + penalty)
        fitted_NK = self.left_NR @ (shrink_R[:, None] * self.projected_RK) + self.target_K
        # What is predicted without a picture misses it by its residual / (1 - leverage); 1 / N is the intercept's part.
        leverage_N = self.left_NR**2 @ shrink_R + 1 / len(self.left_NR)
        rest_N = (1 - leverage_N).clamp(min=1e-9)  # 0 where a picture alone fixes its own fit
        return self.targets_NK - (self.targets_NK - fitted_NK) / rest_N[:, None]


def probes(_asked: Asked) -> list[Probe]:
    """The one probe, whatever else was asked for."""
    return [probe()]


def probe() -> Probe:
    """The probe for each number of shots."""
    return Probe(
        task="fewshot",
        protocol="ridge",
        settings={
            "shots": list(SHOTS),
            "penalties": list(PENALTIES),
            "features": "standardised on the shots",
            "chosen_by": "accuracy with each picture left out, then squared error",
        },
        run=_run,
    )


def _run(case: Case, seed: int, tick: Tick) -> list[Measured]:
    train, test = case.examples
    found = []
    for done, number in enumerate(SHOTS, 1):
        part = train.part(shots(train.class_ids, number, seed))
        moments = Moments.of(part)
        x_ND = _standardised(part, slice(None), moments)
        ridge = Ridge.of(x_ND, part.class_ids, case.num_classes)
        penalty = max(PENALTIES, key=lambda each: _merit(ridge, part.class_ids, each))
        weight_DK, bias_K = ridge.weights(penalty)
        pieces = [
            accuracy.rank(_standardised(test, slice(start, start + _EVAL_BATCH), moments) @ weight_DK + bias_K)
            for start in range(0, len(test), _EVAL_BATCH)
        ]
        measured = accuracy.measure(torch.cat(pieces).numpy(), test.class_ids, case.num_classes)
        setting = f"{number} shot{'s' * (number > 1)}"
        found.append(Measured.of(setting, measured, {"penalty": f"{penalty:g}"}))
        tick(done, len(SHOTS))
    return found


def _merit(ridge: Ridge, class_ids: np.ndarray, penalty: float) -> tuple[float, float]:
    predicted_NK = ridge.left_out(penalty)
    right = float(np.mean(predicted_NK.argmax(1).numpy() == class_ids))
    return right, -float(((predicted_NK - ridge.targets_NK) ** 2).mean())


def _standardised(examples: Examples, which: slice, moments: Moments) -> torch.Tensor:
    return ((examples.features(which) - moments.mean_D) / moments.std_D).double()
