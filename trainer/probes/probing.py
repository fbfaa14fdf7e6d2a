"""One model on one data set: features once, then every probe asked for, beside random weights."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import run
from trainer.encoder import Encoder
from trainer.opening import Opened
from trainer.probes import features, results
from trainer.probes.data.split import Split
from trainer.probes.examples import Examples
from trainer.probes.features import Extracted
from trainer.probes.plans import Measured, Plan, over_seeds
from trainer.probes.results import DataFacts, Result, Score

# report(done, total, what)
Report = Callable[[int, int, str], None]


def probe(
    opened: Opened,
    splits: tuple[Split, Split],
    plans: Sequence[Plan],
    *,
    data: Path,
    out: Path,
    seeds: Sequence[int],
    with_random: bool,
    device: torch.device,
    report: Report,
) -> list[Result]:
    """Results in the order of `plans`, written below `out` as they come; features are kept there, too.

    Raises CatlipError if no picture can be read, or if pictures have several classes.
    """
    if splits[0].multilabel:
        raise CatlipError(f"{data} has several classes a picture; {plans[0].task} wants one.")
    encoders = {"model": opened.encoder}
    if with_random:
        encoders["random"] = opened.fresh(0)
    taps = sorted({plan.tap for plan in plans})
    extracted = {
        name: _extract(encoder, splits, out / run.FEATURE_FOLDER, taps, _named(report, f"pictures, {name} encoder"))
        for name, encoder in encoders.items()
    }
    facts = _facts(data, splits, extracted["model"])
    found = []
    for plan in plans:
        used = list(seeds) if plan.seeded else list(seeds[:1])
        scores: list[Score] = []
        for name, pair in extracted.items():
            train, test = (_examples(split, each, plan.tap) for split, each in zip(splits, pair, strict=True))
            by_seed: list[list[Measured]] = []
            for seed in used:
                tick = _named(report, f"{plan.task} {plan.protocol}, {name} encoder, seed {seed}")
                by_seed.append(plan.run(train, test, len(splits[0].classes), seed, device, tick))
            scores += over_seeds(name, by_seed)
        result = Result(
            task=plan.task,
            protocol=plan.protocol,
            settings=plan.settings,
            model=opened.facts,
            data=facts,
            seeds=used,
            scores=scores,
            versions=run.versions(),
        )
        results.write(out / run.PROBE_FOLDER, result)
        found.append(result)
    return found


def _extract(
    encoder: Encoder,
    splits: tuple[Split, Split],
    cache: Path,
    taps: Sequence[str],
    tick: Callable[[int, int], None],
) -> tuple[Extracted, Extracted]:
    total = sum(map(len, splits))
    train = features.extract(encoder, splits[0], cache, lambda done: tick(done, total), taps)
    test = features.extract(encoder, splits[1], cache, lambda done: tick(len(splits[0]) + done, total), taps)
    for split, name in ((train, "training"), (test, "test")):
        if not len(split.rows):
            why = ", ".join(f"{count:,} {reason}" for reason, count in split.broken.items())
            raise CatlipError(f"No picture of the {name} split can be read ({why}).")
    return train, test


def _examples(split: Split, extracted: Extracted, tap: str) -> Examples:
    return Examples(table=extracted.tables[tap], rows=extracted.rows, class_ids=split.class_ids[extracted.rows])


def _facts(data: Path, splits: tuple[Split, Split], extracted: tuple[Extracted, Extracted]) -> DataFacts:
    left_out: Counter[str] = Counter()
    for split, each in zip(splits, extracted, strict=True):
        left_out += split.skipped + each.broken
    train, test = splits
    chance = None
    if not train.multilabel:
        chance = float(np.mean(test.class_ids == np.bincount(train.class_ids).argmax()))
    return DataFacts(
        name=data.resolve().stem,
        path=storage.absolute(str(data)),
        classes=list(train.classes),
        num_train=len(train),
        num_test=len(test),
        left_out=dict(sorted(left_out.items())),
        classes_without_test=len(np.setdiff1d(train.values, test.values)),
        chance=chance,
    )


def _named(report: Report, what: str) -> Callable[[int, int], None]:
    return lambda done, total: report(done, total, what)
