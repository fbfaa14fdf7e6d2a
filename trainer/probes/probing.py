"""One model on one data set: features once, then every probe asked for, beside random weights."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from labelshards import storage
from labelshards.errors import CatlipError
from trainer import run
from trainer.probes import features, results
from trainer.probes.data.split import Split
from trainer.probes.encoders import Opened
from trainer.probes.examples import Features
from trainer.probes.features import Encoder, Extracted
from trainer.probes.plans import Case, Measured, Plan, over_seeds
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

    Raises CatlipError if no picture can be read, or if pictures have not as many classes as a task wants.
    """
    for plan in plans:
        _check_labels(plan, splits[0], data)
    encoders = {"model": opened.encoder}
    if with_random and any(plan.beside_random for plan in plans):
        encoders["random"] = opened.fresh(0)
    taps = sorted({plan.tap for plan in plans if plan.tap})
    extracted = {
        name: _extract(encoder, splits, out / run.FEATURE_FOLDER, taps, _named(report, f"pictures, {name} encoder"))
        for name, encoder in encoders.items()
        if taps
    }
    facts = _facts(data, splits, extracted.get("model", ()))
    found = []
    for plan in plans:
        used = list(seeds) if plan.seeded else list(seeds[:1])
        scores: list[Score] = []
        for name, encoder in encoders.items():
            if name == "random" and not plan.beside_random:
                continue
            pair = _features(extracted[name], plan.tap) if plan.tap else None
            case = Case(encoder=encoder, splits=splits, features=pair, device=device)
            by_seed: list[list[Measured]] = []
            for seed in used:
                tick = _named(report, f"{plan.task} {plan.protocol}, {name} encoder, seed {seed}")
                by_seed.append(plan.run(case, seed, tick))
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


def _features(pair: tuple[Extracted, Extracted], tap: str) -> tuple[Features, Features]:
    train, test = (Features(table=each.tables[tap], rows=each.rows) for each in pair)
    return train, test


def _check_labels(plan: Plan, train: Split, data: Path) -> None:
    if plan.labels == "one" and train.multilabel:
        raise CatlipError(f"{data} has several classes a picture; {plan.task} wants one.")
    if plan.labels == "many" and not train.multilabel:
        raise CatlipError(f"{data} has one class a picture; {plan.task} wants pictures that may have several.")


def _facts(data: Path, splits: tuple[Split, Split], extracted: Sequence[Extracted]) -> DataFacts:
    left_out: Counter[str] = Counter()
    for counted in (*(split.skipped for split in splits), *(each.broken for each in extracted)):
        left_out += counted
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
