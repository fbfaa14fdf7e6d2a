"""How well scores rank labels: average precision of classes, precision of a picture's first guesses.

Shapes: N samples, K classes.
"""

import numpy as np

GROUPS = ("head", "middle", "tail")


def average_precision(scores_N: np.ndarray, truth_N: np.ndarray) -> float:
    """Mean, over the positives, of the precision among all samples that score at least as high; NaN without positives.

    scores_N: floats. truth_N: bool.
    """
    order = np.argsort(-scores_N, kind="stable")
    found = np.cumsum(truth_N[order])
    if not len(found) or not found[-1]:
        return float("nan")
    # Equal scores share one place, at the end of their run.
    last = np.append(np.flatnonzero(np.diff(scores_N[order])), len(order) - 1)
    new = np.diff(found[last], prepend=0)
    return float((new * found[last] / (last + 1)).sum() / found[-1])


def average_precisions(scores_NK: np.ndarray, truth_NK: np.ndarray) -> np.ndarray:
    """float64 [K]: of each class; NaN where it has no positives."""
    found_K = np.full(truth_NK.shape[1], np.nan)
    for k in np.flatnonzero(truth_NK.any(axis=0)):
        found_K[k] = average_precision(scores_NK[:, k], truth_NK[:, k])
    return found_K


def by_frequency(precisions_K: np.ndarray, support_K: np.ndarray) -> dict[str, float]:
    """Means over `all` classes that have a precision, and over three equal parts of them: `head`, `middle`, `tail`.

    support_K: how often each class occurs in training, which orders them. Parts without classes are left out.
    """
    known = np.flatnonzero(~np.isnan(precisions_K))
    if not len(known):
        return {}
    order = known[np.argsort(-support_K[known], kind="stable")]
    parts = zip(GROUPS, np.array_split(precisions_K[order], len(GROUPS)), strict=True)
    return {"all": float(precisions_K[known].mean())} | {name: float(part.mean()) for name, part in parts if len(part)}


def mean_average_precisions(scores_NK: np.ndarray, truth_NK: np.ndarray, support_K: np.ndarray) -> dict[str, float]:
    """Both at once."""
    return by_frequency(average_precisions(scores_NK, truth_NK), support_K)
