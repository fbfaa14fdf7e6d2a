"""Pictures with several classes: linear heads on frozen features, one yes or no a class (BCE), measured by precision.

Shapes: N pictures, K classes, J of them at a time.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import msgspec
import numpy as np
import torch

from labelshards.errors import CatlipError
from trainer import label_metrics
from trainer.probes import heads
from trainer.probes.data.split import Split
from trainer.probes.examples import Features
from trainer.probes.heads import Heads, Start
from trainer.probes.linear import HELD_OUT
from trainer.probes.probe import Asked, Case, Measured, Probe, Tick
from trainer.probes.updates import Training

# A class that few pictures have needs larger steps than one of a few classes.
SWEEP = Training(
    optimizer="adamw", rates=(3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1), epochs=30, batch_size=256, standardise=True
)
_SCORES_AT_ONCE = 1 << 24  # 64 MiB


def probes(asked: Asked) -> list[Probe]:
    """The one probe, on each fraction that was asked for."""
    return [probe(asked.fractions)]


def probe(fractions: Sequence[float]) -> Probe:
    """The probe on these fractions of the training pictures; a smaller one of a seed lies in a larger."""
    training = msgspec.to_builtins(SWEEP)
    return Probe(
        task="multilabel",
        protocol="sweep",
        settings={
            **training,
            "loss": "BCE",
            "bias": "begins as the logit of the class's share",
            "held_out": HELD_OUT,
            "fractions": list(fractions),
            "f1": "scores above 0.5",
        },
        run=partial(_run, fractions),
        labels="many",
    )


def _run(fractions: Sequence[float], case: Case, seed: int, tick: Tick) -> list[Measured]:
    assert case.features is not None, "the probe has a tap"
    train, test = case.features
    order = np.random.default_rng(seed).permutation(len(train))
    found = []
    for fraction in fractions:
        part = train.among(np.sort(order[: max(1, round(fraction * len(order)))]))
        head, chosen = _best_head(part, case, seed, tick)
        of_train, of_test = case.splits
        metrics, per_class = measure(head, test, of_test, np.bincount(of_train.values, minlength=case.num_classes))
        found.append(Measured(setting=f"{100 * fraction:g} %", metrics=metrics, chosen=chosen, per_class=per_class))
    return found


def _best_head(train: Features, case: Case, seed: int, tick: Tick) -> tuple[Heads, dict[str, str]]:
    """(one head, what was chosen): the rate that is best on held-out pictures with classes, then trained on all."""
    split = case.splits[0]
    # Precision is that of positives, so pictures without a class cannot choose.
    labelled = np.flatnonzero(np.diff(split.offsets)[train.rows])
    if len(labelled) < 2:
        raise CatlipError(
            f"Of {len(train):,} training pictures {len(labelled)} have a class; the probe needs two, to choose by one "
            "of them. Take a larger --fraction."
        )
    outside = np.random.default_rng(seed).permutation(labelled)[: max(1, round(HELD_OUT * len(labelled)))]
    inner, outer = train.among(np.setdiff1d(np.arange(len(train)), outside)), train.among(np.sort(outside))

    def fit(part: Features, training: Training) -> Heads:
        def targets(batch: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(split.truth(part.rows[batch])).float()

        views = [heads.whole(part.width)]
        start = _prior(part, split)
        return heads.fit(part, targets, case.num_classes, training, views, seed, case.device, tick, start)

    tried = fit(inner, SWEEP)
    merits = np.nanmean(_precisions(tried, outer, split), axis=1)
    best = int(np.argmax(merits))
    one = msgspec.structs.replace(SWEEP, rates=(SWEEP.rates[best],))
    return fit(train, one), {"learning rate": f"{SWEEP.rates[best]:g}", "held-out mAP": f"{merits[best]:.1%}"}


def _prior(part: Features, split: Split) -> Start:
    """Heads that say how frequent each class is, whatever the picture; training need not begin by learning that."""
    of_part = np.repeat(np.isin(np.arange(len(split)), part.rows), np.diff(split.offsets))
    counts_K = np.bincount(split.values[of_part], minlength=len(split.classes))
    share_K = torch.from_numpy((counts_K + 0.5) / (len(part) + 1)).float()  # never 0 or 1, whose logits are infinite
    return torch.zeros(len(split.classes), part.width), share_K.logit()


def measure(head: Heads, test: Features, split: Split, support_K: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """(metrics, average precision of each class, float64 [K]) of one head. support_K: int64, in training.

    A class is called there if its score is above 0.5. Macro and weighted F1, as mAP, are over classes that the test
    split has; micro F1 is over all.
    """
    [per_class] = _precisions(head, test, split)
    right_K, called_K, there_K = np.zeros((3, len(split.classes)), np.int64)
    for classes, [logits_NJ], truth_NJ in _pieces(head, test, split):
        called_NJ = logits_NJ > 0  # a score above 0.5
        right_K[classes] = (called_NJ & truth_NJ).sum(0)
        called_K[classes], there_K[classes] = called_NJ.sum(0), truth_NJ.sum(0)
    f1_K = 2 * right_K / np.maximum(1, called_K + there_K)
    means = label_metrics.by_frequency(per_class, support_K)
    metrics = {"mAP": means.pop("all")} | {f"mAP_{name}": value for name, value in means.items()}
    metrics |= {
        "F1_micro": float(2 * right_K.sum() / max(1, (called_K + there_K).sum())),
        "F1_macro": float(f1_K[there_K > 0].mean()),
        "F1_weighted": float(np.average(f1_K, weights=there_K)),
    }
    return metrics, per_class


def _precisions(trained: Heads, features: Features, split: Split) -> np.ndarray:
    """float64 [heads, K]: average precision of each class, NaN where the split has no such picture."""
    found = np.empty((len(trained), len(split.classes)))
    for classes, logits, truth_NJ in _pieces(trained, features, split):
        for head, logits_NJ in enumerate(logits):
            found[head, classes] = label_metrics.average_precisions(logits_NJ, truth_NJ)
    return found


def _pieces(trained: Heads, features: Features, split: Split) -> Iterator[tuple[slice, list[np.ndarray], np.ndarray]]:
    """(classes, logits [N, J] of each head, truth [N, J]), some classes at a time: K may be a whole vocabulary."""
    size = max(1, _SCORES_AT_ONCE // (len(trained) * len(features)))
    for first in range(0, len(split.classes), size):
        classes = slice(first, min(first + size, len(split.classes)))
        yield classes, trained.logits(features, classes), split.truth(features.rows, classes)
