"""Features and the right classes of many pieces → weights: multinomial logistic regression, by AdaGrad."""

from typing import NamedTuple

import numpy as np

from labelgen.distill.tagset import NUM_CLASSES
from labelgen.distill.weights import LIMIT, NAT

_EPOCHS = 5
_PIECES_PER_STEP = 4_096
_RATE = 0.1
_SEED = 0


class _Batch(NamedTuple):
    """features: int [B, F]; classes: int [B]. The same the other way round: `distinct` features, and for the i-th of
    them the pieces pieces[firsts[i]:firsts[i+1]]."""

    features: np.ndarray
    classes: np.ndarray
    distinct: np.ndarray
    firsts: np.ndarray
    pieces: np.ndarray


def fit(features: np.ndarray, classes: np.ndarray, num_features: int) -> np.ndarray:
    """int32 [N, F] numbers of features (0: none), int [N] classes → int16 [num_features, NUM_CLASSES], row 0 zeros.

    The same for the same input on the same machine; elsewhere the last bit of a float may round a weight up or down.
    """
    random = np.random.default_rng(_SEED)
    weights = np.zeros((num_features, NUM_CLASSES), np.float32)
    # As if something had come before: from nothing, AdaGrad's first step is as large for a small gradient as for any.
    squares = np.full((num_features, 1), 0.1, np.float32)
    order = random.permutation(len(classes))
    starts = range(0, len(order), _PIECES_PER_STEP)
    # The same ones in each epoch, in another order: what is sorted for a batch is sorted once.
    batches = [_batch(features, classes, order[start : start + _PIECES_PER_STEP]) for start in starts]
    for _ in range(_EPOCHS):
        for number in random.permutation(len(batches)):
            _step(weights, squares, batches[number])
    return np.clip(np.rint(weights * NAT), -LIMIT, LIMIT).astype(np.int16)


def _batch(features: np.ndarray, classes: np.ndarray, chosen: np.ndarray) -> _Batch:
    of_chosen = features[chosen]
    flat = of_chosen.ravel()
    order = np.argsort(flat, kind="stable")
    distinct, firsts = np.unique(flat[order], return_index=True)
    return _Batch(of_chosen, classes[chosen], distinct, firsts, order // features.shape[1])


def _step(weights: np.ndarray, squares: np.ndarray, batch: _Batch) -> None:
    """One step of AdaGrad, with one rate for all classes of a feature. The row of no feature stays at zero."""
    logits = np.zeros((len(batch.classes), NUM_CLASSES), np.float32)
    for column in batch.features.T:
        logits += weights[column]
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    logits[np.arange(len(logits)), batch.classes] -= 1
    gradient = np.add.reduceat(logits[batch.pieces], batch.firsts, axis=0)
    gradient[batch.distinct == 0] = 0
    squares[batch.distinct] += np.square(gradient).mean(axis=1, keepdims=True)
    weights[batch.distinct] -= _RATE * gradient / np.sqrt(squares[batch.distinct])
