"""Nearest neighbours: no training at all. Weighted votes by cosine similarity, as in DINO (T = 0.07).

Shapes: N pictures, D features, K classes; B of a batch, M neighbours.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from trainer.probes import accuracy
from trainer.probes.examples import Examples
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick

NEIGHBOURS = (10, 20, 100, 200)
_TEMPERATURE = 0.07
_TEST_BATCH = 1024
_TRAIN_BATCH = 16384  # similarities of both batches are 64 MiB


def probes(_asked: Asked) -> list[Probe]:
    """The one probe, whatever else was asked for."""
    return [probe()]


def probe() -> Probe:
    """The probe for all of NEIGHBOURS that the training split has."""
    return Probe(
        task="knn",
        protocol="dino",
        settings={"neighbours": list(NEIGHBOURS), "temperature": _TEMPERATURE, "similarity": "cosine"},
        run=_run,
        seeded=False,
    )


def _run(case: Case, _seed: int, tick: Tick) -> list[Measured]:
    train, test = case.examples
    counts = [each for each in NEIGHBOURS if each <= len(train)] or [len(train)]
    ranked = classify(train, test, case.num_classes, counts, case.device, tick)
    return [
        Measured.of(f"k = {count}", accuracy.measure(ranked_N5, test.class_ids, case.num_classes))
        for count, ranked_N5 in zip(counts, ranked, strict=True)
    ]


@torch.inference_mode()
def classify(
    train: Examples, test: Examples, num_classes: int, counts: Sequence[int], device: torch.device, tick: Tick
) -> list[np.ndarray]:
    """For each number of neighbours int64 [N, up to 5]: the classes with most votes, each worth exp(similarity / T).

    Holds a piece of both splits at a time, whatever their sizes.
    """
    classes = torch.from_numpy(train.class_ids).to(device)
    found: list[list[torch.Tensor]] = [[] for _ in counts]
    for start in range(0, len(test), _TEST_BATCH):
        query_BD = _unit(test, start, _TEST_BATCH, device)
        best_BM = torch.empty((len(query_BD), 0), device=device)
        near_BM = torch.empty((len(query_BD), 0), dtype=torch.int64, device=device)
        for first in range(0, len(train), _TRAIN_BATCH):
            similarity_BN = query_BD @ _unit(train, first, _TRAIN_BATCH, device).T
            top = similarity_BN.topk(min(max(counts), similarity_BN.shape[1]), dim=1)
            best_BM, near_BM = torch.cat([best_BM, top.values], 1), torch.cat([near_BM, top.indices + first], 1)
            # Sorted, the nearest first, so that fewer neighbours are the first columns of more.
            kept = best_BM.topk(min(max(counts), best_BM.shape[1]), dim=1)
            best_BM, near_BM = kept.values, near_BM.gather(1, kept.indices)
        # The nearest one weighs 1: only ratios count, and exp(1 / T) is near the end of half precision.
        weights_BM = ((best_BM - best_BM[:, :1]) / _TEMPERATURE).exp()
        for number, count in enumerate(counts):
            votes_BK = torch.zeros(len(query_BD), num_classes, device=device)
            votes_BK.scatter_add_(1, classes[near_BM[:, :count]], weights_BM[:, :count])
            found[number].append(accuracy.rank(votes_BK))
        tick(min(start + _TEST_BATCH, len(test)), len(test))
    return [torch.cat(pieces).numpy() for pieces in found]


def _unit(examples: Examples, start: int, size: int, device: torch.device) -> torch.Tensor:
    return F.normalize(examples.features(slice(start, start + size)).to(device), dim=1)
