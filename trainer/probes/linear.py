"""The linear probe: how well a linear classifier on frozen features tells the classes of an image folder apart.

Shapes: N pictures, D features, K classes, L learning rates (one head each, all trained at once), B pictures of a batch.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import torch

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import models, run
from trainer.probes import features, heads
from trainer.probes.features import Encoder
from trainer.probes.heads import Heads, LabelledFeatures
from trainer.probes.imagefolder import open_splits


class LinearProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """How the heads are trained. Numbers compare only under the same protocol, hence its name.

    Features are standardised; AdamW without weight decay, cosine to 0; the learning rate is the one that is best on
    `held_out` of the training pictures (of each class), and the final head is trained on all of them.
    """

    name: str = "catlip-linear-sweep"
    learning_rates: tuple[float, ...] = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    epochs: int = 30
    batch_size: int = 256
    held_out: float = 0.1
    seed: int = 0


class LinearScore(msgspec.Struct, frozen=True, kw_only=True):
    """Accuracies in [0, 1] on the test split; held_out_top1 chose `lr`. broken: pictures left out."""

    top1: float
    top5: float
    lr: float
    held_out_top1: float
    broken: int


class LinearResult(msgspec.Struct, frozen=True, kw_only=True):
    """The content of RUN/probes/linear-<data>.json. random: the same for an encoder that learned nothing.

    chance: accuracy of always naming the most frequent class of the training split.
    """

    task: str
    protocol: LinearProtocol
    run: str
    step: int
    data: str
    num_classes: int
    num_train: int
    num_test: int
    trained: LinearScore
    random: LinearScore | None
    chance: float
    versions: dict[str, str]


def probe(
    run_folder: Path,
    data: Path,
    *,
    device: torch.device,
    best: bool = False,
    with_random: bool,
    report: Callable[[int, int, str], None],
    protocol: LinearProtocol | None = None,
) -> LinearResult:
    """Probe a run on an image folder and write the result into the run.

    best: takes the best checkpoint, not the newest. report(done, total, what): pictures encoded so far. Raises
    CatlipError if the run or the folder is not usable.
    """
    protocol = protocol or LinearProtocol()
    opened = run.open_run(run_folder, best=best)
    train, test = open_splits(data)
    encoders = {"trained": opened.model}
    if with_random:
        torch.manual_seed(protocol.seed)
        encoders["random"] = models.build(opened.record.config.model, opened.record.num_classes)
    splits = (train, test)
    total = len(encoders) * sum(map(len, splits))
    done = 0
    scores: dict[str, LinearScore] = {}
    for name, model in encoders.items():
        encoder = Encoder(model=model, config=opened.record.config.model, device=device)
        tables: list[LabelledFeatures] = []
        for split in splits:
            count = partial(_report_from, report, done, total, f"{name} encoder")
            table_ND = features.extract(encoder, split, run_folder / run.FEATURE_FOLDER, count)
            tables.append(LabelledFeatures.of(table_ND, split.class_ids))
            done += len(split)
        scores[name] = score(tables[0], tables[1], len(train.classes), protocol, device)
    result = LinearResult(
        task="linear",
        protocol=protocol,
        run=storage.absolute(str(run_folder)),
        step=opened.checkpoint.step,
        data=storage.absolute(str(data)),
        num_classes=len(train.classes),
        num_train=len(train),
        num_test=len(test),
        trained=scores["trained"],
        random=scores.get("random"),
        chance=float(np.mean(test.class_ids == np.bincount(train.class_ids).argmax())),
        versions=run.versions(),
    )
    where = run_folder / run.PROBE_FOLDER / f"linear-{data.resolve().name}.json"
    storage.write_bytes(str(where), msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return result


def score(
    train: LabelledFeatures,
    test: LabelledFeatures,
    num_classes: int,
    protocol: LinearProtocol,
    device: torch.device,
) -> LinearScore:
    """Choose the learning rate on held-out training pictures, train on all, and measure on the test split."""
    inner, outer = held_out_split(train.class_ids, protocol.held_out, protocol.seed)
    if not len(outer):
        raise CatlipError("The probe needs at least two readable training pictures in some class.")
    if not len(test.class_ids):
        raise CatlipError("No picture of the test split can be read.")

    def fit(split: LabelledFeatures, rates: Sequence[float]) -> Heads:
        how = {"epochs": protocol.epochs, "batch_size": protocol.batch_size, "seed": protocol.seed}
        return heads.fit(split, num_classes, rates, device=device, **how)

    rates = protocol.learning_rates
    on_held_out = fit(train.part(inner), rates).accuracies(train.part(outer))
    best = max(range(len(rates)), key=lambda i: on_held_out[i][0])
    [(top1, top5)] = fit(train, [rates[best]]).accuracies(test)
    return LinearScore(
        top1=top1, top5=top5, lr=rates[best], held_out_top1=on_held_out[best][0], broken=train.broken + test.broken
    )


def held_out_split(class_ids: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows to train on, rows held out), int64: `share` of every class that has two or more, at least one of each."""
    rng = np.random.default_rng(seed)
    held_out = []
    for class_id in np.unique(class_ids):
        rows = rng.permutation(np.flatnonzero(class_ids == class_id))
        if len(rows) > 1:
            held_out.append(rows[: max(1, round(share * len(rows)))])
    outer = np.sort(np.concatenate(held_out)) if held_out else np.empty(0, dtype=np.int64)
    return np.setdiff1d(np.arange(len(class_ids)), outer), outer


def _report_from(report: Callable[[int, int, str], None], before: int, total: int, what: str, done: int) -> None:
    report(before + done, total, what)
